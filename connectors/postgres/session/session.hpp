// One executor's session: encodes records, streams them, and ends the transaction with the guard.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/sink.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/ledger/state_rows.hpp"
#include "postgres/rows/bad_record.hpp"
#include "postgres/rows/dead_letters.hpp"
#include "postgres/rows/held_records.hpp"
#include "postgres/rows/isolate.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/session/shared.hpp"
#include "postgres/session/tables.hpp"
#include "postgres/table/guard.hpp"
#include "record/bad_tally.hpp"
#include "record/record_order.hpp"

namespace semel::postgres {

class Session final : public SinkSession {
 public:
  explicit Session(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)), tables_(shared_->options) {}
  ~Session() override { abort(); }

  void warm_up() noexcept override;
  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override;
  Result<void> write(std::size_t task, std::span<const Record> records) override;
  Result<void> set_aside(std::size_t task, const Record& record,
                         const Objection& objection) override;
  Result<void> change_state(const StateChange& change) override;
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override;
  void abort() noexcept override;

 private:
  /// A task, and what came of its records.
  struct Part {
    Task task;
    record::BadTally tally{code_name};
    Committed counts{};
  };

  // session.cpp: from nothing to an open transaction
  Result<void> connect(SessionPool::Wish wish);
  /// Others may have the connection until the next task.
  void leave_connection() noexcept;
  /// To the log: what is waited for, and who holds it.
  void tell_silence(std::chrono::milliseconds waited) const;
  /// Leaves the transaction, or gives the connection up.
  void drop() noexcept;
  Result<void> describe();
  void forget_missing();
  Result<std::unique_ptr<OpenTable>> describe_on(Connection& connection,
                                                 const Tables::Wanted& wanted);
  Result<std::unique_ptr<OpenTable>> describe_apart(const Tables::Wanted& wanted);
  Result<void> ready_guard();
  Result<std::optional<Refused>> begin_tasks();
  /// The first of the tasks that the ledger does not allow any more.
  Result<std::optional<Refused>> first_refused();
  /// Opens it where it is not open, and (unless the rows are not wanted any more) the COPY of those
  /// that wait for it.
  enum class Opening : std::uint8_t { with_rows, without_rows };
  Result<void> open_transaction(Opening opening = Opening::with_rows);
  std::string opening_message() const;

  // session_tables.cpp: the tables of a transaction
  /// Which tables a record is for: they are ready for its rows afterwards.
  Result<Fate> choose(const Record& record);
  Result<void> use(OpenTable& table);
  /// What a transaction needs before rows come: a temporary table, and defaults.
  std::string preparing(OpenTable& table);
  void take_defaults(OpenTable& table, const Rows& row);
  /// Rows that wait, table by table as their rules stand.
  Reply flush_rows();
  Reply finish_rows_of_tables(RowStream::End end = RowStream::End::of_rows);
  /// Records whose rows were stored, as far as the server says.
  std::uint64_t stored() const;
  /// Tables and columns that the records need and semel may make. Fails where there were some: the
  /// range is read again.
  Result<void> make_tables();
  bool stages() const;
  std::vector<const Table*> used_tables() const;
  void forget_tables();

  // session_rows.cpp: records into rows and dead letters
  Result<void> move_to_part(std::size_t task);
  void count_unknown();
  /// The rows of a record into `into`, or where there is none into the buffers of their tables.
  Result<Fate> encode(const Record& record, std::string* into);
  Result<Fate> encode_placed(const Record& record, std::size_t number);
  Result<void> place_rows();
  Result<void> write_streaming(std::span<const Record> records);
  Result<void> write_isolating(std::span<const Record> records);
  /// The rows of the range are kept until its end: what refuses them speaks only there.
  /// The server says of each part by itself how many rows it stored.
  bool counts_parts() const { return shared_->suppresses || stages(); }
  bool holds() const { return holds_for_ == parts_.front().task.range || task().last_resort; }
  Result<void> hold(std::span<const Record> records);
  Result<void> store_held();
  IsolatingWriter::OnRefused into(std::vector<std::optional<BadRecord>>& bad);
  /// Counts them in offset order, and sets the bad ones aside. `part_of`: whose each is; empty
  /// where all are of the part whose records come.
  Result<void> sort_out(std::size_t count, const std::function<Record(std::size_t)>& record,
                        const std::vector<bool>& is_row,
                        const std::vector<std::optional<BadRecord>>& bad,
                        std::span<const std::size_t> part_of);
  void name_column(BadRecord& bad, const ServerError& error, const Table& table);
  Result<void> ask_deferred();
  Result<void> refuse(const Record& record, const BadRecord& bad);
  Result<void> send_dead_letters();
  Result<void> send_state();
  /// The records of the next task come, or none any more.
  Result<void> end_part();
  Result<void> begin_part(std::size_t task);
  Result<void> finish_rows();
  Result<void> count_suppressed();

