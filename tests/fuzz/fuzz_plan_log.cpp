// Arbitrary bytes as a plan from the plan log. It is read or refused, never misread: what was read
// says what is written there, and is the same after a second way through the log.
#include <nlohmann/json.hpp>

#include "engine/plan_codec.hpp"
#include "fuzz.hpp"

using namespace semel;
using fuzz::hold;
using nlohmann::json;

namespace {

/// The members of `written` that semel knows: what is left over must not count.
json known_part(const json& written) {
  json known{{"format", written.at("format")}, {"batch_time", written.at("batch_time")}};
  known["ranges"] = json::array();
  for (const auto& range : written.at("ranges")) {
    json kept = json::object();
    for (const char* name : {"topic", "partition", "from", "until", "lost"}) {
      if (const auto member = range.find(name); member != range.end()) kept[name] = *member;
    }
    known["ranges"].push_back(std::move(kept));
  }
  return known;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto batch = engine::decode_plan(text);
  if (!batch) {
    const auto& error = batch.error();
    hold(error.kind == ErrorKind::fatal && error.cause == Cause::state,
         "a plan that cannot be read is a fatal error of the state");
    hold(!error.message.empty(), "an error says why");
    return 0;
  }
  for (const auto& planned : batch->ranges) {
    const auto& range = planned.range;
    hold(!range.tp.topic.empty() && range.tp.partition >= 0 && range.from >= 0 && range.until >= 0,
         "a range names a place in Kafka", text);
    hold(planned.kind == TaskKind::lost || range.from < range.until, "a range holds records", text);
  }
  const std::string again = engine::encode_plan(*batch);
  const auto decoded_again = engine::decode_plan(again);
  hold(decoded_again.has_value(), "what was read can be written and read", again);
  hold(*decoded_again == *batch, "what was read is the same after writing and reading", again);
  // Numbers are compared as numbers: 4294967296 read as 0, or 1.5 as 1, would be another plan.
  hold(json::parse(again) == known_part(json::parse(text)), "what was read is what was written",
       again);
  return 0;
}
