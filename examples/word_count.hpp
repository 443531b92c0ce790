// How often each word came: the streams of word_count.cpp, which word_count_test.cpp tests.
#pragma once

#include <semel/stream.hpp>

#include <cctype>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace stream = semel::stream;

struct Total {
  std::string word;
  std::int64_t total;
};

struct Came {
  std::string word;
  std::int64_t came;
};

inline void words_of(const stream::Message& line, const auto& emit) {
  std::string word;
  for (const char c : line.value()) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      word += c;
    } else if (!word.empty()) {
      emit(std::exchange(word, {}));
    }
  }
  if (!word.empty()) emit(word);
}

inline std::optional<std::int64_t> add(const std::string&, std::span<const std::int64_t> came,
                                       std::optional<std::int64_t> total) {
  return std::accumulate(came.begin(), came.end(), total.value_or(0));
}

/// The output "totals" gets a row for each word whose total has changed ({"word": …, "total": …}),
/// "batches" one for each word of each batch ({"word": …, "came": …}).
inline void word_count(stream::Pipeline& pipeline) {
  auto counted =
      pipeline.direct_stream({"lines"})
          .flat_map<std::string>(
              [](const stream::Message& line, auto emit) { words_of(line, emit); }, "words")
          .key_by([](const std::string& word) { return word; })
          .map_values([](const std::string&) { return std::int64_t{1}; })
          .reduce_by_key(std::plus<>(), "counted")
          .share();
  using Counted = std::pair<std::string, std::int64_t>;
  counted.stream().map([](const Counted& c) { return Came{c.first, c.second}; }).to("batches");
  counted.stream()
      .key_by([](const Counted& c) { return c.first; })
      .map_values([](const Counted& c) { return c.second; })
      .update_state_by_key<std::int64_t>("totals", add)
      .map([](const std::string& word, std::int64_t total) {
        return Total{word, total};
      })
      .to("totals");
}
