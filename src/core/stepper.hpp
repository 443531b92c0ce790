// The inside of step(): events being applied to the state. Private to src/core.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/driver.hpp"

namespace semel::core {

/// Whether the first range of the partition may be handed out, its back-off aside.
bool may_start(const PartitionState& partition);

/// Of a batch that is to be given up.
bool is_condemned(const DriverState& state, const QueuedRange& range);

/// When the next group may start, or the next doubt be resolved; far away where none waits.
std::int64_t next_start_ms(const DriverState& state);

/// Kafka does not say enough of it, or denies it: nothing of it is planned or begun.
bool rests(const PartitionState& partition);

/// Whether it may be asked where this partition, which is not in the ledger yet, begins.
bool may_enter(const DriverState& state, const TopicPartition& tp);

class Stepper {
 public:
  explicit Stepper(DriverState& state) : s_(state) {}

  void apply(const Event& event);
  /// After the events: whatever the new state allows is done.
  void pump();
  std::vector<Action> take() { return std::move(actions_); }

 private:
  // Ownership and stopping (driver.cpp)
  void on(const TookOver& event);
  void on(const OwnerSeen& event);
  void on(const Broke& event);
  void on(const StopRequested&);
  void on(const Stalled&);
  void on(const Tick&) {}
  // What Kafka has (driver_offsets.cpp)
  void on(const OffsetsSeen& event);
  void on(const OffsetsFailed& event);
  void on(const Entered& event);
  void on(const EnterFailed& event);
  // What became of tasks (driver_tasks.cpp)
  void on(const TaskCommitted& event);
  void on(const TaskRefused& event);
  void on(const TaskFailed& event);
  void on(const DoubtResolved& event);
  void on(const DoubtUnresolved& event);

  // driver.cpp
  void finish(std::optional<Error> error);
  void fenced(const LedgerEntry& ledger);
  /// Nothing of the partition is planned, and the ledger has this of it.
  void stand_at(PartitionState& partition, const Progress& progress);
  void went_back(const std::string& why);
  /// Running tasks end, then the output is taken over again.
  void drain(const std::string& why);
  bool any_running() const;
  bool counts() const { return s_.options.clock != BatchClock::none; }
  /// ~batches; nullptr: it is not in the ledger yet, or there is none.
  const PartitionState* clock() const;
  /// once: where to stop in the partition; nothing where that is not known yet.
  std::optional<Offset> stop_of(const TopicPartition& tp, const PartitionState& partition) const;
  /// once: all that was there at the start is stored.
  bool at_stops() const;
  bool once_done() const;
  void notice(bool warning, std::string text) {
    actions_.push_back(Notice{warning ? NoticeLevel::warning : NoticeLevel::info, std::move(text)});
  }
  void tell_outage(Outage& outage, const std::string& why);

  // driver_offsets.cpp
  void discovered(const OffsetsSeen& event);
  void see_silence(const OffsetsSeen& event);
  void tell_silence(const OffsetsSeen& event);
  void see_ends(const OffsetsSeen& event);
  void see_end(const TopicPartition& tp, PartitionState& partition, Offset end);
  void drop_beyond(PartitionState& partition, Offset end);
  void ends_lower(const TopicPartition& tp, PartitionState& partition, Offset end);
  void set_stops();
  void discover_soon();
  void enter_if_due();
  void ask_if_due();

  // driver_plan.cpp
  /// Batches that another process planned, or that somebody else has begun.
  void recover(const TookOver& event);
  void do_first(const PendingBatch& pending, std::span<const Batch> recovered);
  bool goes_on_from_ledger(const Batch& batch) const;
  void plan();
  std::vector<Plannable> plannable() const;
  /// Nothing can be planned: ~batches is not in the ledger yet, or as many batches are as make
  /// sense.
  bool clock_waits() const;
  /// A batch without records is due.
  bool tick_due() const;
  void add_batch(Batch batch);
  void queue_up(const Batch& batch, bool fixed);
  bool nothing_read() const;
  std::size_t depth() const;

  // driver_gone.cpp
  void listed(const TopicPartition& tp, PartitionState& partition);
  void denied(const TopicPartition& tp, PartitionState& partition, const std::string& why);
  void missing(const TopicPartition& tp, PartitionState& partition, bool has_topic);
  void gone(const TopicPartition& tp, const std::string& why);

  // driver_groups.cpp: tasks that share a transaction
  /// A task that is under way: the head of its partition's queue.
  struct Member {
    PartitionState* partition = nullptr;
    QueuedRange* range = nullptr;
  };
  /// The group is no more; none where there is no such group (any more).
  std::vector<Member> end_group(const TaskId& id);
  void form_group(std::vector<TopicPartition> tps, Stage stage);
  void resolve_doubts();
  void start_ready();
  void start_group(const std::vector<TopicPartition>& tps);
  bool may_share(const PartitionState& partition) const;
  Load load_of(const PlannedRange& planned) const;
  /// It may start at once: it was not to blame.
  void released(QueuedRange& range) const;
  void bad_data(std::span<const Member> group, const TaskFailed& event);
  void source_failed(std::span<const Member> group, const TaskFailed& event);

  // driver_tasks.cpp
  /// How many offsets.
  std::uint64_t range_done(PartitionState& partition);
  void close_range(BatchTime time);
  /// False: what another output has already cannot be dropped, and all ends.
  bool drop_queue(PartitionState& partition);
  bool may_drop(const QueuedRange& range);
  void sample_rate(const BatchState& batch);
  void by_verdict(const Member& member, const LedgerEntry& ledger);
  /// A transaction was in doubt, and the ledger says different things of its ranges.
  void disagree(std::span<const Member> group, const std::vector<LedgerEntry>& entries,
                const std::vector<Verdict>& verdicts);
  void not_committed(std::span<const Member> group);
  void broken(QueuedRange& range, const LedgerEntry& ledger);
  /// One attempt of all of them failed.
  void failed(std::span<const Member> group, const Error& error, double jitter);
  void tell_ends_of_outages(const OffsetRange& done);
  void wake_early(QueuedRange& range) const;
  Task task_of(const PartitionState& partition) const;

  // driver_lost.cpp: records that are gone
  void lost(const TopicPartition& tp, const Error& error, const LogBounds& bounds);
  /// Where the log goes on, after a loss.
  void see_bounds(PartitionState& partition, Offset until, const LogBounds& bounds) const;
  /// skip_batch: of ranges that are planned.
  void lost_in_batch(const TopicPartition& tp, const Error& error, const LogBounds& bounds);
  void cut_off(const TopicPartition& tp, PartitionState& partition, Offset end);
  void condemn(BatchTime time, const std::string& why);
  void skip_what_is_gone();
  void give_up_batches();
  void give_up(BatchTime time, const std::string& why);
  void leave_clock(BatchTime time);
  Batch queued(BatchTime time) const;
  void drop_behind(PartitionState& partition, std::size_t kept);
  /// With which losses are skipped.
  std::string skipping() const;

  DriverState& s_;
  std::int64_t now_ = 0;  ///< of the event that was applied last
  std::vector<Action> actions_;
};

}  // namespace semel::core
