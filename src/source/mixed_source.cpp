#include "source/mixed_source.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "source/partitions.hpp"

namespace semel::source {

namespace {

// Stored: do not change. In a ledger, instead of a cluster's id.
constexpr auto this_machine = "this machine";

using Logs = std::map<TopicPartition, std::shared_ptr<LocalLog>>;

class MixedPlanner final : public Planner {
 public:
  MixedPlanner(std::unique_ptr<Planner> kafka, const OfKafka& wanted, const Logs& logs)
      : kafka_(std::move(kafka)), wanted_(wanted), logs_(logs) {}

  Result<kafka::Discovery> discover(int timeout_ms, const std::set<std::string>& known) override {
    kafka::Discovery all;
    if (kafka_) {
      auto topics = known;
      for (const auto& [tp, log] : logs_) topics.erase(tp.topic);
      auto found = kafka_->discover(timeout_ms, topics);
      if (found) found = only_partitions(*std::move(found), wanted_.partitions);
      if (found) {
        all = *std::move(found);
      } else if (found.error().kind != ErrorKind::unavailable) {
        return found;
      } else {
        topics.insert(wanted_.topics.begin(), wanted_.topics.end());
        for (const auto& topic : topics) all.unclear.emplace(topic, found.error());
      }
    }
    for (const auto& [tp, log] : logs_) all.partitions.push_back(tp);
    std::ranges::sort(all.partitions);
    return all;
  }

  Result<std::string> cluster_id(int timeout_ms) override {
    return kafka_ ? kafka_->cluster_id(timeout_ms) : this_machine;
  }
  void expect_cluster(const std::string& id) override {
    if (kafka_) kafka_->expect_cluster(id);
  }
  Result<void> same_cluster() const override {
    return kafka_ ? kafka_->same_cluster() : Result<void>();
  }

  Result<kafka::PartialOffsets> earliest(std::span<const TopicPartition> tps,
                                         int timeout_ms) override {
    return of_all(
        tps, [](const LocalLog::Bounds& bounds) { return bounds.first; },
        [&](const auto& rest) { return kafka_->earliest(rest, timeout_ms); });
  }
  Result<kafka::PartialOffsets> latest(std::span<const TopicPartition> tps,
                                       int timeout_ms) override {
    return of_all(
        tps, [](const LocalLog::Bounds& bounds) { return bounds.end; },
        [&](const auto& rest) { return kafka_->latest(rest, timeout_ms); });
  }
  Result<kafka::PartialOffsets> resolve_start(std::span<const TopicPartition> tps,
                                              const kafka::Start& start, kafka::BelowEarliest below,
                                              int timeout_ms) override {
    return of_all(
        tps, [](const LocalLog::Bounds& bounds) { return bounds.first; },
        [&](const auto& rest) { return kafka_->resolve_start(rest, start, below, timeout_ms); });
  }

  void passed(const std::map<TopicPartition, Offset>& offsets) override {
    std::map<TopicPartition, Offset> rest;
    for (const auto& [tp, until] : offsets) {
      const auto log = logs_.find(tp);
      if (log != logs_.end()) {
        log->second->passed(until);
      } else {
        rest[tp] = until;
      }
    }
    if (kafka_) kafka_->passed(rest);
  }
  bool all_shown() const override { return !kafka_ || kafka_->all_shown(); }
  void finish_showing(std::chrono::milliseconds at_most) override {
    if (kafka_) kafka_->finish_showing(at_most);
  }

 private:
  template <class Pick, class Ask>
  Result<kafka::PartialOffsets> of_all(std::span<const TopicPartition> tps, Pick pick, Ask ask) {
    kafka::PartialOffsets all;
    std::vector<TopicPartition> rest;
    for (const auto& tp : tps) {
      const auto log = logs_.find(tp);
      if (log == logs_.end()) {
        rest.push_back(tp);
        continue;
      }
      const auto bounds = log->second->bounds();
      if (!bounds) return tl::unexpected(bounds.error());
      all.offsets[tp] = pick(*bounds);
    }
    if (rest.empty() || !kafka_) return all;
    auto found = ask(rest);
    if (found) {
      all.offsets.merge(found->offsets);
      all.unanswered = std::move(found->unanswered);
    } else if (all.offsets.empty() || found.error().kind != ErrorKind::unavailable) {
      return found;
    } else {
      for (const auto& tp : rest) all.unanswered.emplace(tp, found.error());
    }
    return all;
  }

  std::unique_ptr<Planner> kafka_;
  const OfKafka& wanted_;
  const Logs& logs_;
};

class MixedReader final : public Reader {
 public:
  MixedReader(std::unique_ptr<Reader> kafka, const Logs& logs)
      : kafka_(std::move(kafka)), logs_(logs) {}

