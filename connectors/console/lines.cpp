#include "console/lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "record/header_json.hpp"
#include "record/json_text.hpp"
#include "record/parts.hpp"

namespace semel::console {

namespace {

void append_bytes(std::string& out, std::string_view bytes) {
  if (record::bytes_value(bytes, false).flaw == record::Flaw::invalid_utf8) {
    fmt::format_to(std::back_inserter(out), R"({{"base64":"{}"}})", record::base64(bytes));
  } else {
    record::append_json_string(out, bytes);
  }
}

}  // namespace

Lines::Lines(Form form, const formats::FormatPtr& format)
    : form_(form), is_json_(format->is_json()), decoder_(format->decoder()), slot_(1) {
  // The whole value: every format has it.
  if (!decoder_->bind({}, 0, true)) is_json_ = false;
}

void Lines::append_value(std::string& out, std::string_view value) {
  slot_.front() = {};
  const bool decoded =
      is_json_ && decoder_->decode(value, slot_).status == record::DecodeStatus::decoded;
  if (!decoded) return append_bytes(out, value);
  // Between JSON's tokens a line break is a blank like any other, and in a string there is none.
  const auto at = out.size();
  out += value;
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(at), out.end(),
      [](char c) { return c == '\n' || c == '\r'; }, ' ');
}

void Lines::append(std::string& out, const TopicPartition& tp, const Record& record) {
  if (form_ == Form::value) {
    out += record.value.value_or("");
    out += '\n';
    return;
  }
  out += R"({"topic":)";
  record::append_json_string(out, tp.topic);
  fmt::format_to(std::back_inserter(out), R"(,"partition":{},"offset":{})", tp.partition,
                 record.offset);
  if (record.timestamp_ms >= 0) {
    fmt::format_to(std::back_inserter(out), R"(,"timestamp":{})", record.timestamp_ms);
  }
  if (record.key) {
    out += R"(,"key":)";
    append_bytes(out, *record.key);
  }
  if (const auto headers = record::headers_as_json(record.headers()); !headers.empty()) {
    out += R"(,"headers":)" + headers;
  }
  if (record.value) {
    out += R"(,"value":)";
    append_value(out, *record.value);
  }
  out += "}\n";
}

}  // namespace semel::console
