#include "record/parts.hpp"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "record/json_text.hpp"

namespace semel::record {
namespace {

bool is_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

void append_header_value(std::string& out, const Header& header) {
  if (header.value) {
    append_json_string(out, *header.value);
  } else {
    out += "null";
  }
}

constexpr Value kNull{.kind = Kind::null};

}  // namespace

Value bytes_value(std::string_view bytes, bool raw) {
  Value value{.kind = Kind::bytes, .text = bytes};
  if (raw) return value;
  if (!is_utf8(bytes)) {
    value.flaw = Flaw::invalid_utf8;
  } else if (bytes.find('\0') != std::string_view::npos) {
    value.flaw = Flaw::nul;
  }
  return value;
}

void RecordParts::start(const TopicPartition& tp, const Record& record) {
  tp_ = &tp;
  record_ = &record;
  headers_read_ = false;
}

Value RecordParts::number(std::int64_t number, Digits& digits) const {
  char* const begin = digits.characters.data();
  const auto [end, error] = std::to_chars(begin, begin + digits.characters.size(), number);
  const std::string_view text(begin, static_cast<std::size_t>(end - begin));
  return {.kind = Kind::number, .text = text, .json = text};
}

const std::vector<Header>& RecordParts::headers() {
  if (!headers_read_) {
    record_->headers.read_into(headers_);
    headers_read_ = true;
  }
  return headers_;
}

/// {"name": "value"}; a name that stands there more than once has an array of its values, in order:
/// nothing is dropped.
Value RecordParts::all_headers() {
  headers_json_ = '{';
  const std::vector<Header>& all = headers();
  for (auto header = all.begin(); header != all.end(); ++header) {
    if (!is_utf8(header->name) || (header->value && !is_utf8(*header->value))) {
      return {.kind = Kind::bytes,
              .flaw = Flaw::invalid_utf8,
              .text = header->value.value_or(header->name)};
    }
    const auto same_name = [&](const Header& other) { return other.name == header->name; };
    if (std::any_of(all.begin(), header, same_name)) continue;
    if (headers_json_.size() > 1) headers_json_ += ',';
    append_json_string(headers_json_, header->name);
    headers_json_ += ':';
    if (std::none_of(header + 1, all.end(), same_name)) {
      append_header_value(headers_json_, *header);
      continue;
    }
    headers_json_ += '[';
    for (auto same = header; same != all.end(); ++same) {
      if (!same_name(*same)) continue;
      if (same != header) headers_json_ += ',';
      if (same->value && !is_utf8(*same->value)) {
        return {.kind = Kind::bytes, .flaw = Flaw::invalid_utf8, .text = *same->value};
      }
      append_header_value(headers_json_, *same);
    }
    headers_json_ += ']';
  }
  headers_json_ += '}';
  return {.kind = Kind::nested, .text = headers_json_, .json = headers_json_};
}

Value RecordParts::get(const Mapping& mapping, bool raw) {
  switch (mapping.part) {
    case Part::topic:
      return {.kind = Kind::string, .text = tp_->topic};
    case Part::partition:
      return number(tp_->partition, partition_);
    case Part::offset:
      return number(record_->offset, offset_);
    case Part::timestamp: {
      if (record_->timestamp_ms < 0) return kNull;
      Value value = number(record_->timestamp_ms, timestamp_);
      value.kind = Kind::instant;
      value.integer = record_->timestamp_ms;
      return value;
    }
    case Part::key:
      return record_->key ? bytes_value(*record_->key, raw) : kNull;
    case Part::value:
      return bytes_value(record_->value.value_or(""), raw);
    case Part::headers:
      return all_headers();
    case Part::header: {
      const std::vector<Header>& all = headers();
      const auto last = std::find_if(all.rbegin(), all.rend(), [&](const Header& header) {
        return header.name == mapping.header;
      });
      if (last == all.rend()) return {};
      return last->value ? bytes_value(*last->value, raw) : kNull;
    }
    case Part::path:
    case Part::value_path:
    case Part::key_path:
    case Part::index:
    case Part::constant:
      break;
  }
  return {};
}

}  // namespace semel::record
