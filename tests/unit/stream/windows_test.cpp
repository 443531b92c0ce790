#include <functional>
#include <map>
#include <random>
#include <string>

#include "support/catch.hpp"
#include "unit/stream/remembering.hpp"

namespace semel::test {

using stream::EventTime;
using stream::Late;
using stream::Session;
using stream::Slide;
using stream::Sliding;
using stream::Step;
using stream::Tumbling;
using stream::Windowed;
using stream::Windows;

namespace {

struct Seen {
  std::string key;
  std::int64_t time_ms;
  int count;
};

/// "key time count"
Step<Seen> seen(const stream::Message& message) {
  std::vector<std::string> parts;
  auto emit = [&parts](std::string part) { parts.push_back(std::move(part)); };
  split(message, emit);
  return Seen{parts.at(0), std::stoll(parts.at(1)), std::stoi(parts.at(2))};
}

Seen both(const Seen& a, const Seen& b) {
  return {a.key, std::max(a.time_ms, b.time_ms), a.count + b.count};
}

/// "key start-end count"
Step<std::string> shown(const std::string& key, const Windowed<Seen>& window) {
  return key + " " + std::to_string(window.start_ms) + "-" + std::to_string(window.end_ms) + " " +
         std::to_string(window.value.count);
}

auto by_key(Trial& trial) {
  return trial.source().map(seen).key_by([](const Seen& s) { return s.key; });
}

void event_windows(Trial& trial, Windows windows, EventTime event_time = {}) {
  by_key(trial)
      .reduce_by_key_and_event_window(
          "w", [](const Seen& s) { return s.time_ms; }, both, windows, event_time)
      .map(shown)
      .to("out");
}

auto ones(Trial& trial) {
  return trial.source()
      .flat_map<std::string>([](const stream::Message& m, auto emit) { split(m, emit); })
      .key_by([](const std::string& word) { return word; })
      .map_values([](const std::string&) { return 1; });
}

Step<std::string> sum_shown(const std::string& key, const Windowed<int>& window) {
  return key + " " + std::to_string(window.start_ms) + "-" + std::to_string(window.end_ms) + " " +
         std::to_string(window.value);
}

/// Counts what a stage asks of its state. What was erased is passed over one by one, as RocksDB
/// does until it compacts.
class CountedState final : public stream::detail::StateOfStage {
 public:
  std::optional<std::string> get(std::string_view key) override {
    ++reads;
    const auto found = all_.find(key);
    return found == all_.end() ? std::nullopt : found->second;
  }
  void put(std::string_view key, std::string_view value) override {
    ++writes;
    all_.insert_or_assign(std::string(key), std::string(value));
  }
  void erase(std::string_view key) override {
    ++writes;
    all_.insert_or_assign(std::string(key), std::nullopt);
  }
  void scan(std::string_view from,
            const std::function<bool(std::string_view, std::string_view)>& see) override {
    for (auto at = all_.lower_bound(from); at != all_.end(); ++at) {
      ++reads;
      if (at->second && !see(at->first, *at->second)) break;
    }
  }

  std::size_t reads = 0;
  std::size_t writes = 0;

 private:
  std::map<std::string, std::optional<std::string>, std::less<>> all_;
};

/// A trial of one stage with such a state.
class Counting {
 public:
  Trial trial;
  CountedState state;

