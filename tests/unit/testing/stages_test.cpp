// Stages of every kind that remembers or gathers, in one pipeline, disturbed wherever it can be.
#include <semel/testing.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "unit/testing/counting.hpp"

using namespace semel;
using testing::Trial;

namespace {

struct Click {
  std::string user;
  std::int64_t at;
};

std::int64_t time_of(const std::int64_t& at) {
  return at;
}

auto by_user(const auto& clicks) {
  return clicks.stream()
      .key_by([](const Click& click) { return click.user; })
      .map_values([](const Click& click) { return click.at; });
}

void all_kinds(stream::Pipeline& pipeline) {
  const auto clicks = pipeline.direct_stream({"clicks"}).map(json::as<Click>(), "read").share();
  const auto latest = [](const std::int64_t& a, const std::int64_t& b) { return std::max(a, b); };
  by_user(clicks)
      .reduce_by_key_and_event_window("sessions", time_of, latest, stream::Session{30'000})
      .to("sessions");
  by_user(clicks)
      .reduce_by_key_and_event_window("sliding", time_of, latest, stream::Sliding{60'000, 20'000},
                                      {.delay_ms = 10'000, .lateness_ms = 20'000})
      .to("sliding");
  by_user(clicks)
      .map_with_state<std::int64_t>("numbered",
                                    [](const std::string&, std::optional<std::int64_t> at,
                                       stream::StateOfKey<std::int64_t>& count) -> std::string {
                                      if (!at) return "gone after " + std::to_string(count.get());
                                      count.set(count.get_optional().value_or(0) + 1);
                                      return std::to_string(*at) + " is number " +
                                             std::to_string(count.get());
                                    },
                                    {.time_out_ms = 90'000})
      .to("numbered");
  auto names = pipeline.direct_stream({"names"})
                   .key_by([](const stream::Message& m) { return std::string(m.key()); })
                   .map_values([](const stream::Message& m) { return std::string(m.value()); });
  by_user(clicks)
      .cogroup(std::move(names))
      .map([](const std::string& user, const auto& both) {
        return user + " has " + std::to_string(both.first.size()) + " clicks and " +
               std::to_string(both.second.size()) + " names";
      })
      .to("met");
}

std::string click(const char* user, std::int64_t at) {
  return json::write(Click{user, at});
}

void minutes_of_clicks(Trial& trial) {
  trial.topic("clicks", 2);
  trial.topic("names", 1);
  const auto start = trial.now_ms();
  for (int batch = 0; batch < 5; ++batch) {
    const auto now = start + batch * 40'000;
    trial.produce("clicks", 0, {.value = click("anna", now)});
    trial.produce("clicks", 1, {.value = click("ben", now - 15'000)});
    if (batch == 2) {
      trial.produce("clicks", 0, {.value = "no JSON"});
      trial.produce("clicks", 1, {.value = click("ben", start - 100'000)});  // late
      trial.produce("names", 0, {.key = "anna", .value = "Anna"});
    }
    trial.run_batch();
    trial.advance(std::chrono::seconds(39));
  }
  for (int quiet = 0; quiet < 3; ++quiet) {
    trial.advance(std::chrono::minutes(1));
    trial.run_batch();
  }
}

}  // namespace

TEST_CASE("windows, time-outs, joins and dead letters are the same, whatever happens") {
  bool seen = false;
  const auto report = testing::crash_everywhere(all_kinds, [&seen](Trial& trial) {
    minutes_of_clicks(trial);
    if (std::exchange(seen, true)) return;
    // All of it is in the scenario.
    CHECK(trial.rows("sessions").size() > 2);
    CHECK(trial.rows("sliding").size() > 5);
    CHECK(trial.rows("numbered").size() == 13);
    const auto numbered = trial.values("numbered");
    CHECK(std::ranges::count(numbered, R"({"key":"anna","value":"gone after 5"})") == 1);
    CHECK(std::ranges::count(numbered, R"({"key":"ben","value":"gone after 6"})") == 1);
    CHECK(trial.rows("met").size() == 10);
    CHECK(trial.dead_letters("sessions").size() == 2);
    CHECK(trial.dead_letters("met").size() == 1);
  });
  CHECK(report.crashes > 100);
  CHECK(report.troubles > 50);
  CHECK(report.differences == std::vector<std::string>{});
}

TEST_CASE("an output that is added goes on where the others are, whatever happens") {
  const auto report = testing::crash_everywhere(
      [](stream::Pipeline& pipeline) {
        pipeline.direct_stream({"t"})
            .key_by([](const stream::Message& m) { return std::string(m.value()); })
            .map_values([](const stream::Message&) { return std::int64_t{1}; })
            .update_state_by_key<std::int64_t>("count", test::add)
            .to("counts");
      },
      [](Trial& trial) {
        trial.topic("t", 1);
        const auto batch = [&trial] {
          trial.produce("t", 0, {.value = "a"});
          trial.run_batch();
        };
        batch();
        batch();
        trial.restart([](stream::Pipeline& pipeline) {
          auto counted =
              pipeline.direct_stream({"t"})
                  .key_by([](const stream::Message& m) { return std::string(m.value()); })
                  .map_values([](const stream::Message&) { return std::int64_t{1}; })
                  .update_state_by_key<std::int64_t>("count", test::add)
                  .share();
          counted.stream().to("counts");
          counted.stream().to("more");
        });
        batch();
        batch();
        CHECK(trial.values("counts").size() == 4);
        CHECK(trial.values("more") == std::vector<std::string>{R"(["a",3])", R"(["a",4])"});
      });
  CHECK(report.crashes > 40);
  CHECK(report.differences == std::vector<std::string>{});
}
