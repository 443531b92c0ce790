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
  for (const char line_end : {'\n', '\r'}) {
    if (value.find(line_end) == std::string_view::npos) continue;
    std::replace(out.begin() + static_cast<std::ptrdiff_t>(at), out.end(), line_end, ' ');
  }
}

const std::string& Lines::head_of(const TopicPartition& tp) {
  if (tp == of_ && !head_.empty()) return head_;
  of_ = tp;
  head_ = R"({"topic":)";
  record::append_json_string(head_, tp.topic);
  head_ += fmt::format(R"(,"partition":{},"offset":)", tp.partition);
  return head_;
}

void Lines::append(std::string& out, const TopicPartition& tp, const Record& record) {
  if (form_ == Form::value) {
    out += record.value.value_or("");
    out += '\n';
    return;
  }
  const auto append_number = [&out](std::int64_t number) {
    const fmt::format_int digits(number);
    out.append(digits.data(), digits.size());
  };
  out += head_of(tp);
  append_number(record.offset);
  if (record.timestamp_ms >= 0) {
    out += R"(,"timestamp":)";
    append_number(record.timestamp_ms);
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
