#include "source/mixed_source.hpp"

#include "source/partitions.hpp"
#include "source/queue_log.hpp"
#include "support/catch.hpp"

namespace semel::test {

namespace {

using Catch::Matchers::Contains;

const TopicPartition left{"+queue.left", 0};
const TopicPartition right{"+queue.right", 0};

std::shared_ptr<source::LocalLog> queue(const TopicPartition& tp,
                                        const std::vector<std::string>& values) {
  std::vector<stream::Received> records;
  for (const auto& value : values) records.push_back({.value = value});
  return std::make_shared<source::QueueLog>(tp.topic, std::move(records));
}

/// A Kafka that is asked and does not answer.
class Away final : public source::Source {
 public:
  class Asked final : public source::Planner {
   public:
    static tl::unexpected<Error> away() {
      return fail(ErrorKind::unavailable, Cause::source, "no broker answers");
    }
    Result<kafka::Discovery> discover(int, const std::set<std::string>&) override { return away(); }
    Result<std::string> cluster_id(int) override { return "c"; }
    void expect_cluster(const std::string&) override {}
    Result<void> same_cluster() const override { return {}; }
    Result<kafka::PartialOffsets> earliest(std::span<const TopicPartition>, int) override {
      return away();
    }
    Result<kafka::PartialOffsets> latest(std::span<const TopicPartition>, int) override {
      return away();
    }
    Result<kafka::PartialOffsets> resolve_start(std::span<const TopicPartition>,
                                                const kafka::Start&, kafka::BelowEarliest,
                                                int) override {
      return away();
    }
    void passed(const std::map<TopicPartition, Offset>&) override {}
    bool all_shown() const override { return true; }
    void finish_showing(std::chrono::milliseconds) override {}
  };
  Result<std::unique_ptr<source::Planner>> planner() override { return std::make_unique<Asked>(); }
  Result<std::unique_ptr<source::Reader>> reader(const kafka::Options&) override {
    return std::unique_ptr<source::Reader>();
  }
};

std::vector<std::string> values_of(const kafka::ReadStep& step) {
  std::vector<std::string> values;
  for (const auto& record : step.records) values.emplace_back(record.value.value());
  return values;
}

}  // namespace

TEST_CASE("logs of this machine are partitions, with their bounds, without any Kafka") {
  const auto source =
      source::mixed_source(nullptr, {}, {queue(right, {"x"}), queue(left, {"a", "b"})});
  const auto planner = source->planner().value();
  CHECK(planner->discover(0, {}).value().partitions == std::vector<TopicPartition>{left, right});
  const std::vector<TopicPartition> both{left, right};
  CHECK(planner->latest(both, 0).value().offsets ==
        std::map<TopicPartition, Offset>{{left, 2}, {right, 1}});
  CHECK(planner->earliest(both, 0).value().offsets ==
        std::map<TopicPartition, Offset>{{left, 0}, {right, 0}});
  CHECK(planner->resolve_start(both, kafka::StartLatest{}, kafka::BelowEarliest::refused, 0)
            .value()
            .offsets.at(left) == 0);
}

TEST_CASE("a Kafka that is away holds up no log of this machine") {
  const auto source =
      source::mixed_source(std::make_shared<Away>(), {.topics = {"orders"}}, {queue(left, {"a"})});
  const auto planner = source->planner().value();
  const auto found = planner->discover(0, {left.topic, "clicks"}).value();
  CHECK(found.partitions == std::vector<TopicPartition>{left});
  CHECK(found.unclear.count("orders") == 1);
  CHECK(found.unclear.count("clicks") == 1);
  CHECK(found.unclear.count(left.topic) == 0);
  const std::vector<TopicPartition> all{left, {"orders", 0}};
  const auto latest = planner->latest(all, 0).value();
  CHECK(latest.offsets == std::map<TopicPartition, Offset>{{left, 1}});
  CHECK(latest.unanswered.count({"orders", 0}) == 1);
}

TEST_CASE("a range of a log is read to its end, a few records at a time") {
  const auto source = source::mixed_source(nullptr, {}, {queue(left, {"a", "b", "c", "d"})});
  const auto reader = source->reader({}).value();
  REQUIRE(reader->begin({left, 1, 4}, std::nullopt, false));
  auto step = reader->read(2, 0).value();
  CHECK(values_of(step) == std::vector<std::string>{"b", "c"});
  CHECK_FALSE(step.end);
  step = reader->read(2, 0).value();
  CHECK(values_of(step) == std::vector<std::string>{"d"});
  CHECK(step.end);
}

TEST_CASE("what a log does not hold is lost, and so is what is another record than before") {
  const auto source = source::mixed_source(nullptr, {}, {queue(left, {"a", "b"})});
  const auto reader = source->reader({}).value();
  const auto short_one = reader->begin({left, 1, 5}, std::nullopt, false);
  REQUIRE_FALSE(short_one);
  CHECK(short_one.error().kind == ErrorKind::data_loss);
  CHECK(reader->lost().value().latest == 2);
  CHECK_FALSE(reader->lost().value().recreated);

  const Record a{.offset = 0, .value = "a"};
  CHECK(reader->begin({left, 1, 2}, mark_of(a), false));
  const Record other{.offset = 0, .value = "A"};
  CHECK(reader->begin({left, 1, 2}, mark_of(other), false).error().kind == ErrorKind::data_loss);
  CHECK(reader->lost().value().recreated);
}

TEST_CASE("of a topic that is named by its partitions, only these are there") {
  const TopicPartition other{left.topic, 1};
  // The topic "right" is named by nobody, and is there whole.
  const kafka::Discovery all{.partitions = {left, other, right}};
  CHECK(source::only_partitions(all, {left}).value().partitions ==
        std::vector<TopicPartition>{left, right});
  CHECK(source::only_partitions(all, {}).value().partitions == all.partitions);
  const auto none = source::only_partitions(all, {{left.topic, 3}});
  CHECK_THAT(none.error().message, Contains("+queue.left") && Contains("3"));
}

}  // namespace semel::test