  // session_commit.cpp: the end of it
  Result<CommitResult> commit_all(std::span<const RangeEnd> ends);
  Result<CommitResult> commit_rows_first(const RangeEnd& end);
  Result<CommitResult> commit_rows_last(const RangeEnd& end);
  Result<CommitResult> commit_guarded(const std::string& message);
  Error guard_is_gone();
  Result<std::optional<Refused>> advance_first(const Task& task);
  Result<std::optional<Refused>> too_many_bad(const Part& part);
  Result<Refused> refusal();
  Result<void> table_is_unchanged();
  void resolved();
  Advance advance(const Part& part, const std::optional<RecordMark>& last) const;
  CommitResult all_counts() const;

  /// The task failed: rolls back, and says what the caller may do about it.
  Error failure(const Reply& reply, const std::string& doing);
  /// The same for what stood between BEGIN and the guard: it may be one row's fault, whatever its
  /// code.
  Error rows_failed(const Reply& reply);
  Error deferred_failed(const Reply& reply);
  Error unhunted(const Unhunted& found, Offset offset);
  Error rolled_back(Error error);
  /// Its columns are read again; another try is all that is needed.
  Error table_changed();
  bool isolates() const { return task().isolate || delivery() == Delivery::at_most_once; }
  Delivery delivery() const {
    return task().kind == TaskKind::load ? shared_->options.delivery : Delivery::exactly_once;
  }
  std::string doing(std::string_view what) const;
  std::string table_name() const;
  Part& part() { return parts_[at_]; }
  const Task& task() const { return parts_[at_].task; }
  std::vector<Task> tasks() const;
  /// In words: the ranges of the transaction.
  std::string ranges() const;

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Connection> connection_;  ///< while a task runs
  std::uint64_t connection_id_ = 0;         ///< of that or the one before
  int old_backend_ = 0;  ///< of a session that was given up inside a transaction; 0: none

  Tables tables_;
  std::vector<OpenTable*> used_;         ///< of the transaction, as their rules stand
  std::uint64_t task_ = 0;               ///< how many were begun
  std::unique_ptr<Connection> looking_;  ///< at tables that records name, while a task runs
  std::vector<std::pair<std::size_t, std::string>> wanted_;  ///< rule and name: for the next one
  std::chrono::steady_clock::time_point look_again_;         ///< for tables that were not there
  bool missed_ = false;  ///< something that a new description spoke of, since a commit

  bool pooled_ = false;       ///< a proxy deals the server's sessions out: the next may be another
  bool may_prepare_ = false;  ///< on this connection
  std::string prepared_;      ///< the guards that are prepared on this connection; empty: none
  bool wants_batch_guard_ = false;    ///< several tasks were begun at once
  std::string guarded_;               ///< the statement behind guard_
  std::optional<std::string> guard_;  ///< its name, where it is the current table's

  std::vector<Part> parts_;          ///< of the transaction; empty: none was begun
  std::size_t at_ = 0;               ///< the one whose records come
  std::uint64_t stored_before_ = 0;  ///< rows, by the parts before it, where that is counted
  bool in_transaction_ = false;
  bool not_ours_ = false;  ///< BEGIN's answer said that another process owns the output
  std::optional<IsolatingWriter> isolating_;
  record::RecordOrder order_;
  DeadLetters dead_letters_;
  StateRows state_;                ///< as the transaction changes them
  std::string encoded_;            ///< of isolating: rows
  std::vector<PlacedRow> placed_;  ///< likewise
  HeldRecords held_;
  std::optional<OffsetRange> holds_for_;                   ///< deferred constraints refused it
  std::map<std::string, std::string> constraint_columns_;  ///< by query
};

}  // namespace semel::postgres
