#include "console/sink.hpp"

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "console/lines.hpp"
#include "console/output.hpp"
#include "record/bad_tally.hpp"
#include "record/dead_letter_notice.hpp"
#include "record/record_order.hpp"

namespace semel::console {

namespace {

/// What its process knows of an output; nobody else does. Thread safe.
class Memory {
 public:
  explicit Memory(Owner owner) : owner_(std::move(owner)) {}

  std::int64_t raise_epoch() {
    const std::lock_guard lock(mutex_);
    return ++epoch_;
  }
  std::vector<Progress> positions() const {
    const std::lock_guard lock(mutex_);
    std::vector<Progress> all;
    for (const auto& [tp, at] : positions_) all.push_back(at);
    return all;
  }
  Progress enter(const Progress& start) {
    const std::lock_guard lock(mutex_);
    return positions_.emplace(start.tp, start).first->second;
  }
  LedgerEntry owner() const {
    const std::lock_guard lock(mutex_);
    return owner_entry();
  }
  LedgerEntry entry(const TopicPartition& tp) const {
    const std::lock_guard lock(mutex_);
    return entry_of(tp);
  }
  std::optional<Refused> refused(const Task& task) const {
    const std::lock_guard lock(mutex_);
    auto entry = entry_of(task.range.tp);
    if (allows(entry, task, owner_)) return std::nullopt;
    return Refused{std::move(entry)};
  }
  std::optional<Refused> move(const Task& task, const RangeEnd& end) {
    const std::lock_guard lock(mutex_);
    auto entry = entry_of(task.range.tp);
    if (!allows(entry, task, owner_)) return Refused{std::move(entry)};
    positions_[task.range.tp] = {task.range.tp, task.range.until, task.time, end.last};
    return std::nullopt;
  }

 private:
  LedgerEntry owner_entry() const {
    LedgerEntry entry;
    entry.epoch = epoch_;
    entry.owner = owner_.id;
    entry.owner_description = owner_.description;
    return entry;
  }
  LedgerEntry entry_of(const TopicPartition& tp) const {
    auto entry = owner_entry();
    const auto at = positions_.find(tp);
    if (at == positions_.end()) return entry;
    entry.until = at->second.until;
    entry.batch_time = at->second.batch_time;
    return entry;
  }

  Owner owner_;
  mutable std::mutex mutex_;
  std::int64_t epoch_ = 0;
  std::map<TopicPartition, Progress> positions_;
};

struct Shared {
  Options options;
  SinkContext context;
  Memory memory;
  StandardOutput out{context.log};
  record::DeadLetterNotice notice{};
};

class Session final : public SinkSession {
 public:
  explicit Session(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)), lines_(shared_->options.form, shared_->context.format) {}

  void warm_up() noexcept override {}

  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    abort();
    if (shared_->out.interrupted()) return interrupted();
    auto refused = shared_->memory.refused(tasks.front());
    // Asked before anything is printed: what is on the screen cannot be taken back.
    if (!refused) task_ = tasks.front();
    refused_ = refused;
    return tasks.front().isolate ? std::move(refused) : std::nullopt;
  }

  Result<void> write(std::size_t task, std::span<const Record> records) override {
    if (refused_ || !task_) return {};
    order_.written(task, records);
    text_.clear();
    for (const auto& record : records) {
      lines_.append(text_, task_->range.tp, record);
      ++counts_.rows;
    }
    return shared_->out.write(text_);
  }

  /// There is no place for it: it is counted, and told of.
  Result<void> set_aside(std::size_t task, const Record& record,
                         const Objection& objection) override {
    if (refused_ || !task_) return {};
    auto in_turn = order_.set_aside(task, task_->range, record.offset);
    if (in_turn) {
      bad_.bad(record.offset, record::bad_record_of(objection));
    } else {
      abort();
    }
    return in_turn;
  }

  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    if (shared_->out.interrupted()) return interrupted();
    if (!refused_) refused_ = shared_->memory.move(*task_, ends.front());
    counts_.dead_letters = bad_.count();
    counts_.dead_letter_codes = bad_.codes();
    if (!refused_) tell();
    auto result = refused_ ? CommitResult(*refused_) : CommitResult(std::vector{counts_});
    abort();
    return result;
  }

  void abort() noexcept override {
    task_.reset();
    refused_.reset();
    order_.start();
    bad_.start(0);
    counts_ = {};
  }

 private:
  void tell() {
    if (!bad_.first()) return;
    const auto notice = shared_->notice.of(task_->range, bad_.count(), *bad_.first(),
                                           "read the topic there, as the console keeps none",
                                           record::DeadLetterNotice::Clock::now());
    if (notice) shared_->context.log.warn("{}", *notice);
  }
  static tl::unexpected<Error> interrupted() {
    return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
  }

  std::shared_ptr<Shared> shared_;
  Lines lines_;
  std::string text_;
  std::optional<Task> task_;
  std::optional<Refused> refused_;
  record::RecordOrder order_;
  record::BadTally bad_;
  Committed counts_;
};

class ConsoleSink final : public Sink {
 public:
  explicit ConsoleSink(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  Guarantee guarantee() const override { return Guarantee::none; }
  /// Whoever reads may take a day for a page.
  std::int64_t patience_ms() const override {
    constexpr std::int64_t day = 86'400'000;
    return day;
  }
  Result<TakenOver> take_over(const std::string& /*cluster_id*/) override {
    TakenOver taken;
    taken.epoch = shared_->memory.raise_epoch();
    taken.progress = shared_->memory.positions();
    for (const auto& at : taken.progress) {
      taken.highest_batch_time = std::max(taken.highest_batch_time, at.batch_time);
    }
    return taken;
  }
  Result<EnterResult> enter(std::span<const Progress> starts) override {
    std::vector<Progress> all;
    for (const auto& start : starts) all.push_back(shared_->memory.enter(start));
    return all;
  }
  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    std::vector<LedgerEntry> all;
    for (const auto& task : tasks) all.push_back(shared_->memory.entry(task.range.tp));
    return all;
  }
  Result<Alive> keep_alive() override {
    if (shared_->out.interrupted()) {
      return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
    }
    return Alive{shared_->memory.owner(), shared_->memory.positions()};
  }
  Result<bool> trim() override { return false; }
  Result<std::unique_ptr<SinkSession>> open_session() override {
    return std::make_unique<Session>(shared_);
  }
  void leave(const std::optional<std::string>& /*failure*/) noexcept override {}
  void interrupt() noexcept override { shared_->out.interrupt(); }

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace

Result<std::unique_ptr<Sink>> make_sink(const Options& options, const SinkContext& context) {
  if (auto open = StandardOutput::is_open(); !open) return tl::unexpected(open.error());
  return std::make_unique<ConsoleSink>(
      std::shared_ptr<Shared>(new Shared{options, context, Memory(context.owner)}));
}

}  // namespace semel::console
