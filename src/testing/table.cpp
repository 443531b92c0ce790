#include "testing/table.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace semel::testing {

namespace {

std::optional<std::string> text_of(const std::optional<std::string_view>& bytes) {
  return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
}

Row row_of(const TopicPartition& tp, const Record& record) {
  return {.tp = tp,
          .offset = record.offset,
          .timestamp_ms = record.timestamp_ms,
          .key = text_of(record.key),
          .value = text_of(record.value)};
}

template <class T>
void append(std::vector<T>& all, std::vector<T> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

class TableSession final : public SinkSession {
 public:
  TableSession(Table& table, std::string owner, Moments& moments)
      : table_(table), owner_(std::move(owner)), moments_(moments) {}

  void warm_up() noexcept override {}

  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    now_ = {{tasks.begin(), tasks.end()}, {}, {}, {}, std::vector<Committed>(tasks.size())};
    moments_.pass(Place::began);
    return std::optional<Refused>();
  }
  Result<void> write(std::size_t task, std::span<const Record> records) override {
    for (const auto& record : records) {
      now_.rows.push_back(row_of(now_.tasks[task].range.tp, record));
    }
    now_.counts[task].rows += records.size();
    return {};
  }
  Result<void> set_aside(std::size_t task, const Record& record,
                         const Objection& objection) override {
    now_.dead_letters.push_back(
        {row_of(now_.tasks[task].range.tp, record), std::string(objection.reason)});
    ++now_.counts[task].dead_letters;
    ++now_.counts[task].dead_letter_codes[std::string(objection.code)];
    return {};
  }
  Result<void> change_state(const StateChange& change) override {
    now_.state.emplace(change);
    return {};
  }
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    moments_.once(Place::wrote_rows);
    const auto trouble = moments_.commit();
    auto done = std::exchange(now_, {});
    if (trouble == Trouble::unavailable) return failed(ErrorKind::unavailable);
    if (trouble == Trouble::lost_request) return failed(ErrorKind::in_doubt);
    if (const auto refused = table_.ledger.refused(done.tasks, owner_)) {
      return Refused{table_.ledger.entry(done.tasks[*refused].range.tp), *refused};
    }
    table_.ledger.move(done.tasks, ends);
    if (done.state) table_.state.apply(*done.state);
    append(table_.rows, std::move(done.rows));
    append(table_.dead_letters, std::move(done.dead_letters));
    if (trouble == Trouble::lost_reply) return failed(ErrorKind::in_doubt);
    moments_.pass(Place::committed_output);
    return std::move(done.counts);
  }
  void abort() noexcept override { now_ = {}; }

 private:
  static tl::unexpected<Error> failed(ErrorKind kind) {
    return fail(kind, Cause::sink, "the commit fails, as the trial was told");
  }

  struct Transaction {
    std::vector<Task> tasks;
    std::vector<Row> rows;
    std::vector<DeadLetter> dead_letters;
    std::optional<MemoryChange> state;  ///< absent: it does not change
    std::vector<Committed> counts;      ///< of each task
  };

  Table& table_;
  std::string owner_;
  Moments& moments_;
  Transaction now_;
};

class TableSink final : public Sink {
 public:
  TableSink(Table& table, std::string owner, Moments& moments)
      : table_(table), owner_(std::move(owner)), moments_(moments) {}

  Guarantee guarantee() const override { return Guarantee::transactional; }
  std::int64_t patience_ms() const override { return 0; }

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    epoch_ = table_.ledger.fence(owner_);
    return TakenOver{.epoch = epoch_,
                     .progress = table_.ledger.progress(),
                     .highest_batch_time = table_.ledger.highest(),
                     .cluster_id = cluster_id,
                     .previous_owner = {},
                     .notes = {}};
  }
  Result<EnterResult> enter(std::span<const Progress> starts) override {
    if (!table_.ledger.enter(owner_, epoch_, starts)) {
      return Refused{table_.ledger.entry(starts.front().tp), 0};
    }
    moments_.pass(Place::entered_partitions);
    std::vector<Progress> all;
    for (const auto& start : starts) all.push_back(*table_.ledger.progress(start.tp));
    return all;
  }
  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    std::vector<LedgerEntry> entries;
    for (const auto& task : tasks) entries.push_back(table_.ledger.entry(task.range.tp));
    return entries;
  }
  Result<Alive> keep_alive() override {
    return Alive{table_.ledger.entry({}), table_.ledger.progress()};
  }
  Result<bool> trim() override { return false; }
  Result<std::unique_ptr<SinkSession>> open_session() override {
    return std::make_unique<TableSession>(table_, owner_, moments_);
  }
  bool become_home() noexcept override { return true; }
  Result<StateRead> read_state(const StateVersion& since, const SeeState& see) override {
    return table_.state.read(since, see);
  }
  void leave(const std::optional<std::string>&) noexcept override {}
  void interrupt() noexcept override {}

 private:
  Table& table_;
  std::string owner_;
  Moments& moments_;
  std::int64_t epoch_ = 0;
};

}  // namespace

std::unique_ptr<Sink> sink_of(Table& table, const std::string& owner, Moments& moments) {
  return std::make_unique<TableSink>(table, owner, moments);
}

}  // namespace semel::testing
