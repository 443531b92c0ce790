// What a trial has of Kafka, time, batches and crashes. All expected values are worked out by hand.
#include <semel/testing.hpp>

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "unit/testing/counting.hpp"

using namespace semel;
using testing::Place;
using testing::Ran;
using testing::Trial;
using Values = std::vector<std::string>;

namespace {

std::string text(const stream::Message& message) {
  return std::string(message.value());
}

/// Each record is a row.
void copy(stream::Pipeline& pipeline) {
  pipeline.direct_stream({"t"}).map(text).to("rows");
}

/// How often each value came, under the name of a state.
void count_as(stream::Pipeline& pipeline, const char* name) {
  pipeline.direct_stream({"t"})
      .map(text)
      .key_by([](const std::string& value) { return value; })
      .map_values([](const std::string&) { return std::int64_t{1}; })
      .update_state_by_key<std::int64_t>(name, test::add)
      .to("counts");
}

void count(stream::Pipeline& pipeline) {
  count_as(pipeline, "count");
}

/// Each record in two outputs.
void twice(stream::Pipeline& pipeline) {
  auto shared = pipeline.direct_stream({"t"}).map(text).share();
  shared.stream().to("first");
  shared.stream().to("second");
}

struct Counted {
  std::string key;
  std::int64_t value;
};

struct Named {
  std::string name;
};

Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Failed& failed) {
    return failed.error();
  }
  return {};
}

}  // namespace

TEST_CASE("a batch has all records of all partitions, each row its record's place and parts") {
  Trial trial(copy);
  trial.topic("t", 3);
  CHECK(trial.produce("t", 0, {.key = "k", .value = "a"}) == 0);
  CHECK(trial.produce("t", 0, {.value = "b", .timestamp_ms = 7}) == 1);
  CHECK(trial.produce("t", 2, {.key = "", .value = "c"}) == 0);
  CHECK(trial.run_batch() == Ran::batch);
  const std::vector<testing::Row> rows{
      {{"t", 0}, 0, 1'700'000'000'000, "k", "a"},
      {{"t", 0}, 1, 7, std::nullopt, "b"},
      {{"t", 2}, 0, 1'700'000'000'000, "", "c"},
  };
  CHECK(trial.rows("rows") == rows);
  CHECK(trial.values("rows") == Values{"a", "b", "c"});
  CHECK(trial.run_batch() == Ran::nothing);
  CHECK(trial.rows("rows") == rows);
}

TEST_CASE("headers and absent parts of a record are as they were produced") {
  Trial trial([](stream::Pipeline& pipeline) {
    pipeline.direct_stream({"t"})
        .map([](const stream::Message& message) {
          std::string seen = message.record().value ? "value" : "tombstone";
          for (const auto& header : message.record().headers()) {
            seen += " " + std::string(header.name) + "=" + std::string(header.value.value_or("-"));
          }
          return seen;
        })
        .to("seen");
  });
  trial.topic("t", 1);
  trial.produce("t", 0, {.headers = {{"a", "1"}, {"a", std::nullopt}}});
  trial.produce("t", 0, {.value = ""});
  trial.run_batch();
  CHECK(trial.values("seen") == Values{"tombstone a=1 a=-", "value"});
}

TEST_CASE("what a batch may have is bounded, and shared by the partitions") {
  Trial trial(count, {.max_records = 2});
  trial.topic("t", 2);
  for (const auto* value : {"a", "b", "c"}) {
    trial.produce("t", 0, {.value = value});
    trial.produce("t", 1, {.value = value});
  }
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("counts") == Values{R"({"key":"a","value":2})"});
  CHECK(trial.catch_up() == 2);
  CHECK(trial.values("counts") ==
        Values{R"({"key":"a","value":2})", R"({"key":"b","value":2})", R"({"key":"c","value":2})"});
}

