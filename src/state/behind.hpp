// Where the partitions stood behind a batch, by the history of a ledger. Pure.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/types.hpp>

#include "state/version.hpp"

namespace semel::state {

/// Of each partition that `moves` or `now` has, but ~batches: where it stood once the output was at
/// `version`. Nothing where the history has not kept that batch. `moves` in any order.
std::optional<std::vector<Progress>> positions_behind(const Version& version,
                                                      std::span<const Move> moves,
                                                      std::span<const Progress> now);

/// Where they stood before a change that is the last one to have moved `now`. Nothing where they
/// have been moved since.
std::optional<std::vector<Progress>> positions_before(const Prepared& change,
                                                      std::span<const Progress> now);

}  // namespace semel::state