  Result<void> begin(const OffsetRange& range, const std::optional<RecordMark>& last,
                     bool recheck) override {
    lost_.reset();
    const auto found = logs_.find(range.tp);
    log_ = found == logs_.end() ? nullptr : found->second.get();
    if (log_ == nullptr) return kafka_->begin(range, last, recheck);
    range_ = range;
    auto bounds = log_->bounds();
    if (!bounds) return tl::unexpected(bounds.error());
    if (range.from < bounds->first || range.until > bounds->end) {
      const auto why = log_->why_first();
      return lose(*bounds, range.from > bounds->end,
                  fmt::format("{} holds the records [{}, {}){}{}", range.tp.topic, bounds->first,
                              bounds->end, why.empty() ? "" : ": ", why));
    }
    // What this reader has read before need not be compared: a file would be read through again.
    const auto known = known_.find(range.tp);
    const bool compared = !recheck && known != known_.end() && known->second == last;
    return last && !compared ? same_log(*last, *bounds) : Result<void>();
  }

  void expect(const OffsetRange& range, const std::optional<RecordMark>& last,
              bool recheck) override {
    if (kafka_ && logs_.count(range.tp) == 0) kafka_->expect(range, last, recheck);
  }

  Result<kafka::ReadStep> read(std::size_t max_records, int wait_ms) override {
    if (log_ == nullptr) return kafka_->read(max_records, wait_ms);
    kept_.clear();
    if (range_.from < range_.until) {
      if (auto read = log_->read(range_.from, range_.until, max_records, kept_); !read) {
        return tl::unexpected(gone(read.error()));
      }
      range_.from += static_cast<Offset>(kept_.size());
    }
    views_.clear();
    for (std::size_t i = 0; i < kept_.size(); ++i) views_.push_back(kept_[i]);
    if (!views_.empty()) known_[range_.tp] = mark_of(views_.back());
    return kafka::ReadStep{views_, range_.from >= range_.until};
  }

  bool answers() const override { return log_ != nullptr || kafka_->answers(); }
  std::optional<kafka::LostRange> lost() const override {
    return log_ != nullptr ? lost_ : kafka_->lost();
  }
  void forget(const TopicPartition& tp) override {
    if (kafka_ && logs_.count(tp) == 0) kafka_->forget(tp);
  }

 private:
  /// What a log has said is lost ends where the log begins now; behind what failed at least.
  Error gone(Error error) {
    if (error.kind != ErrorKind::data_loss) return error;
    auto bounds = log_->bounds();
    if (!bounds) return bounds.error();
    lost_ = {.wanted = range_.from,
             .earliest = std::max(bounds->first, range_.from + 1),
             .latest = std::max(bounds->end, range_.from + 1)};
    return error;
  }

  Result<void> lose(const LocalLog::Bounds& bounds, bool recreated, std::string what) {
    lost_ = {.wanted = range_.from,
             .earliest = bounds.first,
             .latest = bounds.end,
             .recreated = recreated};
    return fail(ErrorKind::data_loss, Cause::data_loss,
                fmt::format("{}: {}", semel::to_string(range_), what));
  }

  /// The record that was the last one to be committed is the one that is there.
  Result<void> same_log(const RecordMark& last, const LocalLog::Bounds& bounds) {
    if (last.offset < bounds.first || last.offset >= bounds.end) return {};
    kept_.clear();
    if (auto read = log_->read(last.offset, last.offset + 1, 1, kept_); !read) {
      // What is committed may be gone: it proves nothing.
      return read.error().kind == ErrorKind::data_loss ? Result<void>() : read;
    }
    if (mark_of(kept_[0]) == last) return {};
    return lose(bounds, true,
                fmt::format("record {} is another than the one that was read before", last.offset));
  }

  std::unique_ptr<Reader> kafka_;
  const Logs& logs_;
  LocalLog* log_ = nullptr;  ///< of the range that has begun; nullptr: Kafka's
  OffsetRange range_;        ///< what is left of it
  KeptRecords kept_;
  std::vector<Record> views_;
  std::map<TopicPartition, RecordMark> known_;  ///< of the last record that was read
  std::optional<kafka::LostRange> lost_;
};

class MixedSource final : public Source {
 public:
  MixedSource(std::shared_ptr<Source> kafka, OfKafka wanted,
              std::vector<std::shared_ptr<LocalLog>> logs)
      : kafka_(std::move(kafka)), wanted_(std::move(wanted)) {
    for (auto& log : logs) {
      auto tp = partition_of(*log);
      logs_.emplace(std::move(tp), std::move(log));
    }
  }

  Result<std::unique_ptr<Planner>> planner() override {
    std::unique_ptr<Planner> of_kafka;
    if (kafka_) {
      auto made = kafka_->planner();
      if (!made) return made;
      of_kafka = *std::move(made);
    }
    return std::make_unique<MixedPlanner>(std::move(of_kafka), wanted_, logs_);
  }

  Result<std::unique_ptr<Reader>> reader(const kafka::Options& options) override {
    std::unique_ptr<Reader> of_kafka;
    if (kafka_) {
      auto made = kafka_->reader(options);
      if (!made) return made;
      of_kafka = *std::move(made);
    }
    return std::make_unique<MixedReader>(std::move(of_kafka), logs_);
  }

 private:
  std::shared_ptr<Source> kafka_;
  OfKafka wanted_;
  Logs logs_;
};

}  // namespace

std::shared_ptr<Source> mixed_source(std::shared_ptr<Source> kafka, OfKafka wanted,
                                     std::vector<std::shared_ptr<LocalLog>> logs) {
  return std::make_shared<MixedSource>(std::move(kafka), std::move(wanted), std::move(logs));
}

}  // namespace semel::source
