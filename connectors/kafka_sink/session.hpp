// One transaction after the other: a task, or several of a batch, as one fact.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <semel/sink.hpp>

#include "kafka_sink/dead_letter.hpp"
#include "kafka_sink/shared.hpp"
#include "record/record_order.hpp"
#include "store/spool.hpp"

namespace semel::kafka_sink {

class Session final : public SinkSession {
 public:
  Session(std::shared_ptr<Shared> shared, int slot) : shared_(std::move(shared)), slot_(slot) {}
  ~Session() override;

  void warm_up() noexcept override;
  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override;
  Result<void> write(std::size_t task, std::span<const Record> records) override;
  Result<void> set_aside(std::size_t task, const Record& record,
                         const Objection& objection) override;
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override;
  void abort() noexcept override;

 private:
  /// What becomes of one task's records.
  struct Part {
    Task task;
    Committed counts;
    record::BadTally tally;
  };
  /// By the number of the record in the transaction, from 1.
  using Refusals = std::map<std::uint64_t, record::BadRecord>;

  Result<std::optional<Refused>> open_transaction();
  std::optional<Refused> first_refused() const;
  Result<void> put(Part& part, const Record& record, std::uint64_t tag);
  Result<std::optional<record::BadRecord>> refusal(const Record& record);
  Result<void> refuse(Part& part, const Record& record, const record::BadRecord& bad);
  void start_tally(Part& part);
  void restart_counts();

  Result<void> put_isolating();
  Result<void> put_spooled(const Refusals& refused);
  Result<void> clear_of_the_topic(const Refusals& refused) const;

  Result<CommitResult> commit_all(std::span<const RangeEnd> ends);
  Rows rows_of(std::span<const RangeEnd> ends) const;
  void committed();
  /// The producer is of no use any more.
  tl::unexpected<Error> lost(Error error);
  /// What was not begun to be committed failed with `error`: of somebody who was fenced, commit()
  /// says by whom, and what comes until then is for nothing.
  Result<void> fenced_or(const Error& error);

  std::shared_ptr<Shared> shared_;
  int slot_;
  ProducerPtr producer_;  ///< of the transaction that is open; none: there is none
  bool fenced_ = false;   ///< there was one
  std::size_t target_ = 0;
  std::size_t dead_letters_ = 0;
  std::shared_ptr<const Limits> limits_;
  std::vector<Part> parts_;  ///< of the transaction, in the order of its tasks
  std::vector<Header> headers_;
  Origin origin_;
  record::RecordOrder order_;
  store::Spool spool_;  ///< where records are sent more than once
};

}  // namespace semel::kafka_sink
