// For `semel check`: would the state directory do? Leaves it as it was.
#pragma once

#include <string>

#include <semel/error.hpp>

namespace semel::engine {

/// Makes what is missing of `directory`, writes and syncs a file there, reads the plan log if there
/// is one, and takes away what it made. Errors as PlanLog::open() and load() give them.
Result<void> try_state_directory(const std::string& directory);

}  // namespace semel::engine
