#include "source/partitions.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <utility>
#include <vector>

namespace semel::source {

namespace {

class SomePartitions final : public Planner {
 public:
  SomePartitions(std::unique_ptr<Planner> all, const std::set<TopicPartition>& wanted)
      : all_(std::move(all)), wanted_(wanted) {
    for (const auto& tp : wanted_) topics_.insert(tp.topic);
  }

  Result<kafka::Discovery> discover(int timeout_ms, const std::set<std::string>& known) override {
    auto found = all_->discover(timeout_ms, known);
    if (!found) return found;
    const auto& there = found->partitions;
    for (const auto& tp : wanted_) {
      const bool topic_is_known = std::ranges::any_of(
          there, [&tp](const TopicPartition& other) { return other.topic == tp.topic; });
      if (topic_is_known && !std::ranges::binary_search(there, tp)) {
        return fail(ErrorKind::fatal, Cause::source,
                    fmt::format("{}: a stream reads this partition, and there is none of that "
                                "number",
                                to_string(tp)));
      }
    }
    std::erase_if(found->partitions, [this](const TopicPartition& tp) {
      return topics_.count(tp.topic) != 0 && wanted_.count(tp) == 0;
    });
    return found;
  }

  Result<std::string> cluster_id(int timeout_ms) override { return all_->cluster_id(timeout_ms); }
  void expect_cluster(const std::string& id) override { all_->expect_cluster(id); }
  Result<void> same_cluster() const override { return all_->same_cluster(); }
  Result<kafka::PartialOffsets> earliest(std::span<const TopicPartition> tps,
                                         int timeout_ms) override {
    return all_->earliest(tps, timeout_ms);
  }
  Result<kafka::PartialOffsets> latest(std::span<const TopicPartition> tps,
                                       int timeout_ms) override {
    return all_->latest(tps, timeout_ms);
  }
  Result<kafka::PartialOffsets> resolve_start(std::span<const TopicPartition> tps,
                                              const kafka::Start& start, kafka::BelowEarliest below,
                                              int timeout_ms) override {
    return all_->resolve_start(tps, start, below, timeout_ms);
  }
  void passed(const std::map<TopicPartition, Offset>& offsets) override { all_->passed(offsets); }
  bool all_shown() const override { return all_->all_shown(); }
  void finish_showing(std::chrono::milliseconds at_most) override { all_->finish_showing(at_most); }

 private:
  std::unique_ptr<Planner> all_;
  const std::set<TopicPartition>& wanted_;
  std::set<std::string> topics_;  ///< of those
};

class OnlyPartitions final : public Source {
 public:
  OnlyPartitions(std::shared_ptr<Source> source, std::set<TopicPartition> wanted)
      : source_(std::move(source)), wanted_(std::move(wanted)) {}

  Result<std::unique_ptr<Planner>> planner() override {
    auto all = source_->planner();
    if (!all) return all;
    return std::make_unique<SomePartitions>(*std::move(all), wanted_);
  }
  Result<std::unique_ptr<Reader>> reader(const kafka::Options& options) override {
    return source_->reader(options);
  }

 private:
  std::shared_ptr<Source> source_;
  std::set<TopicPartition> wanted_;
};

}  // namespace

std::shared_ptr<Source> only_partitions(std::shared_ptr<Source> source,
                                        std::set<TopicPartition> wanted) {
  return std::make_shared<OnlyPartitions>(std::move(source), std::move(wanted));
}

}  // namespace semel::source
