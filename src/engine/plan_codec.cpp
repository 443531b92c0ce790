#include "engine/plan_codec.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace semel::engine {

namespace {

// Raised with whatever decode_plan() of before would misread.
constexpr int format_version = 1;

using nlohmann::json;

/// get() would take 1.5 for 1, true for 1 and 4294967296 for 0: another plan than what is written.
template <class Integer>
Integer integer(const json& value) {
  const bool fits = value.is_number_unsigned()  ? std::in_range<Integer>(value.get<std::uint64_t>())
                    : value.is_number_integer() ? std::in_range<Integer>(value.get<std::int64_t>())
                                                : false;
  if (!fits) throw std::invalid_argument("not a whole number in range: " + value.dump());
  return value.get<Integer>();
}

core::PlannedRange decode_range(const json& value) {
  core::PlannedRange planned;
  planned.range.tp.topic = value.at("topic").get<std::string>();
  planned.range.tp.partition = integer<std::int32_t>(value.at("partition"));
  planned.range.from = integer<Offset>(value.at("from"));
  planned.range.until = integer<Offset>(value.at("until"));
  if (const auto lost = value.find("lost"); lost != value.end()) {
    planned.kind = TaskKind::lost;
    planned.reason = lost->get<std::string>();
  }
  const auto& range = planned.range;
  if (range.from < 0 || range.until < 0 || range.tp.partition < 0 || range.tp.topic.empty() ||
      (planned.kind == TaskKind::load && range.from >= range.until)) {
    throw std::invalid_argument("a range that cannot be: " + to_string(range));
  }
  return planned;
}

}  // namespace

// Stored: do not change, or read the old names as well.
std::string encode_plan(const core::Batch& batch) {
  json ranges = json::array();
  for (const auto& planned : batch.ranges) {
    json value{{"topic", planned.range.tp.topic},
               {"partition", planned.range.tp.partition},
               {"from", planned.range.from},
               {"until", planned.range.until}};
    if (planned.kind == TaskKind::lost) value["lost"] = planned.reason;
    ranges.push_back(std::move(value));
  }
  json plan{
      {"format", format_version}, {"batch_time", batch.time.ms}, {"ranges", std::move(ranges)}};
  if (batch.given_up) plan["given_up"] = true;
  // A reason may quote a broker's text: bytes that are not UTF-8 are replaced, never thrown on.
  return plan.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<core::Batch> decode_plan(std::string_view text) {
  try {
    const auto plan = json::parse(text);
    const auto format = integer<int>(plan.at("format"));
    if (format != format_version) {
      return fail(
          ErrorKind::fatal, Cause::state,
          fmt::format("a plan has format {}, and this version of semel reads format {}: it was "
                      "written by {} version",
                      format, format_version, format > format_version ? "a newer" : "another"));
    }
    core::Batch batch{{integer<std::int64_t>(plan.at("batch_time"))}, {}};
    for (const auto& value : plan.at("ranges")) batch.ranges.push_back(decode_range(value));
    // Not known to versions before: they plan anew what is lost, as they always have.
    batch.given_up = plan.value("given_up", false);
    const auto is_lost = [](const auto& planned) { return planned.kind == TaskKind::lost; };
    if (batch.given_up && !std::ranges::all_of(batch.ranges, is_lost)) {
      throw std::invalid_argument("a batch that was given up has a range that is not lost");
    }
    return batch;
  } catch (const std::exception& error) {
    return fail(ErrorKind::fatal, Cause::state,
                fmt::format("a plan cannot be read: {}", error.what()));
  }
}

}  // namespace semel::engine
