// What the bench computes: statistics, the kills' moments, the oracle, the plan.
#include <csignal>
#include <nlohmann/json.hpp>

#include "bench/semel/latency/arrivals.hpp"
#include "bench/semel/latency/latency.hpp"
#include "bench/semel/measured_sink.hpp"
#include "bench/semel/oracle.hpp"
#include "bench/semel/pipeline_file.hpp"
#include "bench/semel/replay/plan.hpp"
#include "bench/semel/replay/schedule.hpp"
#include "bench/semel/setup.hpp"
#include "bench/semel/statistics.hpp"
#include "bench/semel/workload.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::bench;

namespace {

/// As if these ids were in the table.
Found table_of(const std::vector<std::int64_t>& ids, std::int64_t distinct) {
  Found found{.rows = static_cast<std::int64_t>(ids.size()), .distinct = distinct};
  for (const auto id : ids) {
    found.sum_id += id;
    found.sum_proof += proof_of(id);
  }
  return found;
}

}  // namespace

TEST_CASE("the median is the middle value, or the mean of the middle two") {
  CHECK_FALSE(median({}));
  CHECK(median({7}) == 7.0);
  CHECK(median({9, 1, 5}) == 5.0);
  CHECK(median({4, 1, 3, 2}) == 2.5);
}

TEST_CASE("a percentile is a value that was measured: the nearest rank") {
  CHECK_FALSE(percentile({}, 99));
  CHECK(percentile({3, 1, 2}, 99) == 3.0);
  CHECK(percentile({3, 1, 2}, 0) == 1.0);
  std::vector<double> hundred;
  for (int i = 1; i <= 100; ++i) hundred.push_back(i);
  CHECK(percentile(hundred, 99) == 99.0);
  CHECK(percentile(hundred, 100) == 100.0);
  CHECK(percentile(hundred, 50) == 50.0);
}

