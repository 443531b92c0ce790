#include <functional>
#include <optional>
#include <string>

#include "support/catch.hpp"
#include "unit/stream/remembering.hpp"

namespace semel::test {

using stream::Bad;
using stream::StateOfKey;
using stream::StateOptions;

namespace {

auto words(Trial& trial) {
  return trial.source()
      .flat_map<std::string>([](const stream::Message& m, auto emit) { split(m, emit); })
      .key_by([](const std::string& word) { return word; })
      .map_values([](const std::string&) { return 1; });
}

std::optional<int> sum(const std::string&, std::span<const int> values, std::optional<int> before) {
  return std::accumulate(values.begin(), values.end(), before.value_or(0));
}

}  // namespace

TEST_CASE("update_state_by_key goes on from batch to batch, and shows what changed") {
  Remembering r;
  words(r.trial).update_state_by_key<int>("counts", sum).to("out");
  CHECK(r.one({"a b a"}, 10) == Came{{R"({"key":"a","value":2})", R"({"key":"b","value":1})"}, {}});
  CHECK(r.one({}, 20) == Came{});
  CHECK(r.one({"b c"}, 30) == Came{{R"({"key":"b","value":2})", R"({"key":"c","value":1})"}, {}});
}

TEST_CASE("a batch that was not committed did not change the state") {
  Remembering r;
  words(r.trial).update_state_by_key<int>("counts", sum).to("out");
  r.one({"a"}, 10);
  r.lose({"a a a b"}, 20);
  CHECK(r.one({"a b"}, 20) == Came{{R"({"key":"a","value":2})", R"({"key":"b","value":1})"}, {}});
}

TEST_CASE("a state that is nothing is forgotten, and no row comes of it") {
  Remembering r;
  words(r.trial)
      .update_state_by_key<int>("counts",
                                [](const std::string&, std::span<const int> values,
                                   std::optional<int> before) -> std::optional<int> {
                                  const auto now =
                                      before.value_or(0) + static_cast<int>(values.size());
                                  if (now >= 3) return std::nullopt;
                                  return now;
                                })
      .to("out");
  r.one({"a a"}, 10);
  CHECK(r.one({"a"}, 20) == Came{});
  CHECK(r.one({"a"}, 30) == Came{{R"({"key":"a","value":1})"}, {}});
}

TEST_CASE("where the function throws, the key's values are one dead letter, and its state stays") {
  Remembering r;
  words(r.trial)
      .update_state_by_key<int>(
          "counts",
          [](const std::string& key, std::span<const int> values, std::optional<int> before) {
            if (values.size() == 2) throw Bad{"two " + key};
            return sum(key, values, before);
          })
      .to("out");
  r.one({"a"}, 10);
  CHECK(r.one({"a a b"}, 20) == Came{{R"({"key":"b","value":1})"}, {"a: counts: two a"}});
  CHECK(r.one({"a"}, 30) == Came{{R"({"key":"a","value":2})"}, {}});
}

TEST_CASE("a key times out after so long without values, in a batch without records too") {
  Remembering r;
  std::vector<std::string> asked;
  words(r.trial)
      .update_state_by_key<int>(
          "counts",
          [&asked](const std::string& key, std::span<const int> values,
                   std::optional<int> before) -> std::optional<int> {
            if (!values.empty()) return sum(key, values, before);
            asked.push_back(key);
            return key == "keep" ? before : std::nullopt;
          },
          StateOptions{.time_out_ms = 100})
      .to("out");
  r.one({"a keep"}, 1'000);
  r.one({"b"}, 1'050);
  CHECK(r.one({}, 1'099) == Came{});
  CHECK(r.one({}, 1'100) == Came{{R"({"key":"keep","value":1})"}, {}});
  CHECK(asked == Values{"a", "keep"});
  CHECK(r.one({"a"}, 1'120) == Came{{R"({"key":"a","value":1})"}, {}});
  asked.clear();
  r.one({}, 1'150);
  CHECK(asked == Values{"b"});
  asked.clear();
  r.one({}, 1'200);
  CHECK(asked == Values{"keep"});
}

TEST_CASE("a key whose time-out throws is forgotten, with one dead letter") {
  Remembering r;
  words(r.trial)
      .update_state_by_key<int>(
          "counts",
          [](const std::string& key, std::span<const int> values, std::optional<int> before) {
            if (values.empty()) throw Bad{"not at " + key};
            return sum(key, values, before);
          },
          StateOptions{.time_out_ms = 100})
      .to("out");
  r.one({"a"}, 1'000);
  CHECK(r.one({}, 1'100) == Came{{}, {"a: counts: not at a"}});
  CHECK(r.one({}, 1'200) == Came{});
}

TEST_CASE("map_with_state sees each value in turn") {
  Remembering r;
  words(r.trial)
      .map_with_state<int>(
          "seen",
          [](const std::string& key, std::optional<int> value,
             StateOfKey<int>& state) -> stream::Step<std::string> {
            if (!value) return "gone after " + std::to_string(state.get());
            const auto now = (state.exists() ? state.get() : 0) + *value;
            if (key == "bad") return Bad{"bad"};
            if (now == 3) {
              state.remove();
            } else {
              state.set(now);
            }
            return std::to_string(now);
          },
          StateOptions{.time_out_ms = 100})
      .to("out");
  CHECK(r.one({"a b a bad"}, 10) ==
        Came{{R"({"key":"a","value":"1"})", R"({"key":"b","value":"1"})",
              R"({"key":"a","value":"2"})"},
             {"bad: seen: bad"}});
  CHECK(r.one({"a a"}, 20) ==
        Came{{R"({"key":"a","value":"3"})", R"({"key":"a","value":"1"})"}, {}});
  CHECK(r.one({}, 110) == Came{{R"({"key":"b","value":"gone after 1"})"}, {}});
  CHECK(r.one({"b"}, 115) == Came{{R"({"key":"b","value":"1"})"}, {}});
}

TEST_CASE("what is remembered of keys that are gone is gone from the disk") {
  Remembering r;
  words(r.trial)
      .map_with_state<int>(
          "seen",
          [](const std::string&, std::optional<int> value, StateOfKey<int>& state) {
            if (value) state.set(*value);
            return 0;
          },
          StateOptions{.time_out_ms = 100})
      .to("out");
  r.one({"a b c"}, 10);
  CHECK(r.keys() == 7);  // three values, three times, one description
  r.one({"a"}, 50);
  CHECK(r.keys() == 7);
  r.one({}, 200);
  CHECK(r.keys() == 1);
}

TEST_CASE("state of a stage that is gone, or of another type, is not used") {
  Remembering r;
  words(r.trial).update_state_by_key<int>("counts", sum).to("out");
  r.one({"a"}, 10);

  Trial same;
  words(same).update_state_by_key<int>("counts", sum).to("out");
  CHECK(r.check(same));

  Trial other_type;
  words(other_type)
      .update_state_by_key<std::string>(
          "counts", [](const auto&, auto, std::optional<std::string> s) { return s; })
      .to("out");
  CHECK_THAT(r.check(other_type).error().message,
             Catch::Contains("counts") && Catch::Contains("another type"));

  Trial narrower;
  words(narrower)
      .update_state_by_key<short>("counts",
                                  [](const auto&, auto, std::optional<short> s) { return s; })
      .to("out");
  CHECK_FALSE(r.check(narrower));

  Trial other_encoding;
  words(other_encoding).update_state_by_key<int>("counts", sum, {.encoding = 2}).to("out");
  CHECK_FALSE(r.check(other_encoding));

  Trial renamed;
  words(renamed).update_state_by_key<int>("sums", sum).to("out");
  CHECK_THAT(r.check(renamed).error().message, Catch::Contains("state of a stage counts"));
  CHECK(r.check(renamed, {"counts"}));
  CHECK(r.keys() == 0);
}

TEST_CASE("state that was dropped after a crash does not come back by what was prepared") {
  Remembering r;
  words(r.trial).update_state_by_key<int>("counts", sum).to("out");
  r.die_prepared({"a b"}, 10);

  Trial renamed;
  words(renamed).update_state_by_key<int>("sums", sum).to("out");
  CHECK_THAT(r.check(renamed).error().message, Catch::Contains("state of a stage counts"));
  CHECK(r.check(renamed, {"counts"}));
  r.apply();
  CHECK(r.keys() == 0);
  CHECK(r.check(renamed));
}

TEST_CASE("state that is prepared, of another type, is not used") {
  Remembering r;
  words(r.trial).update_state_by_key<int>("counts", sum).to("out");
  r.die_prepared({"a"}, 10);
  Trial other_type;
  words(other_type)
      .update_state_by_key<std::string>(
          "counts", [](const auto&, auto, std::optional<std::string> s) { return s; })
      .to("out");
  CHECK_FALSE(r.check(other_type));
}

TEST_CASE("a stage with state has a name") {
  Trial trial;
  CHECK_THROWS_WITH(words(trial).update_state_by_key<int>("", sum).to("out"),
                    Catch::Contains("has no name"));
}

}  // namespace semel::test
