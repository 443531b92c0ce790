#include "record/bad_record.hpp"

#include <fmt/format.h>

#include <semel/sink.hpp>

#include "base/clean_text.hpp"

namespace semel::record {

BadRecord bad_record_of(const Objection& objection) {
  // More than any sink keeps: what waits for its end is in memory.
  constexpr std::size_t reason_bytes_max = 1'000;
  return {.fault = Fault::objection,
          .code = sanitise(plain(objection.code), code_bytes_max, true),
          .reason = sanitise(objection.reason, reason_bytes_max),
          .told = objection.told.empty() ? "an objection of whoever read it before the sink"
                                         : sanitise(plain(objection.told), log_bytes_max)};
}

std::string for_log(const BadRecord& bad, std::string_view code_name) {
  if (bad.fault == Fault::objection) code_name = "code";
  const auto& text = bad.told.empty() ? bad.reason : bad.told;
  const auto column = "column \"" + bad.column + "\"";
  const bool names_it = bad.column.empty() || text.starts_with(column);
  auto said =
      fmt::format("{}{}", names_it ? "" : column + ": ", sanitise(plain(text), log_bytes_max));
  if (!bad.code.empty()) {
    said += fmt::format(" ({} {})", code_name, sanitise(plain(bad.code), code_bytes_max, true));
  }
  return said;
}

Error stopped_by(const OffsetRange& range, Offset offset, std::string_view place,
                 std::string_view said) {
  return {ErrorKind::fatal, Cause::bad_record,
          fmt::format("{} offset {} cannot be stored in {}: {}. Nothing of {} was written. "
                      "on_bad_record = \"dead_letter\" would set it aside; `semel offsets` can "
                      "move past it",
                      to_string(range.tp), offset, place, said, to_string(range))};
}

}  // namespace semel::record
