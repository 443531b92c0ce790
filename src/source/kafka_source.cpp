#include "source/kafka_source.hpp"

#include "base/beside_kafka.hpp"

#include <utility>

namespace semel::source {

namespace {

class KafkaPlanner final : public Planner {
 public:
  explicit KafkaPlanner(std::unique_ptr<kafka::PlannerClient> client)
      : client_(std::move(client)) {}

  Result<kafka::Discovery> discover(int timeout_ms, const std::set<std::string>& known) override {
    return client_->discover(timeout_ms, known);
  }
  Result<std::string> cluster_id(int timeout_ms) override {
    return client_->cluster_id(timeout_ms);
  }
  void expect_cluster(const std::string& id) override { client_->expect_cluster(id); }
  Result<void> same_cluster() const override { return client_->same_cluster(); }
  Result<kafka::PartialOffsets> earliest(std::span<const TopicPartition> tps,
                                         int timeout_ms) override {
    return client_->known_earliest(tps, timeout_ms);
  }
  Result<kafka::PartialOffsets> latest(std::span<const TopicPartition> tps,
                                       int timeout_ms) override {
    return client_->known_latest(tps, timeout_ms);
  }
  Result<kafka::PartialOffsets> resolve_start(std::span<const TopicPartition> tps,
                                              const kafka::Start& start, kafka::BelowEarliest below,
                                              int timeout_ms) override {
    return client_->resolve_start(tps, start, below, timeout_ms);
  }
  void passed(const std::map<TopicPartition, Offset>& offsets) override {
    auto of_kafka = offsets;
    std::erase_if(of_kafka, [](const auto& one) { return is_beside_kafka(one.first); });
    client_->commit_group_offsets(of_kafka);
  }
  bool all_shown() const override { return client_->group_offsets_written(); }
  void finish_showing(std::chrono::milliseconds at_most) override {
    client_->finish_group_offsets(at_most);
  }

 private:
  std::unique_ptr<kafka::PlannerClient> client_;
};

class KafkaReader final : public Reader {
 public:
  explicit KafkaReader(std::unique_ptr<kafka::RangeReader> reader) : reader_(std::move(reader)) {}

  Result<void> begin(const OffsetRange& range, const std::optional<RecordMark>& last,
                     bool recheck) override {
    return reader_->begin(range, last, recheck);
  }
  void expect(const OffsetRange& range, const std::optional<RecordMark>& last,
              bool recheck) override {
    reader_->expect(range, last, recheck);
  }
  Result<kafka::ReadStep> read(std::size_t max_records, int wait_ms) override {
    return reader_->read(max_records, wait_ms);
  }
  bool answers() const override { return reader_->kafka_answers(); }
  std::optional<kafka::LostRange> lost() const override { return reader_->lost(); }
  void forget(const TopicPartition& tp) override { reader_->forget(tp); }

 private:
  std::unique_ptr<kafka::RangeReader> reader_;
};

class KafkaSource final : public Source {
 public:
  KafkaSource(kafka::Options options, std::string pipeline)
      : options_(std::move(options)), pipeline_(std::move(pipeline)) {}

  Result<std::unique_ptr<Planner>> planner() override { return kafka_planner(options_, pipeline_); }
  Result<std::unique_ptr<Reader>> reader(const kafka::Options& options) override {
    return kafka_reader(options, pipeline_);
  }

 private:
  kafka::Options options_;
  std::string pipeline_;
};

}  // namespace

Result<std::unique_ptr<Planner>> kafka_planner(const kafka::Options& options,
                                               const std::string& pipeline) {
  auto client = kafka::PlannerClient::connect(options, pipeline);
  if (!client) return tl::unexpected(client.error());
  return std::make_unique<KafkaPlanner>(*std::move(client));
}

Result<std::unique_ptr<Reader>> kafka_reader(const kafka::Options& options,
                                             const std::string& pipeline) {
  auto reader = kafka::RangeReader::connect(options, pipeline);
  if (!reader) return tl::unexpected(reader.error());
  return std::make_unique<KafkaReader>(*std::move(reader));
}

std::shared_ptr<Source> kafka_source(kafka::Options options, std::string pipeline) {
  return std::make_shared<KafkaSource>(std::move(options), std::move(pipeline));
}

}  // namespace semel::source