  Came one(const Values& values, std::int64_t time_ms) {
    const Trial::States states{{trial.graph().states.front().stage, &state}};
    state.reads = state.writes = 0;
    return trial.one(values, time_ms, &states);
  }
};

Values numbered(int from, int until, const std::string& behind = {}) {
  Values values;
  for (int i = from; i < until; ++i) values.push_back("k" + std::to_string(i) + behind);
  return values;
}

}  // namespace

TEST_CASE("a window of batches has what came in its length, and is shown at its end") {
  for (const bool inverse : {false, true}) {
    INFO(inverse);
    Remembering r;
    if (inverse) {
      ones(r.trial)
          .reduce_by_key_and_window("w", std::plus<>(), std::minus<>(), Slide{200, 100})
          .map(sum_shown)
          .to("out");
    } else {
      ones(r.trial)
          .reduce_by_key_and_window("w", std::plus<>(), Slide{200, 100})
          .map(sum_shown)
          .to("out");
    }
    CHECK(r.one({"a b"}, 1'010) == Came{});
    CHECK(r.one({"a"}, 1'090) == Came{});
    // The window [900, 1100) ends: what this batch brings is in the next one.
    CHECK(r.one({"a"}, 1'100) == Came{{"a 900-1100 2", "b 900-1100 1"}, {}});
    CHECK(r.one({}, 1'200) == Came{{"a 1000-1200 3", "b 1000-1200 1"}, {}});
    CHECK(r.one({}, 1'300) == Came{{"a 1100-1300 1"}, {}});
    CHECK(r.one({}, 1'400) == Came{});
    // After a long pause all windows that had something are shown, each by itself.
    r.one({"c"}, 5'050);
    CHECK(r.one({"c"}, 9'950) == Came{{"c 4900-5100 1", "c 5000-5200 1"}, {}});
    CHECK(r.one({}, 10'000) == Came{{"c 9800-10000 1"}, {}});
  }
}

TEST_CASE("what a window does not need any more is not kept") {
  Remembering r;
  ones(r.trial)
      .reduce_by_key_and_window("w", std::plus<>(), Slide{200, 100})
      .map(sum_shown)
      .to("out");
  r.one({"a b c"}, 1'000);
  CHECK(r.keys() == 5);
  r.one({}, 1'400);
  CHECK(r.keys() == 2);  // how it is kept, and where it stands
}

TEST_CASE("reduce_by_window has all items as of one key") {
  Remembering r;
  r.trial.source()
      .map([](const stream::Message& m) { return std::stoi(text(m)); })
      .reduce_by_window("w", std::plus<>(), Slide{100, 100})
      .map([](const Windowed<int>& window) { return window.value; })
      .to("out");
  r.one({"1", "2"}, 1'000);
  r.one({"4"}, 1'050);
  CHECK(r.one({"8"}, 1'100) == Came{{"7"}, {}});
}

TEST_CASE("a tumbling window is shown once the watermark has passed its end") {
  Remembering r;
  event_windows(r.trial, Tumbling{100}, {.delay_ms = 50});
  CHECK(r.one({"a 110 1", "b 120 1", "a 190 2"}, 1) == Came{});
  // The watermark is 245 - 50.
  CHECK(r.one({"a 245 4"}, 2) == Came{});
  CHECK(r.one({"c 199 7"}, 3) == Came{});
  CHECK(r.one({"a 250 8"}, 4) == Came{{"a 100-200 3", "b 100-200 1", "c 100-200 7"}, {}});
  CHECK(r.one({}, 5) == Came{});
  CHECK(r.one({"b 199 1"}, 6) ==
        Came{{}, {"b: w: in time: it is late: its time is 199, and the watermark is 200"}});
}

TEST_CASE("within the allowed lateness a window is shown again, and then no more") {
  Remembering r;
  event_windows(r.trial, Tumbling{100}, {.delay_ms = 0, .lateness_ms = 50});
  r.one({"a 110 1"}, 1);
  CHECK(r.one({"z 200 1"}, 2) == Came{{"a 100-200 1"}, {}});
  CHECK(r.one({"a 120 2", "b 130 5"}, 3) == Came{{"a 100-200 3", "b 100-200 5"}, {}});
  CHECK(r.one({"z 249 1"}, 4) == Came{});
  CHECK(r.one({"a 150 4"}, 5) == Came{{"a 100-200 7"}, {}});
  r.one({"z 250 1"}, 6);
  CHECK(r.one({"a 199 1"}, 7).letters.size() == 1);
}

TEST_CASE("a time is in each sliding window that has it") {
  Remembering r;
  event_windows(r.trial, Sliding{100, 50});
  CHECK(r.one({"a 120 1", "a 160 2"}, 1) == Came{{"a 50-150 1"}, {}});
  CHECK(r.one({"a 300 4"}, 2) == Came{{"a 100-200 3", "a 150-250 2"}, {}});
  CHECK(r.one({"a 1000 1"}, 3) == Came{{"a 250-350 4", "a 300-400 4"}, {}});
}

TEST_CASE("a session ends when nothing came for the gap, and two that meet are one") {
  Remembering r;
  event_windows(r.trial, Session{50}, {.delay_ms = 100});
  CHECK(r.one({"a 100 1", "a 120 2", "a 200 4", "b 100 9"}, 1) == Came{});
  // 160 joins what was [100, 170) and [200, 250).
  CHECK(r.one({"a 160 8"}, 2) == Came{});
  CHECK(r.one({"z 400 1"}, 3) == Came{{"b 100-150 9", "a 100-250 15"}, {}});
  // At the end of the gap another one begins.
  CHECK(r.one({"c 500 1", "c 550 1"}, 4) == Came{{"z 400-450 1"}, {}});
  CHECK(r.one({"z 1000 1"}, 5) == Came{{"c 500-550 1", "c 550-600 1"}, {}});
}

TEST_CASE("a value that joins a session which is still there is not late") {
  Remembering r;
  event_windows(r.trial, Session{100}, {.delay_ms = 0, .lateness_ms = 50});
  r.one({"a 190 1"}, 1);
  r.one({"b 255 1"}, 2);
  // Alone it would be [100, 200), and 250 is over; with [190, 290) it ends at 290.
  CHECK(r.one({"a 100 2", "b 100 1"}, 3) ==
        Came{{}, {"b: w: in time: it is late: its time is 100, and the watermark is 255"}});
  CHECK(r.one({"z 300 1"}, 4) == Came{{"a 100-290 3"}, {}});
  // It was shown, and takes records up to 340.
  CHECK(r.one({"a 10 4"}, 5) == Came{{"a 10-290 7"}, {}});
  r.one({"z 340 1"}, 6);
  CHECK(r.one({"a 150 1"}, 7).letters.size() == 1);
}

TEST_CASE("what is late can be led elsewhere") {
  Remembering r;
  auto all = by_key(r.trial)
                 .event_windows(
                     "w", [](const Seen& s) { return s.time_ms; }, both, Tumbling{100})
                 .share();
  using Item = std::pair<std::string, std::variant<Windowed<Seen>, Late<Seen>>>;
  all.stream()
      .filter([](const Item& item) { return item.second.index() == 0; })
      .map([](const Item& item) { return shown(item.first, std::get<0>(item.second)); })
      .union_with(all.stream()
                      .filter([](const Item& item) { return item.second.index() == 1; })
                      .map([](const Item& item) -> Step<std::string> {
                        return "late " + std::to_string(std::get<1>(item.second).time_ms);
                      }))
      .to("out");
  r.one({"a 110 1"}, 1);
  CHECK(r.one({"a 300 1"}, 2) == Came{{"a 100-200 1"}, {}});
  CHECK(r.one({"a 150 1"}, 3) == Came{{"late 150"}, {}});
}

TEST_CASE("a value whose time cannot be told, or that cannot be added, is a dead letter") {
  Remembering r;
  by_key(r.trial)
      .reduce_by_key_and_event_window(
          "w",
          [](const Seen& s) -> std::int64_t {
            if (s.count == 99) throw stream::Bad{"no time"};
            return s.time_ms;
          },
          [](const Seen& a, const Seen& b) {
            if (b.count == 98) throw stream::Bad{"not that"};
            return both(a, b);
          },
          Tumbling{100})
      .map(shown)
      .to("out");
  CHECK(r.one({"a 10 1", "a 20 99", "a 30 98", "a -5 1", "a 40 2"}, 1).letters ==
        Values{"a: w: no time", "a: w: not that", "a: w: its time is before 1970"});
  CHECK(r.one({"z 100 1"}, 2) == Came{{"a 0-100 3"}, {}});
}

TEST_CASE("a time that is too far ahead of its batch makes nothing late") {
  Remembering r;
  event_windows(r.trial, Tumbling{100});
  CHECK(r.one({"a 110 1", "a 99999999999 1"}, 1'000).letters ==
        Values{"a: w: its time is too far ahead of the batch's"});
  CHECK(r.one({"a 120 1", "z 200 1"}, 2'000) == Came{{"a 100-200 2"}, {}});
}

TEST_CASE("tumbling windows have what a count by hand has, whatever the batches") {
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    Remembering r;
    event_windows(r.trial, Tumbling{100}, {.delay_ms = 1'000'000});
    std::map<std::string, int> expected;
    std::map<std::string, int> got;
    const auto take = [&got](const Came& came) {
      for (const auto& row : came.rows)
        got[row.substr(0, row.rfind(' '))] += std::stoi(row.substr(row.rfind(' ')));
    };
    for (int batch = 1; batch <= 10; ++batch) {
      Values values;
      for (auto n = random() % 30; n > 0; --n) {
        const auto key = std::string(1, static_cast<char>('a' + random() % 3));
        const auto time = random() % 1'000;
        values.push_back(key + " " + std::to_string(time) + " 1");
        const auto start = time / 100 * 100;
        ++expected[key + " " + std::to_string(start) + "-" + std::to_string(start + 100)];
      }
      take(r.one(values, batch));
    }
    take(r.one({"end 5000000 1"}, 11));
    CHECK(got == expected);
  }
}

TEST_CASE("a key that cannot be added up is one dead letter, and begins anew") {
  Remembering r;
  r.trial.source()
      .map([](const stream::Message& m) { return std::stoi(text(m)); })
      .reduce_by_window(
          "w",
          [](int a, int b) {
            if (a == 13 || b == 13) throw stream::Bad{"13"};
            return a + b;
          },
          Slide{200, 100})
      .map([](const Windowed<int>& window) { return window.value; })
      .to("out");
  r.one({"1"}, 1'000);
  CHECK(r.one({"13"}, 1'100) == Came{{"1"}, {}});
  CHECK(r.one({"5"}, 1'200) == Came{{}, {"0: w: 13"}});
  CHECK(r.one({}, 1'300) == Came{{"5"}, {}});
  CHECK(r.one({}, 1'400) == Came{{"5"}, {}});
  CHECK(r.one({}, 1'500) == Came{});
}

TEST_CASE("windows of another slide, or with an inverse where there was none, are another state") {
  Remembering r;
  ones(r.trial)
      .reduce_by_key_and_window("w", std::plus<>(), Slide{200, 100})
      .map(sum_shown)
      .to("out");
  r.one({"a"}, 1'000);
  Trial same;
  ones(same).reduce_by_key_and_window("w", std::plus<>(), Slide{300, 100}).to("out");
  CHECK(r.check(same));
  Trial slower;
  ones(slower).reduce_by_key_and_window("w", std::plus<>(), Slide{200, 50}).to("out");
  CHECK_FALSE(r.check(slower));
  Trial inverse;
  ones(inverse)
      .reduce_by_key_and_window("w", std::plus<>(), std::minus<>(), Slide{200, 100})
      .to("out");
  CHECK_FALSE(r.check(inverse));
}

TEST_CASE("a window of batches writes the keys of which something comes or goes, and no others") {
  for (const bool inverse : {false, true}) {
    INFO(inverse);
    Counting c;
    const Slide slide{300, 100};
    if (inverse) {
      ones(c.trial)
          .reduce_by_key_and_window("w", std::plus<>(), std::minus<>(), slide)
          .map(sum_shown)
          .to("out");
    } else {
      ones(c.trial).reduce_by_key_and_window("w", std::plus<>(), slide).map(sum_shown).to("out");
    }
    c.one(numbered(0, 2'500), 1'010);
    c.one({"one"}, 1'020);
    CHECK(c.one({}, 1'100).rows.size() == 2'501);
    CHECK(c.state.writes == 1);  // where it stands
    // Nothing ends: no key is looked at.
    c.one({"k7", "two"}, 1'150);
    CHECK(c.state.reads == 3);
    CHECK(c.one({}, 1'200).rows.size() == 2'502);
    CHECK(c.state.writes == 1);
    // The first slice goes, and with it all keys but two.
    CHECK(c.one({}, 1'300).rows.size() == 2'502);
    CHECK(c.state.writes == 2'502);
    CHECK(c.one({}, 1'400).rows == Values{"k7 1100-1400 1", "two 1100-1400 1"});
  }
}

TEST_CASE("a batch of windows by the time of records costs what came and what is due") {
  for (const Windows& windows :
       {Windows(Sliding{1'000, 100}), Windows(Tumbling{100}), Windows(Session{100})}) {
    Counting c;
    event_windows(c.trial, windows);
    c.one(numbered(0, 2'000, " 5000 1"), 1);
    // Each window of theirs was shown by now, and a thousand others are open.
    for (int time = 5'100; time <= 6'500; time += 100) {
      c.one({"z " + std::to_string(time) + " 1"}, time);
    }
    c.one(numbered(0, 1'000, " 9000 1"), 9'000);
    c.one({"z 9001 1"}, 9'001);
    CHECK(c.state.reads < 20);
    CHECK(c.state.writes < 20);
  }
}

TEST_CASE("windows of impossible lengths are mistakes") {
  Trial trial;
  CHECK_THROWS_AS(ones(trial).reduce_by_key_and_window("w", std::plus<>(), Slide{150, 100}).to("a"),
                  Failed);
  CHECK_THROWS_AS(ones(trial).reduce_by_key_and_window("w2", std::plus<>(), Slide{0, 0}).to("b"),
                  Failed);
}

}  // namespace semel::test
