// A machine: what a process keeps on its disks, and what is left of it when the power fails.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "simulation/disk.hpp"
#include "state/disk.hpp"
#include "testing/memory_disk.hpp"

namespace semel::stream_simulation {

/// The bytes of a state's store. A killed process leaves all that it wrote, a machine without power
/// all that was synced and a beginning of the rest.
struct StateBytes {
  testing::DiskBytes now;
  testing::DiskBytes durable;
  std::vector<testing::Changes> unsynced;

  /// It is in `now`.
  void wrote(const testing::Changes& changes, bool synced) {
    unsynced.push_back(changes);
    if (synced) sync(unsynced.size());
  }
  void lose_power(std::size_t survivors) {
    sync(survivors);
    now = durable;
  }

 private:
  void sync(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) durable.apply(unsynced[i]);
    unsynced.clear();
  }
};

struct Machine {
  std::string name;
  simulation::PlanDirectory plans{};
  StateBytes state{};
};

/// The disk of a machine, as a store has it. `step` is called before and after each write.
std::unique_ptr<state::Disk> disk_of(StateBytes& bytes, std::function<void()> step);

}  // namespace semel::stream_simulation
