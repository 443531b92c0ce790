// What happens to an installation in a soak: each kind of trouble begins, lasts, and ends.
#pragma once

#include <functional>
#include <random>
#include <string_view>
#include <vector>

#include "soak/world.hpp"

namespace semel::test {

struct Trouble {
  std::string_view name;
  /// Begins it, and gives what ends it. Everything random comes from `random`.
  std::function<std::function<void()>(World&, std::mt19937_64& random)> begin;
  /// Kafka or PostgreSQL are away meanwhile: SQL of the test's own does not work.
  bool takes_server = false;
};

/// All kinds there are.
const std::vector<Trouble>& all_troubles();

}  // namespace semel::test
