// Several outputs, each with a ledger of its own, that take the same batches: where they stand
// together. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/sink.hpp>
#include <semel/types.hpp>

namespace semel::stream {

/// Where one output stands, as its ledger says.
struct Standing {
  std::string output;              ///< its name
  std::vector<Progress> progress;  ///< of each partition that it knows
  BatchTime highest_batch_time;
};

/// A range without records, in an output that does not know it yet.
struct LostRange {
  OffsetRange range;                  ///< `until` may be below `from`
  BatchTime time;                     ///< of the batch in which the others have recorded it
  std::optional<BatchTime> moved_by;  ///< of the output's move to `from`
};

/// Where all of them go on.
struct Agreed {
  std::vector<Progress> progress;  ///< the ones that are behind, where they differ
  BatchTime highest_batch_time;
  /// What some have already and others have not: the difference, as one batch.
  std::optional<PendingBatch> pending;
  /// Of each output, in the order of the standings: ranges that others have recorded as lost, where
  /// they ended. `progress` stands behind them.
  std::vector<std::vector<LostRange>> lost;
  /// Of each output, in the order of the standings: partitions that its ledger lacks, and where
  /// they begin there: an output that is new begins where the others are.
  std::vector<std::vector<Progress>> to_enter;
};

/// Each batch is committed to one output after the other, so they stand at one place, or some one
/// batch ahead. A range that is lost is recorded in one output after the other, too; where it ended
/// a ledger has no mark. Where a ledger was restored they may be further apart, by more than one
/// batch: what lies between is one batch then. Three places, or two of which each is ahead of the
/// other in some partition, come from no crash: fatal, with who stands where. So does a ledger that
/// lacks a partition of which another has records, unless it knows nothing at all and is new.
Result<Agreed> agree(std::span<const Standing> standings);

}  // namespace semel::stream
