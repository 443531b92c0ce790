// A machine: what a process keeps on its disks, and what is left of it when the power fails.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "simulation/disk.hpp"
#include "state/disk.hpp"

namespace semel::stream_simulation {

/// The bytes of a state's store. A killed process leaves all that it wrote, a machine without power
/// all that was synced and a beginning of the rest.
struct StateBytes {
  using Changes = std::vector<state::Disk::Change>;
  using Family = std::map<std::string, std::string, std::less<>>;
  struct Content {
    Family meta;
    Family state;
  };

  Content now;
  Content durable;
  std::vector<Changes> unsynced;

  void write(const Changes& changes, bool sync) {
    apply(now, changes);
    unsynced.push_back(changes);
    if (sync) this->sync(unsynced.size());
  }
  void lose_power(std::size_t survivors) {
    sync(survivors);
    unsynced.clear();
    now = durable;
  }

 private:
  void sync(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) apply(durable, unsynced[i]);
    unsynced.clear();
  }
  static void apply(Content& content, const Changes& changes) {
    for (const auto& [family, key, value] : changes) {
      auto& keys = family == state::Disk::Family::meta ? content.meta : content.state;
      if (value) {
        keys[key] = *value;
      } else {
        keys.erase(key);
      }
    }
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