TEST_CASE("batches are an interval apart, or where the clock was advanced to") {
  Trial trial(
      [](stream::Pipeline& pipeline) {
        pipeline.direct_stream({"t"})
            .map(text)
            .transform<std::string>(
                [](const stream::BatchInfo& batch, std::span<const std::string> items, auto emit) {
                  emit(std::to_string(batch.time.ms) + ": " + std::to_string(items.size()));
                })
            .to("times");
      },
      {.interval = std::chrono::milliseconds(500), .start_ms = 10'000});
  trial.topic("t", 1);
  const auto batch = [&trial] {
    trial.produce("t", 0, {.value = "a"});
    return trial.run_batch();
  };
  batch();
  batch();
  trial.advance(std::chrono::minutes(1));
  CHECK(trial.now_ms() == 70'500);
  batch();
  batch();
  CHECK(trial.values("times") == Values{"10000: 1", "10500: 1", "70500: 1", "71000: 1"});
  CHECK(trial.rows("times").back().timestamp_ms == 71'000);
}

TEST_CASE("time goes on in batches without records where a state waits for it") {
  Trial trial([](stream::Pipeline& pipeline) {
    pipeline.direct_stream({"t"})
        .map(text)
        .key_by([](const std::string& value) { return value; })
        .update_state_by_key<std::string>(
            "seen",
            [](const std::string&, std::span<const std::string> came, std::optional<std::string>)
                -> std::optional<std::string> { return came.empty() ? "silent" : "here"; },
            {.time_out_ms = 5'000})
        .to("seen");
  });
  trial.topic("t", 1);
  trial.produce("t", 0, {.value = "a"});
  CHECK(trial.run_batch() == Ran::batch);
  trial.advance(std::chrono::seconds(4));
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("seen") == Values{R"({"key":"a","value":"here"})"});
  trial.advance(std::chrono::seconds(2));
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("seen") ==
        Values{R"({"key":"a","value":"here"})", R"({"key":"a","value":"silent"})"});
}

TEST_CASE("a partition that appears later is read from its first record") {
  Trial trial(copy);
  trial.topic("t", 1);
  trial.produce("t", 0, {.value = "a"});
  trial.run_batch();
  trial.topic("t", 2);
  trial.produce("t", 1, {.value = "b"});
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("rows") == Values{"a", "b"});
}

TEST_CASE("records in a topic that no source reads are a mistake of the test, and told") {
  Trial trial([](stream::Pipeline& pipeline) {
    pipeline.direct_stream({"lines"})
        .map([](const stream::Message& m) { return std::string(m.value()); })
        .to("rows");
  });
  trial.topic("lines", 1);
  trial.topic("line", 1);
  trial.produce("line", 0, {.value = "a"});
  CHECK_THROWS_AS(trial.run_batch(), Failed);
}

TEST_CASE("topics are read by pattern, and those of no stage are not") {
  Trial trial([](stream::Pipeline& pipeline) {
    pipeline.direct_stream_matching("clicks-.*").map(text).to("rows");
  });
  trial.topic("clicks-a", 1);
  trial.topic("orders", 1);
  trial.produce("clicks-a", 0, {.value = "a"});
  trial.produce("orders", 0, {.value = "o"});
  CHECK(trial.catch_up() == 1);
  CHECK(trial.values("rows") == Values{"a"});
}

TEST_CASE("of a topic only the partitions are read that a stage names") {
  Trial trial([](stream::Pipeline& pipeline) {
    pipeline.direct_stream_of({{"t", 1}}).map(text).to("rows");
  });
  trial.topic("t", 2);
  trial.produce("t", 0, {.value = "a"});
  trial.produce("t", 1, {.value = "b"});
  CHECK(trial.catch_up() == 1);
  CHECK(trial.values("rows") == Values{"b"});
}

TEST_CASE("a source beside Kafka is a topic that the test fills") {
  Trial trial(
      [](stream::Pipeline& pipeline) { pipeline.queue_stream("orders", {}).map(text).to("rows"); });
  trial.topic("+queue.orders", 1);
  trial.produce("+queue.orders", 0, {.value = "a"});
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("rows") == Values{"a"});
}

TEST_CASE("what a stage finds bad is a dead letter with its record and the reason") {
  Trial trial([](stream::Pipeline& pipeline) {
    pipeline.direct_stream({"t"})
        .map(
            [](const stream::Message& message) -> stream::Step<std::string> {
              if (message.value() == "bad") return stream::Bad{"it says so"};
              return text(message);
            },
            "looked at")
        .to("rows");
  });
  trial.topic("t", 1);
  trial.produce("t", 0, {.value = "a"});
  trial.produce("t", 0, {.key = "k", .value = "bad", .timestamp_ms = 5});
  trial.run_batch();
  CHECK(trial.values("rows") == Values{"a"});
  CHECK(trial.dead_letters("rows") ==
        std::vector<testing::DeadLetter>{
            {{{"t", 0}, 1, 5, "k", "bad"}, "stage looked at: it says so"}});
}

TEST_CASE("it dies at each place once, and what is committed is as if it had not") {
  const auto place =
      GENERATE(from_range(testing::all_places().begin(), testing::all_places().end()));
  INFO(place);
  Trial trial([](stream::Pipeline& pipeline) {
    count(pipeline);
    pipeline.direct_stream({"t"}).map(text).to("copies");
  });
  trial.topic("t", 2);
  trial.produce("t", 0, {.value = "a"});
  trial.produce("t", 1, {.value = "a"});
  trial.crash_at(place);
  CHECK(trial.run_batch() == Ran::died);
  CHECK(trial.run_batch() == Ran::batch);
  trial.produce("t", 1, {.value = "a"});
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("counts") == Values{R"({"key":"a","value":2})", R"({"key":"a","value":3})"});
  CHECK(trial.values("copies") == Values{"a", "a", "a"});
  CHECK(trial.passes(place) >= 2);
}

TEST_CASE("a place is passed as often as the protocol says") {
  Trial trial([](stream::Pipeline& pipeline) {
    count(pipeline);
    pipeline.direct_stream({"t"}).map(text).to("copies");
  });
  trial.topic("t", 2);
  for (int batch = 0; batch < 3; ++batch) {
    trial.produce("t", 0, {.value = "a"});
    trial.run_batch();
  }
  // Partitions are entered, and then ~batches, in two outputs.
  const std::map<Place, int> passes{{Place::took_over, 1},
                                    {Place::entered_partitions, 4},
                                    {Place::planned, 3},
                                    {Place::persisted_plan, 3},
                                    {Place::began, 6},
                                    {Place::wrote_rows, 3},
                                    {Place::prepared_state, 3},
                                    {Place::committed_output, 6},
                                    {Place::committed_outputs, 3},
                                    {Place::applied_state, 3},
                                    {Place::settled, 3},
                                    {Place::forgot_plan, 3}};
  for (const auto& [place, times] : passes) {
    INFO(place);
    CHECK(trial.passes(place) == times);
  }
}

TEST_CASE(
    "a death between two outputs leaves one ahead, and a second one in the recovery harms "
    "nothing") {
  Trial trial(twice);
  trial.topic("t", 1);
  trial.produce("t", 0, {.value = "a"});
  trial.crash_at(Place::committed_output);
  CHECK(trial.run_batch() == Ran::died);
  CHECK(trial.values("first") == Values{"a"});
  CHECK(trial.values("second").empty());
  trial.crash_at(Place::wrote_rows);
  CHECK(trial.run_batch() == Ran::died);
  CHECK(trial.values("second").empty());
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("first") == Values{"a"});
  CHECK(trial.rows("second") == trial.rows("first"));
}

