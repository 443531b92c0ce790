#include "simulation/stream/program.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <charconv>
#include <optional>

#include <semel/stream.hpp>

namespace semel::stream_simulation {

namespace {

constexpr std::uint32_t keys = 3;

std::uint32_t number_in(std::string_view text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// All that was seen before, and what comes now: twice, where it is seen twice.
std::string add(const std::string&, std::span<const std::uint32_t> now,
                std::optional<std::string> before) {
  std::multiset<std::uint32_t> all(now.begin(), now.end());
  std::string_view rest;
  if (before) rest = *before;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' '), rest.size());
    all.insert(number_in(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return fmt::format("{}", fmt::join(all, " "));
}

}  // namespace

Program make_program(const std::vector<std::pair<std::string, Holds>>& outputs) {
  Program program{std::make_shared<stream::detail::Graph>(), std::make_shared<stream::Sources>()};
  const auto source = [&program] {
    const auto number = program.sources->add({.names = {"t"}, .pattern = {}});
    return stream::Stream<stream::Message, stream::detail::FromSource>{
        program.graph, program.graph->add("direct_stream", "", {}, true),
        stream::detail::FromSource{number}};
  };
  for (const auto& [name, holds] : outputs) {
    if (holds == Holds::records) {
      source().map([](const stream::Message& m) { return std::string(m.value()); }).to(name);
      continue;
    }
    source()
        .map([](const stream::Message& m) { return number_in(m.value()); })
        .key_by([](std::uint32_t id) { return key_of(id); })
        .update_state_by_key<std::string>("seen", add)
        .to(name);
  }
  return program;
}

std::string value_of(std::uint32_t id) {
  return std::to_string(id);
}

std::string key_of(std::uint32_t id) {
  return fmt::format("k{}", id % keys);
}

std::set<std::uint32_t> seen_in(const simulation::Kafka& kafka, const std::string& key,
                                const std::map<TopicPartition, Offset>& until) {
  std::set<std::uint32_t> seen;
  for (const auto& [tp, log] : kafka.logs) {
    const auto end = until.find(tp);
    if (end == until.end()) continue;
    for (Offset offset = 0; offset < end->second; ++offset) {
      const auto* entry = log.visible(offset);
      if (entry != nullptr && key_of(entry->id) == key) seen.insert(entry->id);
    }
  }
  return seen;
}

std::string row_of(const std::string& key, const std::set<std::uint32_t>& seen) {
  return fmt::format(R"({{"key":"{}","value":"{}"}})", key, fmt::join(seen, " "));
}

std::string key_in(std::string_view row) {
  constexpr std::string_view before = R"({"key":")";
  row.remove_prefix(std::min(before.size(), row.size()));
  return std::string(row.substr(0, row.find('"')));
}

}  // namespace semel::stream_simulation
