// Whether a pipeline that counts once is found to do so, and one that does not is found out.
#include <semel/testing.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "unit/testing/counting.hpp"

using namespace semel;
using testing::crash_everywhere;
using testing::Trial;

namespace {

auto records(stream::Pipeline& pipeline) {
  return pipeline.direct_stream({"t"}).map(
      [](const stream::Message& message) { return std::string(message.value()); });
}

/// Three batches over two partitions, in which each value comes twice.
void three_batches(Trial& trial) {
  trial.topic("t", 2);
  for (const auto* value : {"a", "b", "a"}) {
    trial.produce("t", 0, {.value = value});
    trial.produce("t", 1, {.value = value});
    trial.run_batch();
  }
}

void count_and_copy(stream::Pipeline& pipeline) {
  auto all = records(pipeline).share();
  all.stream()
      .key_by([](const std::string& value) { return value; })
      .map_values([](const std::string&) { return std::int64_t{1}; })
      .update_state_by_key<std::int64_t>("count", test::add)
      .to("counts");
  all.stream().to("copies");
}

}  // namespace

TEST_CASE("a state and two outputs are the same, whatever place it dies at") {
  const auto report = crash_everywhere(count_and_copy, three_batches);
  // 5 at the start; in each batch 8 places once, and 2 once for each output.
  CHECK(report.crashes == 41);
  // Three ways, of three commits of two outputs.
  CHECK(report.troubles == 18);
  CHECK(report.differences == std::vector<std::string>{});
}

TEST_CASE("rows of records alone are the same, too") {
  const auto report = crash_everywhere(
      [](stream::Pipeline& pipeline) { records(pipeline).to("copies"); }, three_batches);
  CHECK(report.crashes == 38);
  CHECK(report.differences == std::vector<std::string>{});
}

TEST_CASE("windows of a virtual hour are the same, whatever place it dies at") {
  const auto report = crash_everywhere(
      [](stream::Pipeline& pipeline) {
        records(pipeline)
            .key_by([](const std::string& value) { return value; })
            .map_values([](const std::string&) { return std::int64_t{1}; })
            .reduce_by_key_and_window("hourly", std::plus<>(), std::minus<>(),
                                      stream::Slide{3'600'000, 1'800'000})
            .map([](const std::string& key, const stream::Windowed<std::int64_t>& window) {
              return key + " " + std::to_string(window.value) + " until " +
                     std::to_string(window.end_ms);
            })
            .to("windows");
      },
      [](Trial& trial) {
        trial.topic("t", 1);
        trial.produce("t", 0, {.value = "a"});
        trial.run_batch();
        for (int half_hour = 0; half_hour < 3; ++half_hour) {
          trial.advance(std::chrono::minutes(30));
          trial.run_batch();
        }
        trial.note(std::to_string(trial.rows("windows").size()));
        CHECK(trial.rows("windows").size() == 2);
      });
  CHECK(report.crashes == 43);
  CHECK(report.differences == std::vector<std::string>{});
}

TEST_CASE("a function that counts in a global is found out") {
  auto seen = std::make_shared<int>(0);
  const auto report = crash_everywhere(
      [seen](stream::Pipeline& pipeline) {
        records(pipeline)
            .map([seen](const std::string& value) { return value + std::to_string(++*seen); })
            .to("numbered");
      },
      [seen](Trial& trial) {
        *seen = 0;
        three_batches(trial);
      });
  REQUIRE_FALSE(report.differences.empty());
  // Records of one partition are rows, and counted, when it dies: they are numbered once more.
  CHECK_THAT(report.differences.front(), Catch::Contains("output numbered: t[0] 0") &&
                                             Catch::Contains("value a2, and without"));
}

TEST_CASE("a function that remembers by itself forgets, and is found out") {
  const auto report = crash_everywhere(
      [](stream::Pipeline& pipeline) {
        records(pipeline)
            .map([seen = 0](const std::string& value) mutable {
              return value + std::to_string(++seen);
            })
            .to("numbered");
      },
      three_batches);
  CHECK_FALSE(report.differences.empty());
}

TEST_CASE("a function that remembers by itself is called again by the process that goes on") {
  auto calls = std::make_shared<int>(0);
  const auto report = crash_everywhere(
      [calls](stream::Pipeline& pipeline) {
        records(pipeline)
            .map([calls](const std::string& value) {
              ++*calls;
              return value;
            })
            .to("copies");
      },
      [calls](Trial& trial) {
        *calls = 0;
        three_batches(trial);
        // Without a death.
        if (trial.passes(testing::Place::took_over) == 1)
          trial.note(std::to_string(*calls));
        else
          trial.note("6");
      });
  CHECK(report.troubles == 18);
  const auto told = [&](const std::string& what) {
    return std::ranges::find(report.differences, what) != report.differences.end();
  };
  CHECK(told("unavailable, commit 1: notes: 7, and without a crash 6"));
  CHECK(told("lost_request, commit 6: notes: 7, and without a crash 6"));
  // What is committed is not computed again.
  CHECK_FALSE(told("lost_reply, commit 1: notes: 7, and without a crash 6"));
}

TEST_CASE("for_each_batch that adds up elsewhere is found out, and one that replaces is not") {
  int sum = 0;
  std::map<std::int64_t, std::size_t> by_batch;
  const Trial::Program program = [&](stream::Pipeline& pipeline) {
    records(pipeline).for_each_batch(
        "elsewhere", [&](const stream::BatchInfo& batch, std::span<const std::string> items) {
          sum += static_cast<int>(items.size());
          by_batch[batch.time.ms] = items.size();
        });
  };
  const auto adding = crash_everywhere(program, [&](Trial& trial) {
    sum = 0;
    three_batches(trial);
    trial.note("sum " + std::to_string(sum));
  });
  REQUIRE_FALSE(adding.differences.empty());
  CHECK(adding.differences.front() ==
        "wrote_rows, time 1: notes: sum 8, and without a crash sum 6");

  const auto replacing = crash_everywhere(program, [&](Trial& trial) {
    by_batch.clear();
    three_batches(trial);
    for (const auto& [time, items] : by_batch) {
      trial.note(std::to_string(time) + ": " + std::to_string(items));
    }
    CHECK(trial.notes().size() == 3);
  });
  CHECK(replacing.differences == std::vector<std::string>{});
}

TEST_CASE("what a scenario throws behind a crash is a difference") {
  const auto report = crash_everywhere(count_and_copy, [](Trial& trial) {
    three_batches(trial);
    if (trial.passes(testing::Place::took_over) > 1) throw std::runtime_error("started twice");
  });
  CHECK(report.differences.size() == static_cast<std::size_t>(report.crashes));
  CHECK(report.troubles == 18);
  CHECK(report.differences.front() == "took_over, time 1: started twice");
}
