// The commit protocol's decisions: what a ledger entry means for a range, and which planned ranges
// are still true after a take-over. Promises P1, P3, P5, P7, P8 (docs/guarantees.md).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/sink.hpp>
#include <semel/types.hpp>

#include "core/batch_clock.hpp"

namespace semel::core {

/// What the ledger says about a task whose commit was refused or is in doubt.
enum class Verdict : std::uint8_t {
  committed,      ///< the range is in the sink
  not_committed,  ///< the range is not in the sink and we still own it: try again
  fenced,         ///< somebody else owns the output: stop
  went_back,      ///< the ledger is older than we are (failover, restored backup): take over again
  broken,  ///< the ledger is ours but further than any schedule leaves it: a bug, stop loudly
};

/// `task` as it was handed out under `owner`. The UUID is compared as well as the epoch, because
/// epochs repeat after a failover to a replica that was behind; and the batch time as well as the
/// offset, because after a failover another history may stand at the same offset (a topic that was
/// created anew in between).
Verdict judge(const LedgerEntry& entry, const Task& task, const std::string& owner);

/// The same question without a range: is the output still ours? Never `committed`;
/// `not_committed` means yes.
Verdict judge_owner(const LedgerEntry& entry, std::int64_t epoch, const std::string& owner);

/// A planned range as the plan log keeps it.
struct PlannedRange {
  OffsetRange range;  ///< for TaskKind::lost `until` may be at or below `from`
  TaskKind kind = TaskKind::load;
  std::string reason;  ///< for TaskKind::lost

  bool operator==(const PlannedRange&) const = default;
};

/// A batch: its time and one planned range per partition at most.
struct Batch {
  BatchTime time;
  std::vector<PlannedRange> ranges;
  bool given_up = false;  ///< as a whole: all of its ranges are TaskKind::lost

  bool operator==(const Batch&) const = default;
};

/// Which recovered ranges may be executed as they were planned. A range is kept if it begins
/// exactly where its partition stands (in the ledger, or after the kept ranges before it) and its
/// batch is newer than the partition's last; everything else is dropped, to be planned anew: the
/// sink is the truth. A lost range is never kept: it was a decision about a log that may be another
/// one by now, and if the records are still lost, that is seen again. But those of a batch that was
/// given up are, with `given_up`: some of it may be in the ledger as lost, and the rest is to
/// follow. Of others, `batches` in time order, none is kept that is not `above` this time. With a
/// clock, none is kept whose range of ~batches is not, or is more than one batch's; without one, no
/// such range is. A batch left without ranges is in `forget`; so are, in `batches`, only the kept
/// ranges.
struct Reconciled {
  std::vector<Batch> batches;
  std::vector<BatchTime> forget;
};
Reconciled reconcile(std::span<const Batch> batches, std::span<const Progress> progress,
                     std::optional<BatchTime> above = std::nullopt,
                     BatchClock clock = BatchClock::none, bool given_up = false);

}  // namespace semel::core
