// Which stages of a pipeline have state in a store, and how much.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>

#include "state/store.hpp"

namespace semel::state {

/// What all keys of a stage begin with.
std::string prefix_of(std::string_view stage);
/// Behind the prefix: the key of how the stage's values are encoded.
inline constexpr std::string_view shape_key = "m";  // stored: do not change

struct StageSize {
  std::string stage;
  std::string shape;  ///< how its values are encoded; empty: that is not there
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;  ///< of these keys and their values
};

/// Of the base, in the order of their names. Reads all of it.
Result<std::vector<StageSize>> stages_in(const Store& store);

}  // namespace semel::state
