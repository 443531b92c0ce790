// A batch on its way through the stages into the outputs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/sink.hpp>
#include <semel/stream/run.hpp>

#include "stream/batch_state.hpp"
#include "stream/outputs.hpp"

namespace semel::stream {

/// Has its own copy of the pipeline's functions. Rows of records are written as they come, those of
/// the whole batch at its end, under ~batches.
class BatchSession final : public SinkSession {
 public:
  /// Fatal, Cause::program, where a function cannot be copied.
  static Result<std::unique_ptr<SinkSession>> open(Outputs& outputs);
  explicit BatchSession(Outputs& outputs);
  ~BatchSession() override;

  void warm_up() noexcept override;
  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override;
  Result<void> write(std::size_t task, std::span<const Record> records) override;
  Result<void> set_aside(std::size_t task, const Record& record,
                         const Objection& objection) override;
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override;
  void abort() noexcept override;

 private:
  struct Part {
    std::unique_ptr<SinkSession> session;
    bool lacks = true;  ///< the batch that has begun
    bool told_unknown = false;
  };

  /// What lacks the batch.
  std::vector<std::size_t> lacking() const;
  Result<void> connect(std::size_t output);
  const std::vector<std::size_t>& sources_of(const TopicPartition& tp);
  Result<void> begin_state();
  std::vector<OffsetRange> ranges() const;
  /// Where the batch leads the state, which of a batch without state is nowhere. The change is
  /// durable, where it has no home.
  Result<Led> prepare();
  Result<Led> lead();
  /// The output gets the state's change with the batch, where it is home.
  Result<void> give_state(std::size_t output, const Led& led);
  /// All outputs have the batch: so does the state.
  Result<void> apply(const Led& led);
  Result<std::vector<Committed>> commit_each(std::span<const RangeEnd> ends, const Led& led,
                                             std::optional<Refused>& refused);
  Result<void> finish();
  Result<void> pass_on(std::size_t task, std::span<const detail::Letter> letters);
  Result<void> write_batch_rows(std::span<const detail::Letter> letters);
  Result<void> write_rows(std::size_t output, std::size_t task, std::span<const Record> rows);
  Result<void> set_aside(std::size_t output, std::size_t task, const Record& record,
                         const detail::Letter& letter);
  void tell_lost(std::span<const detail::Letter> letters) const;
  void tell_unknown(std::size_t output, std::span<const Committed> counts);

  Outputs& outputs_;
  detail::Run run_;
  std::vector<Part> parts_;  ///< in the order of the outputs
  std::vector<Task> tasks_;
  std::vector<OffsetRange> inputs_;
  std::optional<BatchState> state_;
  bool rolling_forward_ = false;  ///< an output has the batch: it is computed again as what it was
  std::map<TopicPartition, std::vector<std::size_t>> sources_;  ///< as far as seen
};

}  // namespace semel::stream
