// The streams of word_count.cpp, tested: without Kafka and databases, in milliseconds.
#include "word_count.hpp"

#include "check.hpp"

#include <semel/testing.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace trials = semel::testing;

namespace {

using Values = std::vector<std::string>;

void totals_go_on() {
  trials::Trial trial(word_count);
  trial.topic("lines", 4);
  trial.produce("lines", 0, {.value = "to be or"});
  trial.produce("lines", 3, {.value = "not to be"});
  trial.run_batch();
  trial.produce("lines", 1, {.value = "to do"});
  trial.run_batch();
  check(
      trial.values("totals") == Values{R"({"word":"to","total":2})", R"({"word":"be","total":2})",
                                       R"({"word":"or","total":1})", R"({"word":"not","total":1})",
                                       R"({"word":"to","total":3})", R"({"word":"do","total":1})"},
      "a total goes on from batch to batch");
}

void an_output_is_ahead() {
  trials::Trial trial(word_count);
  trial.topic("lines", 1);
  trial.produce("lines", 0, {.value = "to be"});
  trial.crash_at(trials::Place::committed_output);
  check(trial.run_batch() == trials::Ran::died, "it dies when the first output has the batch");
  check(trial.rows("batches").size() == 2 && trial.rows("totals").empty(), "the other has not");
  trial.run_batch();
  check(trial.rows("batches").size() == 2 && trial.rows("totals").size() == 2,
        "started anew, both have it once");
}

void it_dies_anywhere() {
  const auto report = trials::crash_everywhere(word_count, [](trials::Trial& trial) {
    trial.topic("lines", 2);
    for (const auto* line : {"to be or", "not to be", "or not"}) {
      trial.produce("lines", 0, {.value = line});
      trial.produce("lines", 1, {.value = line});
      trial.run_batch();
    }
  });
  for (const auto& difference : report.differences) std::printf("%s\n", difference.c_str());
  check(report.crashes > 0 && report.differences.empty(),
        "whatever place it dies at, the result is the same");
}

}  // namespace

int main() {
  totals_go_on();
  an_output_is_ahead();
  it_dies_anywhere();
  return failures == 0 ? 0 : 1;
}
