// The disk of a state's store in memory, with a look at each write.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "state/disk.hpp"

namespace semel::testing {

using Changes = std::vector<state::Disk::Change>;

struct DiskBytes {
  using Family = std::map<std::string, std::string, std::less<>>;
  Family meta;
  Family state;

  void apply(const Changes& changes);
};

/// Called before and after each write. What they throw leaves write().
struct DiskWatch {
  std::function<void(bool sync)> before;
  std::function<void(const Changes& changes, bool sync)> after;
};

/// `bytes` live longer.
std::unique_ptr<state::Disk> memory_disk(DiskBytes& bytes, DiskWatch watch);

}  // namespace semel::testing