TEST_CASE("a commit that fails is tried again by the same process, each row there once") {
  const auto trouble = GENERATE(testing::Trouble::unavailable, testing::Trouble::lost_request,
                                testing::Trouble::lost_reply);
  const auto commit = GENERATE(1, 2);
  INFO(to_string(trouble) << " " << commit);
  Trial trial(twice);
  trial.topic("t", 1);
  trial.produce("t", 0, {.value = "a"});
  trial.fail_commit(trouble, commit);
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("first") == Values{"a"});
  CHECK(trial.rows("second") == trial.rows("first"));
  CHECK(trial.passes(Place::took_over) == 1);
  // Each output commits once, and what failed once more, but for what is found to be there.
  CHECK(trial.commits() == (trouble == testing::Trouble::lost_reply ? 2 : 3));
  trial.produce("t", 0, {.value = "b"});
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("second") == Values{"a", "b"});
  CHECK(trial.now_ms() == 1'700'000'001'000);
}

TEST_CASE("behind a death the batch that was under way is gone on with, at its time") {
  Trial trial(count);
  trial.topic("t", 1);
  trial.produce("t", 0, {.value = "a"});
  trial.crash_at(Place::persisted_plan);
  CHECK(trial.run_batch() == Ran::died);
  trial.produce("t", 0, {.value = "b"});
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("counts") == Values{R"({"key":"a","value":1})"});
  CHECK(trial.now_ms() == 1'700'000'000'000);
  CHECK(trial.run_batch() == Ran::batch);
  CHECK(trial.values("counts").size() == 2);
  CHECK(trial.now_ms() == 1'700'000'001'000);
}

