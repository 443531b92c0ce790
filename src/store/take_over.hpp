// The owner's first words: who it is, and where everything stands. In a transaction for writing.
#pragma once

#include <string>

#include <semel/sink.hpp>

#include "store/setup.hpp"

namespace semel::store {

/// Makes the ledger where there is none. Fatal (Cause::sink) where it is not whole: a table, a
/// column, the owner or a position is gone; (Cause::configuration) where it is of another table.
/// Epoch 0: it is of another cluster, and stays as it was.
Result<TakenOver> take_over(Store& store, const Setup& setup, const std::string& cluster_id);

/// Where the partition stands; at `start`, where the ledger does not know it. Fatal (Cause::sink)
/// where it has lost its position. `epoch`: of the take-over.
Result<Progress> enter(Store& store, const Setup& setup, const Progress& start, std::int64_t epoch);

}  // namespace semel::store
