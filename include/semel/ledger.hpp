// The ledger as people see it: what `semel status`, `offsets` and `verify` read and change in the
// stores that semel knows. That of a sink of your own is for your own program to show and to move.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/api.hpp>
#include <semel/error.hpp>
#include <semel/types.hpp>

namespace semel {

/// Why the ledger moved.
enum class MoveKind : std::uint8_t {
  start,   ///< the partition was entered: from == until
  commit,  ///< rows of [from, until) were committed
  lost,    ///< [from, until) was skipped (on_data_loss); until may be below from
  set,     ///< an operator moved the position with `semel offsets`
};

/// One row of the history (semel_commits).
struct Move {
  TopicPartition tp;                          ///< which partition moved
  BatchTime batch_time;                       ///< of the batch that moved it; see Ledger::set()
  std::int64_t epoch = 0;                     ///< of the owner that moved it
  Offset from = 0;                            ///< where it stood
  Offset until = 0;                           ///< where it stands since
  MoveKind kind = MoveKind::commit;           ///< why
  std::uint64_t rows = 0;                     ///< as in Committed
  std::uint64_t dead_letters = 0;             ///< as in Committed
  std::optional<std::uint64_t> ignored{};     ///< as in Committed; absent: not counted then
  std::optional<std::uint64_t> suppressed{};  ///< as in Committed; absent: not counted then
  std::string committed_at;                   ///< ISO 8601, UTC

  /// All that were counted.
  std::uint64_t records() const {
    return rows + dead_letters + ignored.value_or(0) + suppressed.value_or(0);
  }
};

/// What the commits of the history counted, as far as it is kept.
struct Counts {
  std::string since;  ///< when the oldest commit that is kept was made, ISO 8601, UTC; empty: none
  std::uint64_t commits = 0;       ///< that are kept
  std::uint64_t rows = 0;          ///< as in Committed
  std::uint64_t dead_letters = 0;  ///< as in Committed
  std::uint64_t ignored = 0;       ///< as in Committed
  std::uint64_t suppressed = 0;    ///< as in Committed
  std::uint64_t uncounted = 0;     ///< commits that did not count what they left out
  std::uint64_t lost = 0;          ///< offsets that moves of MoveKind::lost, which are kept, passed

  /// All that were counted.
  std::uint64_t records() const { return rows + dead_letters + ignored + suppressed; }
};

/// How it is with an owner, by what it says of itself and the sink's clock.
enum class OwnerState : std::uint8_t {
  running,  ///< seen within five of its heartbeats
  silent,   ///< not seen for longer, and did not say that it ended: killed, frozen, cut off
  stopped,  ///< ended in good order, or was replaced by an operator
  failed,   ///< ended with an error
};

/// An output's owner, as the ledger has it.
struct OwnerStatus {
  std::int64_t epoch = 0;                   ///< rises with each take-over
  std::string id;                           ///< as Owner::id
  std::string description;                  ///< as Owner::description
  std::string since;                        ///< when it took over: ISO 8601, UTC
  double seen_seconds_ago = 0;              ///< by the sink's clock
  std::string cluster_id;                   ///< of the Kafka cluster that is read
  OwnerState state = OwnerState::silent;    ///< how it is with it
  std::string reason;                       ///< why it failed; else empty
  std::int64_t heartbeat_ms = 0;            ///< 0: not known
  std::optional<double> moved_seconds_ago;  ///< since progress was made; absent: there is none
};

/// Read and changed by operators; the pipeline itself need not run. All of it is of one output of
/// one pipeline: others in the same store are neither told, counted nor changed. Not thread safe.
class SEMEL_API Ledger {
 public:
  virtual ~Ledger() = default;

  virtual Result<std::optional<OwnerStatus>> owner() = 0;  ///< absent: never started
  virtual Result<std::vector<Progress>> progress() = 0;    ///< in (topic, partition) order
  /// The history of one moment: `see` is given it in pieces of some thousand moves at most, by
  /// partition, then batch time, then epoch. Returns the progress of the same moment, in (topic,
  /// partition) order. `see` may take its time, and sinks commit meanwhile, also from inside of it:
  /// no lock that keeps writers out is held while it runs.
  virtual Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) = 0;
  virtual Result<Counts> counts() = 0;               ///< of the history, as far as it is kept
  virtual Result<std::uint64_t> dead_letters() = 0;  ///< how many are kept

  /// Moves partitions to new positions in one transaction and raises the epoch, so that a running
  /// owner is fenced; each jump is a row of the history (MoveKind::set) with the new epoch. It is
  /// of no batch: so that the history stays in order, its batch time is none earlier than the
  /// latest that the history has of the partition, nor later than the output's. Refuses (fatal,
  /// Cause::sink) while an owner is running, unless `force`; where it is silent it need not.
  virtual Result<void> set(std::span<const Progress> positions, bool force) = 0;

  /// Forgets the progress of all partitions (the next start follows `start` again) and the cluster;
  /// the history stays, and the batch times go on above it. Same rules as set(). What it has
  /// forgotten is not lost (Sink::take_over()): semel's own sinks tell it by a last row of the
  /// partition's history, MoveKind::set from where it stood to where it stood.
  virtual Result<void> reset(bool force) = 0;

  /// Removes all that the ledger has of the output of the pipeline: owner, progress, history and
  /// dead letters, as if it had never been. Refuses (fatal, Cause::sink) while an owner is running.
  /// A ledger that cannot says so.
  virtual Result<void> forget() {
    return fail(ErrorKind::fatal, Cause::sink, "this ledger forgets nothing");
  }

  /// Partitions that nobody goes on with before set(), also to where they stand, or reset() has
  /// said where: what is stored of them is not what their positions say. In (topic, partition)
  /// order. A ledger that cannot tell has none.
  virtual Result<std::vector<TopicPartition>> disputed() { return std::vector<TopicPartition>(); }
};

}  // namespace semel
