// That an operator moves the outputs' ledgers and the state together: a note beside the state, from
// before the first of them moves until all have. Whoever starts, or moves, meanwhile finds it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "state/version.hpp"

namespace semel::state {

/// What becomes of the state.
enum class With : std::uint8_t {
  keep,    ///< it stays as it is
  empty,   ///< it begins empty
  rewind,  ///< it goes back
};

struct Moving {
  std::string command;  ///< that goes on with it
  With with = With::keep;
  Version from;                     ///< of rewind: the version that the state goes back to
  Version to;                       ///< not of keep: what outputs and state are at then
  std::vector<Progress> positions;  ///< where all outputs go
};

/// `directory` is the state's.
Result<std::optional<Moving>> read_moving(const std::string& directory);
/// Durable when it returns, as is that it is gone.
Result<void> write_moving(const std::string& directory, const Moving& moving);
Result<void> end_moving(const std::string& directory);

/// Refused, as unfinished(), where there is such a note.
Result<void> nothing_begun(const std::string& directory);
/// What a start says where there is such a note.
tl::unexpected<Error> unfinished(const std::string& directory, const Moving& moving);

}  // namespace semel::state
