// The driver's decisions as one pure function: an event in, actions out. The engine obeys the
// actions and reports what came of them; a simulator may do the same. No clock, thread or I/O in
// here: time comes in with the events, as milliseconds since the Unix epoch.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <semel/error.hpp>
#include <semel/sink.hpp>
#include <semel/types.hpp>

#include "base/setting_names.hpp"
#include "core/batch_clock.hpp"
#include "core/grouping.hpp"
#include "core/limits.hpp"
#include "core/outage.hpp"
#include "core/planner.hpp"
#include "core/position.hpp"
#include "core/protocol.hpp"
#include "core/rate.hpp"
#include "core/retry.hpp"

namespace semel::core {

struct DriverOptions {
  Limits limits;
  RetryPolicy retry;
  SettingNames names;
  std::string owner;  ///< our UUID
  CommitUnit commit = CommitUnit::range;
  BatchClock clock = BatchClock::none;
  std::size_t executors = 1;
  bool once = false;  ///< finish at the ends seen first
  /// With `once`: at these instead. Of a partition that is not among them nothing is read.
  std::optional<std::map<TopicPartition, Offset>> ends{};
  bool skip_lost = false;  ///< on_data_loss = "skip"
  /// Beside skip_lost: on_data_loss = "skip_batch". A planned batch that has lost records is given
  /// up as a whole.
  bool skip_batch = false;
  bool pattern = false;  ///< topics are subscribed by pattern, so they come and go
  std::int64_t discovery_interval_ms = 10'000;
  std::int64_t startup_timeout_ms = 30'000;
  std::int64_t source_grace_ms =
      10'000;  ///< how long Kafka may deny what it had before it is believed
};

/// Names a task, one range of one batch; and a group of tasks that share a transaction, by the
/// first of them.
struct TaskId {
  BatchTime time;
  TopicPartition tp;