TEST_CASE("the state outlives a restart, and another program is held to it") {
  Trial trial(count);
  trial.topic("t", 1);
  trial.produce("t", 0, {.value = "a"});
  trial.run_batch();
  trial.restart();
  trial.produce("t", 0, {.value = "a"});
  trial.run_batch();
  CHECK(trial.values("counts").back() == R"({"key":"a","value":2})");
  trial.restart([](stream::Pipeline& pipeline) { count_as(pipeline, "another"); });
  const auto error = error_of([&] { trial.run_batch(); });
  CHECK(error.cause == Cause::configuration);
  CHECK_THAT(error.message, Catch::Contains("there is state of a stage count"));
  trial.restart(count);
  trial.produce("t", 0, {.value = "a"});
  trial.run_batch();
  CHECK(trial.values("counts").back() == R"({"key":"a","value":3})");
}

TEST_CASE("a state that is dropped begins anew under its stage's other name") {
  Trial trial(count, {.drop_state = {"count"}});
  trial.topic("t", 1);
  for (const auto* name : {"count", "count", "another"}) {
    trial.restart([name](stream::Pipeline& pipeline) { count_as(pipeline, name); });
    trial.produce("t", 0, {.value = "a"});
    trial.run_batch();
  }
  CHECK(trial.values("counts") ==
        Values{R"({"key":"a","value":1})", R"({"key":"a","value":2})", R"({"key":"a","value":1})"});
}

TEST_CASE("what ends the pipeline is thrown, and the next batch starts anew") {
  bool throws = true;
  Trial trial([&throws](stream::Pipeline& pipeline) {
    pipeline.direct_stream({"t"}).map(text).for_each_batch(
        "done", [&throws](const stream::BatchInfo&, std::span<const std::string>) {
          if (throws) throw std::runtime_error("no network");
        });
  });
  trial.topic("t", 1);
  trial.produce("t", 0, {.value = "a"});
  const auto error = error_of([&] { trial.run_batch(); });
  CHECK(error.cause == Cause::program);
  CHECK_THAT(error.message, Catch::Contains("no network"));
  throws = false;
  CHECK(trial.run_batch() == Ran::batch);
}

TEST_CASE("what is called wrongly is told") {
  CHECK_THAT(error_of([] {
               Trial trial(copy);
               trial.run_batch();
             }).message,
             Catch::Contains("topic t is read, and is not there"));
  Trial trial(copy);
  trial.topic("t", 2);
  CHECK_THAT(error_of([&] { trial.produce("t", 2, {}); }).message, Catch::Contains("t[2]"));
  CHECK_THAT(error_of([&] { trial.topic("t", 1); }).message, Catch::Contains("none away"));
  CHECK_THAT(error_of([&] { trial.rows("rows"); }).message,
             Catch::Contains("none before the first batch"));
  trial.run_batch();
  CHECK(trial.rows("rows").empty());
  CHECK_THAT(error_of([&] { trial.rows("other"); }).message, Catch::Contains("there is rows"));
  CHECK_THAT(error_of([] { Trial([](stream::Pipeline&) {}).run_batch(); }).message,
             Catch::Contains("no stream leads to an output"));
  CHECK_THROWS_AS(Trial(copy, {.interval = std::chrono::milliseconds(0)}), Failed);
  CHECK_THROWS_AS(trial.crash_at(Place::began, 0), Failed);
}

TEST_CASE("rows are read into plain structs, and what is none is told") {
  Trial trial(count);
  trial.topic("t", 1);
  trial.produce("t", 0, {.value = "a"});
  trial.run_batch();
  const auto counts = trial.items<Counted>("counts");
  REQUIRE(counts.size() == 1);
  CHECK(counts.front().key == "a");
  CHECK(counts.front().value == 1);
  const auto error = error_of([&] { trial.items<Named>("counts"); });
  CHECK(error.cause == Cause::program);
  CHECK_THAT(error.message,
             Catch::Contains(R"({"key":"a","value":1}: )") && Catch::Contains("name"));
}

TEST_CASE("a trial is described by its topics, outputs and stages") {
  Trial trial(copy);
  trial.topic("t", 2);
  trial.produce("t", 1, {.value = "a"});
  trial.run_batch();
  CHECK(trial.describe() ==
        "topic t: 2 partitions, 1 records\n"
        "output rows: 1 rows, 0 dead letters\n"
        "direct_stream 1\n"
        "map 1 <- direct_stream 1\n"
        "output rows <- map 1, a row of each record, at its offset\n");
}
