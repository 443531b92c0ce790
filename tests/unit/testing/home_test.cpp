// state = "sink" in a trial: what is remembered is in the first output, whatever becomes of the
// machine.
#include <semel/testing.hpp>

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "unit/testing/counting.hpp"

using namespace semel;
using testing::crash_everywhere;
using testing::Trial;
using Values = std::vector<std::string>;

namespace {

void count_under(stream::Pipeline& pipeline, const char* name) {
  auto all = pipeline.direct_stream({"t"})
                 .map([](const stream::Message& message) { return std::string(message.value()); })
                 .share();
  all.stream()
      .key_by([](const std::string& value) { return value; })
      .map_values([](const std::string&) { return std::int64_t{1}; })
      .update_state_by_key<std::int64_t>(name, test::add)
      .to("counts");
  all.stream().to("copies");
}

void count_at_home(stream::Pipeline& pipeline) {
  count_under(pipeline, "count");
}

void one_batch(Trial& trial, const char* value) {
  trial.produce("t", 0, {.value = value});
  trial.run_batch();
}

}  // namespace

TEST_CASE("a state at its home and two outputs are the same, whatever place it dies at") {
  for (const bool elsewhere : {false, true}) {
    const auto report = crash_everywhere(count_at_home,
                                         [elsewhere](Trial& trial) {
                                           trial.topic("t", 2);
                                           for (const auto* value : {"a", "b", "a", "a"}) {
                                             trial.produce("t", 0, {.value = value});
                                             trial.produce("t", 1, {.value = value});
                                             trial.run_batch();
                                             if (elsewhere) trial.restart_elsewhere();
                                           }
                                         },
                                         {.state_in_sink = true});
    CHECK(report.crashes > 40);
    CHECK(report.troubles == 24);
    CHECK(report.differences == Values{});
  }
}

TEST_CASE("a state at its home goes on on another machine, and one on this machine does not") {
  for (const bool in_sink : {false, true}) {
    Trial trial(count_at_home, {.state_in_sink = in_sink});
    trial.topic("t", 1);
    one_batch(trial, "a");
    trial.restart_elsewhere();
    if (in_sink) {
      one_batch(trial, "a");
      CHECK(trial.values("counts").back() == R"({"key":"a","value":2})");
    } else {
      CHECK_THROWS_WITH(one_batch(trial, "a"), Catch::Contains("not on this machine"));
    }
  }
}

TEST_CASE("where it dies between the outputs, another machine computes the batch again, once") {
  Trial trial(count_at_home, {.state_in_sink = true});
  trial.topic("t", 1);
  one_batch(trial, "a");
  trial.produce("t", 0, {.value = "a"});
  // Home is the first output, and the last to commit.
  trial.crash_at(testing::Place::committed_output);
  CHECK(trial.run_batch() == testing::Ran::died);
  CHECK(trial.rows("copies").size() == 2);
  CHECK(trial.rows("counts").size() == 1);
  trial.restart_elsewhere();
  trial.catch_up();
  CHECK(trial.values("counts") == Values{R"({"key":"a","value":1})", R"({"key":"a","value":2})"});
  CHECK(trial.rows("copies").size() == 2);
}

TEST_CASE("another program is held to the state at its home, and may drop it there") {
  Trial trial(count_at_home, {.state_in_sink = true});
  trial.topic("t", 1);
  one_batch(trial, "a");
  trial.restart([](stream::Pipeline& pipeline) { count_under(pipeline, "another"); });
  trial.produce("t", 0, {.value = "a"});
  CHECK_THROWS_WITH(trial.run_batch(), Catch::Contains("there is state of a stage count"));

  Trial dropping(count_at_home, {.drop_state = {"count"}, .state_in_sink = true});
  dropping.topic("t", 1);
  for (const auto* name : {"count", "count", "another"}) {
    dropping.restart([name](stream::Pipeline& pipeline) { count_under(pipeline, name); });
    one_batch(dropping, "a");
    dropping.restart_elsewhere();
  }
  CHECK(dropping.values("counts") ==
        Values{R"({"key":"a","value":1})", R"({"key":"a","value":2})", R"({"key":"a","value":1})"});
  // What was dropped is gone from home; what took its place is not.
  dropping.restart(count_at_home);
  CHECK_THROWS_WITH(one_batch(dropping, "a"), Catch::Contains("there is state of a stage another"));
}

TEST_CASE("windows and time-outs of a state at its home go on on another machine") {
  Trial trial(
      [](stream::Pipeline& pipeline) {
        pipeline.direct_stream({"t"})
            .map([](const stream::Message& message) { return std::string(message.value()); })
            .key_by([](const std::string& value) { return value; })
            .map_values([](const std::string&) { return std::int64_t{1}; })
            .reduce_by_key_and_window("hourly", std::plus<>(), std::minus<>(),
                                      stream::Slide{3'600'000, 1'800'000})
            .map([](const std::string& key, const stream::Windowed<std::int64_t>& window) {
              return key + std::to_string(window.value);
            })
            .to("windows");
      },
      {.state_in_sink = true});
  trial.topic("t", 1);
  one_batch(trial, "a");
  for (int half_hour = 0; half_hour < 4; ++half_hour) {
    trial.restart_elsewhere();
    trial.advance(std::chrono::minutes(30));
    trial.run_batch();
  }
  CHECK(trial.values("windows") == Values{"a1", "a1"});
}