TEST_CASE("a histogram counts every value once, the far ones in its last bucket") {
  CHECK(histogram({}).empty());
  std::vector<double> values;
  for (int i = 0; i < 1'000; ++i) values.push_back(i % 100);
  values.push_back(50'000);
  const auto buckets = histogram(values);
  REQUIRE(buckets.size() == 31);
  CHECK(buckets.front() == Bucket{.from = 0, .until = 5, .count = 50});
  CHECK(buckets[1].from == 5);
  CHECK(buckets.back().count == 1);
  CHECK(buckets.back().until > 50'000);
  std::int64_t all = 0;
  for (const auto& bucket : buckets) all += bucket.count;
  CHECK(all == 1'001);
  // No more buckets than values need.
  CHECK(histogram({0, 0, 0}) == std::vector<Bucket>{{.from = 0, .until = 1, .count = 3}});
}

TEST_CASE("axes have round steps") {
  CHECK(round_up(0) == 1);
  CHECK(round_up(0.3) == Approx(0.5));
  CHECK(round_up(1) == 1);
  CHECK(round_up(1.1) == 2);
  CHECK(round_up(51) == 100);
}

TEST_CASE("a record arrives when it is seen first, and what is asked for next begins behind it") {
  Arrivals arrivals(6, 2);
  CHECK(arrivals.low() == std::vector<std::int64_t>{0, 1});
  arrivals.see({0, 4, 1}, 10);
  CHECK(arrivals.low() == std::vector<std::int64_t>{2, 3});
  CHECK(arrivals.complete(2));
  CHECK_FALSE(arrivals.complete(3));
  CHECK(arrivals.count() == 3);
  arrivals.see({2, 4}, 20);
  CHECK(arrivals.low() == std::vector<std::int64_t>{6, 3});
  CHECK(arrivals.count() == 4);
  CHECK(arrivals.seen_ns(4) == 10);
  CHECK(arrivals.seen_ns(2) == 20);
  CHECK(arrivals.seen_ns(3) == 0);
  // Nobody produced these.
  arrivals.see({-1, 6, 1'000'000}, 30);
  CHECK(arrivals.count() == 4);
  arrivals.see({5, 3}, 40);
  CHECK(arrivals.complete(6));
}

TEST_CASE(
    "what is measured of latency is as long as asked, after a warm-up of two seconds at most") {
  const LatencyPlan plan{.rate = 500, .seconds = 10};
  CHECK(plan.measured_records() == 5'000);
  CHECK(plan.warm_up_records() == 1'000);
  const LatencyPlan brief{.rate = 1, .seconds = 0.5};
  CHECK(brief.measured_records() == 1);
  CHECK(brief.warm_up_records() == 1);
  CHECK(complete(plan)->setup.partitions == 4);
  CHECK_FALSE(complete(LatencyPlan{.setup = {.file = "x.toml", .dsn = "y"}}));
}

TEST_CASE("the same seed kills at the same moments, another one at others") {
  const auto parts = kill_parts(7, 50);
  REQUIRE(parts.size() == 50);
  CHECK(parts == kill_parts(7, 50));
  CHECK(parts != kill_parts(8, 50));
  for (const auto part : parts) CHECK((part >= 0 && part < 1));
  CHECK(kill_parts(7, 0).empty());
  // As on every other machine.
  CHECK(kill_parts(1, 1).front() == Approx(0.13387664401253263));
}

TEST_CASE("kills come as often as asked, unless the work is over sooner") {
  CHECK(kill_interval(2, 1'000, 10) == 2.0);
  CHECK(kill_interval(2, 11, 10) == Approx(1.4));
  // The last kill always fits.
  CHECK(kill_interval(2, 1, 1) < 1);
  CHECK(kill_interval(2, 0, 10) == 0.0);
  CHECK(kill_interval(2, -1, 10) == 0.0);
}

TEST_CASE("the oracle sees what is lost and what is doubled, also where the count is right") {
  CHECK(compare(table_of({0, 1, 2, 3}, 4), 4).exactly_once());
  CHECK(compare(table_of({}, 0), 0).exactly_once());

  const auto lost = compare(table_of({0, 1, 3}, 3), 4);
  CHECK(lost.lost == 1);
  CHECK(lost.duplicated == 0);
  CHECK_FALSE(lost.exactly_once());

  const auto both = compare(table_of({0, 1, 1, 3}, 3), 4);
  CHECK(both.lost == 1);
  CHECK(both.duplicated == 1);
  CHECK_FALSE(both.exactly_once());

  // Every number of rows and ids is right, but one is not what was produced.
  const auto other = compare(table_of({0, 1, 2, 4}, 4), 4);
  CHECK(other.lost == 0);
  CHECK(other.duplicated == 0);
  CHECK_FALSE(other.exactly_once());

  auto damaged = table_of({0, 1, 2, 3}, 4);
  damaged.damaged = 1;
  CHECK_FALSE(compare(damaged, 4).exactly_once());
}

TEST_CASE("records are JSON of the size that was asked for and carry their proof") {
  for (const std::int64_t id : {0, 1, 99, 1'234'567}) {
    std::string text;
    append_record(id, 165, text);
    CHECK(text.size() == 165);
    const auto json = nlohmann::json::parse(text);
    CHECK(json.at("id") == id);
    CHECK(json.at("proof") == proof_of(id));
  }
  std::string small;
  append_record(5, 1, small);
  CHECK(nlohmann::json::parse(small).at("id") == 5);
  CHECK(sum_of_proofs(3) == proof_of(0) + proof_of(1) + proof_of(2));
}

TEST_CASE("records are counted per partition") {
  CHECK(records_in(0, 3, 10) == 4);
  CHECK(records_in(1, 3, 10) == 3);
  CHECK(records_in(2, 3, 10) == 3);
  CHECK(records_in(2, 3, 1) == 0);
}

TEST_CASE("what the embedded broker would drop is refused before anything is started") {
  const auto given = [](std::int64_t records, int partitions) {
    return complete({.records = records, .partitions = partitions});
  };
  CHECK(given(0, 0)->records == 1'000'000);
  CHECK(given(0, 0)->partitions * (std::int64_t{5} << 20) > 1'000'000 * 165);
  CHECK(given(1'000, 0)->partitions == 4);
  CHECK(given(1'000, 2)->partitions == 2);
  REQUIRE_FALSE(given(1'000'000, 4));
  CHECK(given(1'000'000, 4).error().cause == Cause::configuration);
  REQUIRE_FALSE(given(1'000'000'000, 0));
  const auto own = complete({.brokers = "there:9092"});
  CHECK(own->records == 2'000'000);
  CHECK(own->partitions == 4);
  CHECK_FALSE(complete({.file = "x.toml", .brokers = "there:9092"}));
}

TEST_CASE("transactions are small enough to be killed in") {
  CHECK(transaction_records(2'000'000, 10) == 22'727);
  CHECK(transaction_records(100, 10) == 500);
}

TEST_CASE("names of baselines and signals are checked") {
  CHECK(parse_baselines("none") == std::vector{Kind::semel});
  CHECK(parse_baselines("all")->size() == 4);
  CHECK(parse_baselines("at-most-once,semel") == std::vector{Kind::semel, Kind::at_most_once});
  REQUIRE_FALSE(parse_baselines("twice"));
  CHECK(parse_baselines("twice").error().message.find("twice") != std::string::npos);
  CHECK(parse_signal("KILL") == SIGKILL);
  CHECK(parse_signal("SIGSTOP") == SIGSTOP);
  CHECK_FALSE(parse_signal("HUP"));
  CHECK(signal_name(SIGTERM) == "SIGTERM");
}

TEST_CASE("the pipeline's file says what the configuration says, secrets and dollars included") {
  const auto config = app::parse(R"(name = "p"
batch.interval = "1s"
source.kafka.brokers = "a:1,b:2"
source.kafka.topics = ["t"]
source.kafka.librdkafka."sasl.password" = "k$${x}"
sink.postgres.dsn = "postgresql://me:p$${w}\"@h/d"
sink.postgres.table = "s.t"
sink.postgres.columns = { id = "$.a" }
)",
                                 "test");
  REQUIRE(config);
  const auto again = app::parse(write_configuration(*config), "again");
  INFO((again ? std::string() : again.error().message));
  REQUIRE(again);
  CHECK(measured_sink(*again).dsn == "postgresql://me:p${w}\"@h/d");
  CHECK(again->pipeline.kafka.librdkafka == config->pipeline.kafka.librdkafka);
  CHECK(again->pipeline.limits.interval_ms == 1'000);
  CHECK(again->pipeline.kafka.topics == config->pipeline.kafka.topics);
  CHECK(measured_sink(*again).columns.empty());
}
