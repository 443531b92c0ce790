#include "cli/where.hpp"

#include <fmt/format.h>
#include <charconv>
#include <chrono>
#include <optional>

#include "cli/command.hpp"
#include "config/units.hpp"

namespace semel::cli {

namespace {

template <class Number>
std::optional<Number> whole(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

Result<Progress> parse_position(const std::string& text) {
  const auto equals = text.rfind('=');
  const auto colon = text.rfind(':', equals);
  if (equals != std::string::npos && colon != std::string::npos && colon > 0) {
    const auto partition =
        whole<std::int32_t>(std::string_view(text).substr(colon + 1, equals - colon - 1));
    const auto offset = whole<Offset>(std::string_view(text).substr(equals + 1));
    if (partition && offset) {
      return Progress{.tp = {text.substr(0, colon), *partition}, .until = *offset};
    }
  }
  return usage(fmt::format("{} is not TOPIC:PARTITION=OFFSET, such as clicks:0=1500", text));
}

/// "-2h": so long before now. "2026-01-31": the day's beginning in UTC, which is said.
Result<kafka::Start> parse_where(const std::string& option, const std::string& where) {
  if (where == "earliest") return kafka::Start(kafka::StartEarliest{});
  if (where == "latest") return kafka::Start(kafka::StartLatest{});
  if (const auto ms = config::parse_moment(where)) return kafka::Start(kafka::StartTimestamp{*ms});
  if (const auto ms = config::parse_moment(where + "T00:00:00Z")) {
    fmt::print("{} begins at {}\n", where, config::format_moment(*ms));
    return kafka::Start(kafka::StartTimestamp{*ms});
  }
  const auto ago = where.starts_with('-') ? config::parse_duration(where.substr(1)) : std::nullopt;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  if (ago && *ago <= now) {
    fmt::print("{} is {}\n", where, config::format_moment(now - *ago));
    return kafka::Start(kafka::StartTimestamp{now - *ago});
  }
  return usage(fmt::format(
      "{} needs earliest, latest, a moment with its zone such as 2026-01-31T00:00:00Z, a day "
      "such as 2026-01-31, or how long ago, such as -2h, not {}",
      option, where));
}

Result<std::map<TopicPartition, Offset>> offsets_at(kafka::PlannerClient& client,
                                                    std::span<const TopicPartition> tps,
                                                    const kafka::Start& where) {
  auto found = client.resolve_start(tps, where, kafka::BelowEarliest::accepted, where_timeout_ms);
  if (!found) return tl::unexpected(found.error());
  for (const auto& [tp, why] : found->unanswered) {
    return fail(why.kind, why.cause, fmt::format("{}: {}", to_string(tp), why.message));
  }
  return std::move(found->offsets);
}

}  // namespace semel::cli
