#include "kafka_sink/sink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/clean_text.hpp"
#include "base/ledger_names.hpp"
#include "kafka_sink/control.hpp"
#include "kafka_sink/session.hpp"

namespace semel::kafka_sink {

namespace {

class KafkaSink final : public Sink {
 public:
  explicit KafkaSink(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)), control_(shared_) {}

  Guarantee guarantee() const override { return Guarantee::transactional; }

  std::int64_t patience_ms() const override {
    return std::max<std::int64_t>(shared_->options.transaction_timeout_ms, ending_ms) + ending_ms;
  }

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    const std::lock_guard lock(mutex_);
    auto taken = kafka_sink::take_over(*shared_, control_, cluster_id, shared_->stop);
    if (taken && taken->epoch > 0) {
      row_ = shared_->log.owner();
      epoch_ = taken->epoch;
      if (row_) row_->slots = shared_->slots.count();  // all others are fenced
    }
    return taken;
  }

  Result<EnterResult> enter(std::span<const Progress> starts) override {
    const std::lock_guard lock(mutex_);
    for (const auto& start : starts) {
      if (auto fine = is_no_loop(*shared_, start.tp); !fine) return tl::unexpected(fine.error());
    }
    if (auto read = shared_->log.refresh(shared_->stop); !read) return tl::unexpected(read.error());
    if (!is_ours()) return Refused{shared_->log.entry(nullptr), 0};
    Rows rows{.owner = row_};
    auto entered = places_of(starts, rows);
    rows.owner->seen_at = now_text();
    rows.owner->partitions =
        static_cast<std::int64_t>(shared_->log.positions().size() + rows.positions.size());
    auto written = rows.positions.empty() ? true : control_.write(rows, shared_->stop);
    if (!written) return tl::unexpected(written.error());
    if (!*written) return Refused{shared_->log.entry(nullptr), 0};
    row_ = rows.owner;
    return entered;
  }

  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    if (auto ended = end_doubt(); !ended) return tl::unexpected(ended.error());
    std::vector<LedgerEntry> entries;
    for (const auto& task : tasks) entries.push_back(shared_->log.entry(&task.range.tp));
    return entries;
  }

  Result<Alive> keep_alive() override {
    const std::lock_guard lock(mutex_);
    if (auto read = shared_->log.refresh(shared_->stop); !read) return tl::unexpected(read.error());
    Alive alive{shared_->log.entry(nullptr), {}};
    for (const auto& [tp, position] : shared_->log.positions()) {
      alive.progress.push_back(position.at);
    }
    if (!is_ours()) return alive;
    auto seen = say(state_running, "", shared_->stop);
    if (!seen) return tl::unexpected(seen.error());
    if (!*seen) alive.ledger = shared_->log.entry(nullptr);
    return alive;
  }

  /// Kafka does it: the history is a topic with a retention.
  Result<bool> trim() override { return false; }

  Result<std::unique_ptr<SinkSession>> open_session() override {
    const auto slot = shared_->slots.take();
    if (slot) return std::make_unique<Session>(shared_, *slot);
    return fail(
        ErrorKind::fatal, Cause::internal,
        fmt::format("more sessions than the {} that the pipeline said", shared_->slots.count()));
  }

  void leave(const std::optional<std::string>& failure) noexcept override try {
    const std::lock_guard lock(mutex_);
    if (epoch_ < 0) return;
    constexpr std::size_t reason_bytes_max = 500;
    // Also where this sink was interrupted, but not for long.
    constexpr auto patience = std::chrono::seconds(3);
    const auto give_up = std::chrono::steady_clock::now() + patience;
    (void)say(failure ? state_failed : state_stopped,
              sanitise(failure.value_or(""), reason_bytes_max),
              [give_up] { return std::chrono::steady_clock::now() > give_up; });
  } catch (const std::exception&) {  // best effort
  }

  void interrupt() noexcept override { shared_->interrupted = true; }

 private:
  bool is_ours() const {
    const auto seen = shared_->log.owner();
    return seen && row_ && seen->id == row_->id && seen->epoch == epoch_;
  }

  /// Where partitions stand, or begin; those that begin are added to `rows`.
  std::vector<Progress> places_of(std::span<const Progress> starts, Rows& rows) const {
    const auto known = shared_->log.positions();
    const auto now = now_text();
    std::vector<Progress> all;
    for (auto start : starts) {
      if (const auto found = known.find(start.tp); found != known.end()) {
        all.push_back(found->second.at);
        continue;
      }
      start.batch_time = std::max(start.batch_time, row_->highest_batch_time);
      all.push_back(start);
      rows.positions.push_back({.at = start, .epoch = epoch_, .owner = row_->id, .moved_at = now});
      rows.moves.emplace_back(Move{.tp = start.tp,
                                   .batch_time = start.batch_time,
                                   .epoch = epoch_,
                                   .from = start.until,
                                   .until = start.until,
                                   .kind = MoveKind::start,
                                   .committed_at = now},
                              "");
    }
    return all;
  }

  /// Whoever had a slot whose commit was not answered: that transaction is over then, this way or
  /// that.
  Result<void> end_doubt() {
    const std::lock_guard lock(shared_->fencing);
    if (auto read = shared_->log.refresh(shared_->stop, true); !read) return read;
    // Our heir has done it.
    if (!shared_->is_ours()) return {};
    std::map<int, ProducerPtr> fenced;
    for (int slot = 0; slot < shared_->slots.count(); ++slot) {
      if (!shared_->slots.is_lost(slot)) continue;
      auto made = shared_->fence(shared_->names.slot_id(slot), false, shared_->stop);
      if (!made) return tl::unexpected(made.error());
      fenced[slot] = *std::move(made);
    }
    auto all = shared_->log.read_all(std::chrono::milliseconds(ending_ms), shared_->stop);
    if (!all) return tl::unexpected(all.error());
    if (!*all) return shared_->log.hidden();
    // Not before the ledger was read: what is committed is compared with it.
    for (auto& [slot, producer] : fenced) shared_->slots.put(slot, std::move(producer));
    return {};
  }

  /// Of ourselves, while the output is ours.
  Result<bool> say(std::string_view state, const std::string& reason, const Stop& stop) {
    row_->seen_at = now_text();
    row_->state = state;
    row_->reason = reason;
    return is_ours() ? control_.write({.owner = row_}, stop) : Result<bool>(false);
  }

  std::shared_ptr<Shared> shared_;
  std::mutex mutex_;  ///< of what follows
  Control control_;
  std::optional<OwnerRow> row_;  ///< as we wrote it last
  std::int64_t epoch_ = -1;      ///< of the last take-over
};

}  // namespace

Result<void> is_no_loop(const Shared& shared, const TopicPartition& tp) {
  const auto& names = shared.names;
  if (!shared.same_cluster) return {};
  for (const auto& own : {names.target, names.dead_letters, names.ledger, names.history}) {
    if (tp.topic != own) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("topic {} is read and written by the same pipeline, which would never "
                            "end: correct sink.kafka.topic, or what is read",
                            tp.topic));
  }
  return {};
}

Result<std::unique_ptr<Sink>> make_sink(const Options& options, const SinkContext& context) {
  auto shared = Shared::make(options, context);
  if (!shared) return tl::unexpected(shared.error());
  auto limits = (*shared)->target.limits(std::chrono::milliseconds(0));
  if (!limits) return tl::unexpected(limits.error());
  const auto fixed = (*shared)->partitioning.fixed();
  if (fixed && *fixed >= (*limits)->partitions) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("sink.kafka.partition is {}, and topic {} has {} partitions, from 0",
                            *fixed, options.topic, (*limits)->partitions));
  }
  return std::make_unique<KafkaSink>(*std::move(shared));
}

}  // namespace semel::kafka_sink