  auto operator<=>(const TaskId&) const = default;
};

// -- Events: what happened
// ---------------------------------------------------------------------------

/// The output is ours. `recovered` is what the plan log holds, in time order.
struct TookOver {
  TakenOver taken;
  std::vector<Batch> recovered;
};
/// What Kafka has, as far as it says. `partitions` where it was asked for discovery too, with
/// `earliest`.
struct OffsetsSeen {
  std::optional<std::vector<TopicPartition>> partitions;
  std::map<std::string, std::string> unclear{};  ///< topics whose partitions it could not tell; why
  std::map<std::string, std::string> denied{};   ///< topics that this login may not see; why
  std::map<TopicPartition, Offset> earliest;
  std::map<TopicPartition, Offset> latest;
  std::map<TopicPartition, std::string> unanswered{};  ///< partitions without an offset; why
};
/// Nothing was answered.
struct OffsetsFailed {
  Error error;
};
/// The ledger has these partitions now.
struct Entered {
  std::vector<Progress> starts;
};
/// It could not be found out where these begin.
struct EnterFailed {
  std::vector<TopicPartition> tps;
  Error error;
};
/// What was done of a task.
struct Done {
  std::optional<RecordMark> last;  ///< of the range, or of what came before it
  std::uint64_t records = 0;       ///< visible ones
  std::uint64_t bytes = 0;         ///< of their keys and values
  Committed counts{};              ///< for who listens; no decision depends on it
};
/// Every task of the group.
struct TaskCommitted {
  TaskId id;
  std::vector<Done> done;  ///< in the order of the group
};
/// No task of the group was committed, because the ledger does not allow this one.
struct TaskRefused {
  TaskId id;
  LedgerEntry ledger;
  std::size_t task = 0;  ///< its place in the group
};
/// No task of the group was committed; or whether they were is in doubt.
struct TaskFailed {
  TaskId id;
  Error error;
  double jitter = 0;                ///< in [0, 1), for the back-off
  std::optional<LogBounds> bounds;  ///< with ErrorKind::data_loss
  /// The place in the group of the one whose records could not be read; absent where it was the
  /// transaction that failed.
  std::optional<std::size_t> task{};
  /// The records of `task` only keep the others waiting: it is no failure.
  bool slow = false;
};
/// A doubt was looked up in the ledger.
struct DoubtResolved {
  TaskId id;
  std::vector<LedgerEntry> ledger;  ///< of each task of the group, of one moment
};
struct DoubtUnresolved {
  TaskId id;
  Error error;
  double jitter = 0;
};
/// The answer of a keep-alive.
struct OwnerSeen {
  LedgerEntry ledger;
  std::optional<std::vector<Progress>> progress;  ///< where the ledger stands, where it was read
};
/// Something that only people can mend happened outside of any task.
struct Broke {
  Error error;
};
struct StopRequested {};
/// While stopping: nothing that runs has moved for so long that nobody waits for it any more.
struct Stalled {};
struct Tick {};

using EventBody = std::variant<TookOver, OffsetsSeen, OffsetsFailed, Entered, EnterFailed,
                               TaskCommitted, TaskRefused, TaskFailed, DoubtResolved,
                               DoubtUnresolved, OwnerSeen, Broke, StopRequested, Stalled, Tick>;
struct Event {
  std::int64_t now_ms = 0;
  EventBody body;
};

// -- Actions: what to do, in this order
// ---------------------------------------------------------------

/// Ask Kafka for latest offsets; with `discover`, for partitions and earliest offsets as well.
struct AskOffsets {
  bool discover = false;
  std::vector<TopicPartition> tps;  ///< known ones
  std::set<std::string> topics{};   ///< asked for by name though they may not be listed
};
/// Resolve where these partitions begin and write that to the ledger; once, what fails is said.
struct EnterPartitions {
  std::vector<TopicPartition> at_start;     ///< whole topics: where the configuration says
  std::vector<TopicPartition> at_earliest;  ///< partitions that appeared later
  bool batches = false;                     ///< ~batches, at 0: Kafka is not asked
};
/// Make the batch durable before doing anything that follows (P4).
struct PersistPlan {
  Batch batch;
};
/// Tasks of one batch, for one transaction, in ascending order of their partitions.
struct StartTasks {
  std::vector<Task> tasks;
  std::size_t executor = 0;  ///< which is to do it, of DriverOptions::executors
  /// Of `tasks`: another executor had them before, and has no use for what it fetched of them.
  std::vector<std::pair<TopicPartition, std::size_t>> leave{};
};
/// The group as it was started.
struct ResolveDoubt {
  std::vector<Task> tasks;
};
struct ForgetBatch {
  BatchTime time;
};
/// No task is running: fence again and read what the ledger has.
struct TakeOver {};
struct ShowProgress {
  TopicPartition tp;
  Offset until = 0;
};
enum class NoticeLevel : std::uint8_t { detail, info, warning };
/// For people.
struct Notice {
  NoticeLevel level = NoticeLevel::info;
  std::string text;
};
/// Return from run(); without an error all is well. Running tasks are abandoned.
struct Finish {
  std::optional<Error> error;
};

using Action = std::variant<AskOffsets, EnterPartitions, PersistPlan, StartTasks, ResolveDoubt,
                            ForgetBatch, TakeOver, ShowProgress, Notice, Finish>;

// -- State
// ---------------------------------------------------------------------------------------------

/// Where a planned range is on its way.
enum class Stage : std::uint8_t {
  planned,    ///< waits for the range before it, or for its back-off
  running,    ///< an executor has it
  in_doubt,   ///< its commit's reply or its records were lost; the ledger is not asked yet, or the
              ///< range waits for its back-off
  resolving,  ///< the ledger is being asked
};

/// Records of a range are gone, as Kafka says; believed once the ledger says that the range is
/// ours.
struct Loss {
  Error error;
  LogBounds bounds;
};

struct QueuedRange {
  BatchTime time;
  PlannedRange planned;
  Stage stage = Stage::planned;
  bool isolate = false;
  bool last_resort = false;  ///< isolating, and beyond: see Task
  bool alone = false;        ///< it shares no transaction: one that it shared failed
  bool given_up = false;     ///< a commit of it was in doubt, and was not found in the ledger
  bool fixed = false;        ///< of a PendingBatch: done as it is, or not at all
  bool whole = false;        ///< likewise, or skip_batch: it does not become shorter with its log
  std::optional<Loss> loss{};
  std::optional<Error> doubt{};  ///< by what its commit came into doubt; absent: it is in none
  int failures = 0;              ///< in a row, of every kind
  int counted_failures = 0;      ///< in a row, without `unavailable`
  int woken_at = 0;              ///< failures when others' success ended its wait, the last time
  std::int64_t not_before_ms = 0;
  std::int64_t denied_since_ms = -1;  ///< Kafka denies what it had: a login, a topic
  std::optional<Cause> waits_for{};   ///< the outage of which server it failed by, the last time
};

/// Invariant: the queue's ranges join up: they begin at `committed` and end at `position`
/// (P1); only its head is ever beyond Stage::planned (P6).
struct PartitionState {
  bool subscribed = false;  ///< seen by the last discovery; others keep their ledger row and rest
  bool seen = false;        ///< by a discovery of this process
  Offset committed = 0;
  Offset position = 0;  ///< the next range begins here
  std::optional<RecordMark> last;
  std::optional<BatchTime> moved_by;  ///< batch time of the move to `committed`, where it is known
  std::optional<Offset> latest;
  std::optional<Offset> earliest;
  std::optional<Offset> stop;  ///< once: go no further
  Offset seen_end = 0;         ///< the highest end of this log that Kafka told
  bool vouched = false;  ///< the log once reached to `committed`: a record before it was committed
  bool silent = false;   ///< Kafka did not say where it ends, the last time
  bool gone_told = false;            ///< that Kafka has no such partition
  std::int64_t below_since_ms = -1;  ///< since when Kafka's end has been below what it was
  std::int64_t gone_since_ms =
      -1;  ///< since when Kafka has not listed it, though records are unread
  std::int64_t denied_since_ms = -1;  ///< since when this login may not see it
  std::int64_t stands_since_ms = 0;   ///< when `committed` was last moved or read
  bool recheck = false;               ///< the log looked suspicious: compare before the next range
  int apart = 0;  ///< so many ranges more that share no transaction: it held others up
  std::optional<std::size_t> place;     ///< among all partitions, in the order of their first tasks
  std::optional<std::size_t> executor;  ///< that had its last task
  std::deque<QueuedRange> queue;
};

/// A partition that the ledger does not know yet.
struct Entering {
  bool at_start = false;  ///< where the configuration says; else at its earliest record
  bool asked = false;
};

struct BatchState {
  std::size_t open = 0;  ///< ranges not done
  std::int64_t planned_ms = 0;
  std::int64_t started_ms = -1;
  /// Why it is to be given up, as soon as none of its ranges is under way; until then none starts.
  std::optional<std::string> to_give_up{};
};

enum class Phase : std::uint8_t {
  taking_over,  ///< waits for TookOver
  running,
  draining,  ///< the ledger went back: running tasks end, then the output is taken over again
  stopping,  ///< running tasks end, then Finish
  finished,
};

struct Totals {
  std::uint64_t offsets = 0;    ///< done since the start
  std::uint64_t lost = 0;       ///< offsets, recorded as lost
  std::uint64_t uncounted = 0;  ///< offsets whose commit's answer was lost, and the counts with it
  std::uint64_t batches = 0;
  std::uint64_t given_up = 0;  ///< batches of which nothing more was stored (skip_batch)
  std::map<ErrorKind, std::uint64_t> retries;  ///< by the kind of the failure
};

struct DriverState {
  explicit DriverState(DriverOptions driver_options);

