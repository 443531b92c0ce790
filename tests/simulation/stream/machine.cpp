#include "simulation/stream/machine.hpp"

#include "testing/memory_disk.hpp"

namespace semel::stream_simulation {

std::unique_ptr<state::Disk> disk_of(StateBytes& bytes, std::function<void()> step) {
  return testing::memory_disk(bytes.now,
                              {.before = [step](bool) { step(); },
                               .after =
                                   [step, &bytes](const testing::Changes& changes, bool sync) {
                                     bytes.wrote(changes, sync);
                                     step();
                                   }});
}

}  // namespace semel::stream_simulation
