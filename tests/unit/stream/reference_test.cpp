// Windows and joins beside reference.py, which computes the same from its definition, over random
// records.
#include <fmt/format.h>
#include <functional>
#include <map>
#include <random>
#include <sstream>

#include "support/catch.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "unit/stream/remembering.hpp"

namespace semel::test {

using stream::Windowed;

namespace {

// As in reference.py.
constexpr stream::EventTime event_time{.delay_ms = 40, .lateness_ms = 30};

struct Item {
  std::string side;
  std::string key;
  std::int64_t time_ms = 0;
  std::int64_t value = 0;
};

Item item(const stream::Message& message) {
  std::istringstream words{std::string(message.value())};
  Item item;
  words >> item.side >> item.key >> item.time_ms >> item.value;
  return item;
}

/// By batch, from 1: "side key time value".
using Batches = std::map<int, Values>;

Batches random_batches(std::mt19937& random) {
  Batches batches;
  std::int64_t time = 100;
  for (int batch = 1; batch <= 30; ++batch) {
    auto& records = batches[batch];
    time += static_cast<std::int64_t>(random() % 40);
    for (auto n = random() % 8; n > 0; --n) {
      // Most come in time, some too late.
      const auto behind = static_cast<std::int64_t>(random() % (random() % 4 == 0 ? 150 : 30));
      records.push_back(fmt::format("{} {} {} {}", random() % 2 == 0 ? "l" : "r",
                                    static_cast<char>('a' + random() % 4),
                                    std::max<std::int64_t>(time - behind, 0), random() % 100));
    }
  }
  return batches;
}

std::string expected(const std::string& kind, const Batches& batches) {
  const TempDir dir;
  std::string text;
  for (const auto& [batch, records] : batches) {
    for (const auto& record : records) text += fmt::format("{} {}\n", batch, record);
  }
  write_file(dir.path() / "records", text);
  const auto result = run({.argv = {"python3", SEMEL_REFERENCE, kind, dir / "records",
                                    std::to_string(batches.rbegin()->first)}});
  INFO(result.err);
  REQUIRE(result.code == 0);
  return result.out;
}

/// As reference.py writes it.
std::string came(Remembering& r, const Batches& batches) {
  std::string text;
  for (const auto& [batch, records] : batches) {
    auto rows = r.one(records, batch * 10).rows;
    std::ranges::sort(rows);
    for (const auto& row : rows) text += fmt::format("{} {}\n", batch, row);
  }
  return text;
}

std::string line_of(const std::string& key, const Windowed<std::int64_t>& window) {
  return fmt::format("{} {} {} {}", key, window.start_ms, window.end_ms, window.value);
}

void windows_of_items(Trial& trial, stream::Windows windows) {
  trial.source()
      .map(item)
      .key_by([](const Item& i) { return i.key; })
      .reduce_by_key_and_event_window(
          "w", [](const Item& i) { return i.time_ms; },
          [](const Item& a, const Item& b) {
            return Item{a.side, a.key, std::max(a.time_ms, b.time_ms), a.value + b.value};
          },
          windows, event_time)
      .map([](const std::string& key, const Windowed<Item>& window) {
        return line_of(key, {window.start_ms, window.end_ms, window.value.value});
      })
      .to("out");
}

template <class Meet>
void meeting(Trial& trial, Meet meet) {
  auto all = trial.source().map(item).share();
  const auto side = [&all](const std::string& which) {
    return all.stream()
        .filter([which](const Item& i) { return i.side == which; })
        .key_by([](const Item& i) { return i.key; })
        .map_values([](const Item& i) { return i.value; });
  };
  meet(side("l"), side("r"))
      .map([](const std::string& key, const auto& both) {
        const auto text = [](const auto& one) { return json::write(one); };
        return key + " " + text(both.first) + " " + text(both.second);
      })
      .to("out");
}

void compare(const std::string& kind, const std::function<void(Trial&)>& put_together) {
  std::mt19937 random(20261126);
  for (int round = 0; round < 8; ++round) {
    const auto batches = random_batches(random);
    Remembering r;
    put_together(r.trial);
    INFO(kind << ", round " << round);
    const auto wanted = expected(kind, batches);
    REQUIRE((!wanted.empty()));
    REQUIRE(came(r, batches) == wanted);
  }
}

}  // namespace

TEST_CASE("windows by the time of records are those of their definition") {
  compare("tumbling", [](Trial& trial) { windows_of_items(trial, stream::Tumbling{60}); });
  compare("sliding", [](Trial& trial) { windows_of_items(trial, stream::Sliding{60, 20}); });
  compare("session", [](Trial& trial) { windows_of_items(trial, stream::Session{25}); });
}

TEST_CASE(
    "windows by the time of batches are those of their definition, with an inverse or without") {
  const auto values = [](Trial& trial) {
    return trial.source()
        .map(item)
        .key_by([](const Item& i) { return i.key; })
        .map_values([](const Item& i) { return i.value; });
  };
  compare("batches", [&](Trial& trial) {
    values(trial)
        .reduce_by_key_and_window("w", std::plus<>(), stream::Slide{60, 20})
        .map(line_of)
        .to("out");
  });
  compare("batches", [&](Trial& trial) {
    values(trial)
        .reduce_by_key_and_window("w", std::plus<>(), std::minus<>(), stream::Slide{60, 20})
        .map(line_of)
        .to("out");
  });
}

TEST_CASE("joins are those of their definition") {
  compare("join", [](Trial& trial) {
    meeting(trial, [](auto left, auto right) { return std::move(left).join(std::move(right)); });
  });
  compare("left_join", [](Trial& trial) {
    meeting(trial,
            [](auto left, auto right) { return std::move(left).left_join(std::move(right)); });
  });
  compare("cogroup", [](Trial& trial) {
    meeting(trial, [](auto left, auto right) { return std::move(left).cogroup(std::move(right)); });
  });
}

}  // namespace semel::test
