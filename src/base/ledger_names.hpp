// What a ledger that has tables calls the kinds of moves and the states of owners: the same in
// every sink, because people's queries read them.
#pragma once

#include <string_view>

#include <semel/ledger.hpp>

namespace semel {

/// What semel_commits.kind may be.
std::string_view kind_name(MoveKind kind);
/// Of such a name; one that nobody knows is a commit.
MoveKind kind_of(std::string_view name);

/// What semel_owners.state may be. Stored: do not change.
inline constexpr std::string_view state_running = "running";
inline constexpr std::string_view state_stopped = "stopped";
inline constexpr std::string_view state_failed = "failed";

}  // namespace semel
