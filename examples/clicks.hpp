// What clicks on a web site tell: the streams of clicks.cpp, which clicks_test.cpp tests. A look-up
// in a table, visits (sessions), and the most visited pages of each hour.
#pragma once

#include <semel/stream.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace stream = semel::stream;

struct Click {
  std::string user;
  std::string page;
  std::int64_t at_ms;
};

/// A click with what a table knows of its user.
struct KnownClick {
  std::string user;
  std::string country;
  std::string page;
};

/// Clicks of one user with less than half an hour between them.
struct Visit {
  std::string user;
  std::int64_t start_ms;
  std::int64_t end_ms;
  std::int64_t clicks;
};

/// One of the three most visited pages of an hour.
struct TopPage {
  std::int64_t hour_ms;
  std::int64_t rank;
  std::string page;
  std::int64_t clicks;
};

/// By user. A copy is in each thread's function, so nobody locks it.
using Countries = std::map<std::string, std::string>;

/// What is added up in windows, at the time that it tells.
struct Hits {
  std::int64_t at_ms;
  std::int64_t clicks;
};

inline std::int64_t time_of(const Hits& hits) {
  return hits.at_ms;
}

inline Hits add(const Hits& a, const Hits& b) {
  return {std::max(a.at_ms, b.at_ms), a.clicks + b.clicks};
}

inline std::vector<TopPage> three_of(const std::int64_t& hour_ms, std::vector<TopPage> pages) {
  // By name where they are even: computed again, the order is the same.
  std::ranges::sort(pages, [](const TopPage& a, const TopPage& b) {
    return std::pair(-a.clicks, a.page) < std::pair(-b.clicks, b.page);
  });
  pages.resize(std::min<std::size_t>(pages.size(), 3));
  std::int64_t rank = 0;
  for (auto& page : pages) {
    page.hour_ms = hour_ms;
    page.rank = ++rank;
  }
  return pages;
}

/// Outputs: "known", "visits", "top". A click of a user that the table does not have is a dead
/// letter of "known", and counts in the others.
inline void clicks(stream::Pipeline& pipeline, const Countries& countries) {
  constexpr std::int64_t minute = 60'000;
  // A minute is waited for clicks that are late.
  const stream::EventTime in_time{.delay_ms = minute};
  auto all =
      pipeline.direct_stream({"clicks"}).map(semel::json::as<Click>(), "click").share("clicks");

  all.stream()
      .map(
          [countries](const Click& click) -> stream::Step<KnownClick> {
            const auto found = countries.find(click.user);
            if (found == countries.end()) return stream::Bad{"nobody knows this user"};
            return KnownClick{click.user, found->second, click.page};
          },
          "country")
      .to("known");

  all.stream()
      .key_by([](const Click& click) { return click.user; })
      .map_values([](const Click& click) {
        return Hits{click.at_ms, 1};
      })
      .reduce_by_key_and_event_window("visits", time_of, add, stream::Session{30 * minute}, in_time)
      .map([](const std::string& user, const stream::Windowed<Hits>& visit) {
        return Visit{user, visit.start_ms, visit.end_ms, visit.value.clicks};
      })
      .to("visits");

  all.stream()
      .key_by([](const Click& click) { return click.page; })
      .map_values([](const Click& click) {
        return Hits{click.at_ms, 1};
      })
      .reduce_by_key_and_event_window("pages", time_of, add, stream::Tumbling{60 * minute}, in_time)
      .map([](const std::string& page, const stream::Windowed<Hits>& hour) {
        return TopPage{hour.start_ms, 0, page, hour.value.clicks};
      })
      .key_by([](const TopPage& page) { return page.hour_ms; })
      .group_by_key()
      .map(three_of)
      .flat_map<TopPage>([](const std::vector<TopPage>& pages, auto emit) {
        for (const auto& page : pages) emit(page);
      })
      .to("top");
}
