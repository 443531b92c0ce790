// The streams of clicks.cpp, tested: without Kafka and databases, in milliseconds.
#include "clicks.hpp"

#include "check.hpp"

#include <semel/testing.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace trials = semel::testing;

namespace {

using Values = std::vector<std::string>;

void streams(stream::Pipeline& pipeline) {
  clicks(pipeline, {{"ann", "FR"}, {"bob", "DE"}});
}

void click(trials::Trial& trial, const std::string& user, const std::string& page, int minute) {
  trial.produce("clicks", minute % 2,
                {.value = R"({"user":")" + user + R"(","page":")" + page + R"(","at_ms":)" +
                          std::to_string(minute * 60'000) + "}"});
}

/// A morning: two visits of ann's, one each of bob's and eve's; what comes at minute 67 ends the
/// hour.
void morning(trials::Trial& trial) {
  trial.topic("clicks", 2);
  click(trial, "ann", "home", 0);
  click(trial, "ann", "shop", 10);
  click(trial, "bob", "home", 20);
  trial.run_batch();
  click(trial, "eve", "home", 21);
  click(trial, "ann", "shop", 67);
  trial.run_batch();
}

void the_morning_is_told() {
  trials::Trial trial(streams);
  morning(trial);
  check(trial.values("known").size() == 4, "clicks of users that are known have their country");
  check(trial.dead_letters("known").size() == 1 &&
            trial.dead_letters("known")[0].reason == "stage country: nobody knows this user",
        "one of a user that nobody knows is set aside");
  auto visits = trial.values("visits");
  std::ranges::sort(visits);
  check(visits == Values{R"({"user":"ann","start_ms":0,"end_ms":2400000,"clicks":2})",
                         R"({"user":"bob","start_ms":1200000,"end_ms":3000000,"clicks":1})",
                         R"({"user":"eve","start_ms":1260000,"end_ms":3060000,"clicks":1})"},
        "visits end half an hour after their last click");
  check(trial.values("top") == Values{R"({"hour_ms":0,"rank":1,"page":"home","clicks":3})",
                                      R"({"hour_ms":0,"rank":2,"page":"shop","clicks":1})"},
        "the pages of an hour are ranked");
}

void it_dies_anywhere() {
  const auto report = trials::crash_everywhere(streams, morning);
  for (const auto& difference : report.differences) std::printf("%s\n", difference.c_str());
  check(report.crashes > 0 && report.differences.empty(),
        "whatever place it dies at, the result is the same");
}

}  // namespace

int main() {
  the_morning_is_told();
  it_dies_anywhere();
  return failures == 0 ? 0 : 1;
}