  DriverOptions options;
  Phase phase = Phase::taking_over;
  std::int64_t epoch = 0;
  bool discovered = false;  ///< partitions were listed since the last take-over
  BatchTime last_time;
  std::map<TopicPartition, PartitionState> partitions;
  std::map<BatchTime, BatchState> batches;
  /// Tasks that are under way or in doubt, as they share a transaction: the partitions of each.
  std::map<TaskId, std::vector<TopicPartition>> groups;
  std::size_t places = 0;  ///< dealt out to partitions
  Gathering gathering;
  std::map<TopicPartition, Entering> entering;
  std::int64_t next_enter_ms = 0;
  std::int64_t enter_failing_since_ms = -1;
  int enter_failures = 0;

  bool asking = false;  ///< an AskOffsets is not answered
  std::int64_t next_ask_ms = 0;
  std::int64_t next_discovery_ms = 0;
  bool offsets_known = false;  ///< Kafka has answered once
  bool stops_known = false;    ///< once: the stop offsets are set
  std::int64_t stops_wanted_since_ms = -1;
  bool silence_untold = false;  ///< partitions became silent, and nobody was told
  std::int64_t silence_told_ms = -1;
  std::int64_t source_failing_since_ms = -1;
  std::int64_t source_denied_since_ms = -1;  ///< it answers, and denies what it had
  int source_failures = 0;
  std::int64_t answered_ms = -1;  ///< when the last question was, or failed
  int taken_anew = 0;             ///< since the last commit, because the ledger had gone back
  std::int64_t take_over_at_ms = 0;
  bool taken_again = false;  ///< since the last commit, because the ledger stood where none left it
  Outage silence_of_kafka;   ///< its questions are not answered
  std::map<Cause, Outage> outages;  ///< of the servers that tasks failed by

  RateEstimator rate;
  std::int64_t busy_since_ms = -1;  ///< since when ranges have been outstanding, or the last sample
  std::int64_t records_since_sample = 0;
  double mean_record_bytes = 0;

  Totals totals;
};

/// The one way the state changes: the events are applied in turn, then whatever the new state
/// allows is done, once. With thousands of partitions that looks at each of them, so events that
/// arrived together are better handed over together.
std::vector<Action> step(DriverState& state, std::span<const Event> events);
std::vector<Action> step(DriverState& state, const Event& event);

/// When a Tick is due if nothing else happens.
std::int64_t next_wake_ms(const DriverState& state);

/// Offsets between what is committed and the ends known (or the stop offsets).
std::int64_t lag(const DriverState& state);

bool caught_up(const DriverState& state);

/// What does not hold of the state that holds after every step; nothing if all does. Looks at
/// everything: for tests and debug builds.
std::optional<std::string> verify(const DriverState& state);

}  // namespace semel::core
