// One transaction after the other: a task, or several of a batch, as one fact.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <semel/sink.hpp>

#include "record/record_order.hpp"
#include "store/shared.hpp"
#include "store/spool.hpp"
#include "store/state.hpp"

namespace semel::store {

class Session final : public SinkSession {
 public:
  explicit Session(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  void warm_up() noexcept override;
  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override;
  Result<void> write(std::size_t task, std::span<const Record> records) override;
  Result<void> set_aside(std::size_t task, const Record& record,
                         const Objection& objection) override;
  Result<void> change_state(const StateChange& change) override;
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override;
  void abort() noexcept override;

 private:
  /// What becomes of one task's records.
  struct Part {
    Task task;
    Committed counts;
    record::BadTally tally;
  };

  Result<void> connect();
  Result<std::optional<Refused>> first_refused();
  Result<CommitResult> not_committed(const Error& error);
  Result<CommitResult> commit_all(std::span<const RangeEnd> ends);
  Result<void> table_fits();
  Result<void> put_all(std::span<const RangeEnd> ends);
  void count(Part& part);
  /// `bad`: it is set aside, and why; null: it is not.
  Result<void> take(std::size_t task, const Record& record, const record::BadRecord* bad);
  Result<void> put(std::size_t task, const Record& record, const record::BadRecord* bad);
  Result<void> blame(Part& part, const Record& record, const record::BadRecord& bad);
  Result<void> clear_of_the_table();
  Result<void> refuse(Part& part, const Record& record, const record::BadRecord& bad);
  Result<void> move(const Part& part, const RangeEnd& end);
  void committed();

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Store> store_;
  std::optional<Loader> loader_;  ///< goes before the store
  std::vector<Part> parts_;       ///< of the transaction, in the order of its tasks
  record::RecordOrder order_;
  Spool spool_;
  std::optional<KeptChange> state_;     ///< how the transaction changes it
  std::optional<std::size_t> putting_;  ///< the task whose rows are put
  /// What the table said to rows of the transaction, while it is the same to all of them.
  std::optional<record::BadRecord> refusal_;
  bool refusals_differ_ = false;
};

}  // namespace semel::store
