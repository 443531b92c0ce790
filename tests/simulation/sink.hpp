// A transactional sink of values: owner row, progress, history and rows, moved by the same
// rules as connectors/postgres follows (protocol, sections 1 to 3), with each rule removable, so
// that the checks can be seen to fail.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>
#include <semel/types.hpp>

namespace semel::simulation {

/// Rules taken out of the sink or the engine, one at a time.
struct Bugs {
  bool commit_without_guard = false;    ///< nothing moved, and COMMIT follows all the same
  bool guard_without_owner = false;     ///< epoch and position are compared, the UUID is not
  bool guard_without_position = false;  ///< epoch and UUID are compared, `until` is not
  bool guard_without_time = false;      ///< all but the batch time of the move before
  bool one_row_fewer = false;           ///< of several ranges, one may be refused
  bool read_before_fence = false;       ///< the take-over reads the ledger, then raises the epoch
  bool enter_without_fence = false;     ///< a partition is entered whoever owns the output
  bool rows_apart = false;              ///< rows in one transaction, the ledger in the next
  bool plan_not_synced = false;         ///< the plan log is written without a sync
  bool doubt_is_failure = false;  ///< a lost reply counts as "not committed", and goes unguarded
  bool doubt_is_success = false;  ///< a lost reply counts as "committed"
};

/// A record's place for ever: (partition, generation, offset).
struct Place {
  TopicPartition tp;
  int generation = 0;
  Offset offset = 0;
  auto operator<=>(const Place&) const = default;
};

/// What a commit would write.
struct Transaction {
  struct Part {
    Task task;
    RangeEnd end;
    std::vector<Place> rows;
    std::vector<Place> dead_letters;  ///< set aside, and stored once as well
    int generation = 0;               ///< of the log that the ledger stands in afterwards
  };
  std::string owner;
  std::vector<Part> parts;  ///< one for each task
};

struct Start {
  Progress progress;
  int generation = 0;
  bool latest = false;  ///< resolved so
};

class Sink {
 public:
  explicit Sink(const Bugs& bugs) : bugs_(bugs) {}
  /// A batch is one fact: no other transaction may have a range of it.
  void demand_whole_batches() { whole_batches_ = true; }
  /// Each transaction that reads something, or lets time go on, moves ~batches to its time.
  void demand_counted_batches() { counted_batches_ = true; }

  /// Raises the epoch, writes the owner into every row.
  void fence(const std::string& owner);
  /// Ends the sessions of all other owners: what they still have under way is rolled back.
  /// Whether somebody else has fenced since `owner` did first, in whatever history.
  bool was_fenced(const std::string& owner) const;
  void end_others(const std::string& owner);
  TakenOver read(const std::string& reader);

  CommitResult commit(const Transaction& transaction, bool guarded = true);
  /// A final message whose client has gone away: it may still be executed, later.
  void leave(Transaction transaction) { adrift_.push_back(std::move(transaction)); }
  bool anything_adrift() const { return !adrift_.empty(); }
  void execute_adrift(std::size_t index);
  /// Another output has committed this, if the guard lets it; this one has not. Nothing else may
  /// be committed before it, until somebody mends that by hand.
  void commit_elsewhere(const Transaction& transaction);
  void forget_ahead() { ahead_.reset(); }
  void end_session(const std::string& owner, const std::vector<Task>& tasks);

  /// False: refused, another owner has taken over.
  bool enter(const std::string& owner, std::int64_t epoch, const std::vector<Start>& starts);
  /// What an operator does with `semel offsets FILE set`.
  void set(const TopicPartition& tp, Offset until, int generation);
  LedgerEntry entry(const TopicPartition& tp) const;
  std::int64_t epoch() const { return state_.epoch; }
  const std::string& owner() const { return state_.owner; }
  const Progress* progress(const TopicPartition& tp) const;
  /// Which log of that name the ledger's position is of: known to nobody but the simulation.
  int generation(const TopicPartition& tp) const;

  /// The replica catches up; and takes over: what it had not seen never happened.
  void replicate() { replica_ = state_; }
  void fail_over();
  int incarnation() const { return incarnation_; }

  const std::vector<Move>& history() const { return state_.history; }
  std::vector<Progress> all_progress() const;
  int stored(const Place& place) const;

 private:
  struct Row {
    Progress progress;
    std::int64_t epoch = 0;
    std::string owner;
    int generation = 0;
  };
  struct State {
    std::int64_t epoch = -1;
    std::string owner;
    std::map<TopicPartition, Row> ledger;
    std::vector<Move> history;
    std::map<Place, int> rows;  ///< and dead letters
    std::map<BatchTime, int> transactions;
  };

  bool allows(const Task& task, const std::string& owner) const;
  bool is_ahead(const Transaction& transaction) const;
  void check_counted(const Transaction& transaction) const;
  void move(const Transaction& transaction, const Transaction::Part& part);
  void store(const Transaction& transaction);

  Bugs bugs_;
  bool whole_batches_ = false;
  bool counted_batches_ = false;
  std::optional<PendingBatch> ahead_;
  State state_;
  State replica_;
  std::vector<Transaction> adrift_;
  std::vector<std::string> fences_;  ///< who, in order; no failover undoes it
  std::string reader_;  ///< who read the ledger last after fencing: nobody else may commit now
  int incarnation_ = 0;
};

}  // namespace semel::simulation
