#include "record/reader.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace semel::record {
namespace {

constexpr std::size_t kShownBytes = 60;

}  // namespace

std::string shown(const Value& value) {
  const bool text = !value.json.empty() || value.flaw == Flaw::none;
  const std::string_view whole = value.json.empty() ? value.text : value.json;
  std::string_view part = whole.substr(0, text ? kShownBytes : kShownBytes / 2);
  if (text && part.size() < whole.size()) {
    // Not in the middle of a character.
    while (!part.empty() && (whole[part.size()] & 0xC0) == 0x80) part.remove_suffix(1);
  }
  std::string result;
  if (text) {
    result = value.json.empty() ? fmt::format("\"{}\"", part) : std::string(part);
  } else {
    result = "\\x";
    for (const char c : part) fmt::format_to(std::back_inserter(result), "{:02x}", c & 0xFF);
  }
  if (part.size() < whole.size()) result += fmt::format("... ({} bytes)", whole.size());
  return result;
}

Result<Reader> Reader::make(std::vector<MappedColumn> columns, const Policy& policy,
                            const Format& format, std::string setting) {
  Reader reader;
  reader.columns_ = std::move(columns);
  reader.policy_ = policy;
  reader.setting_ = std::move(setting);
  reader.decoder_ = format.decoder();
  reader.values_.resize(reader.columns_.size());
  for (std::size_t i = 0; i < reader.columns_.size(); ++i) {
    const MappedColumn& column = reader.columns_[i];
    if (column.mapping.part != Part::path) {
      reader.stores_whole_value_ |= column.mapping.part == Part::value;
      reader.part_columns_.push_back(i);
      continue;
    }
    // By its name nothing is found in a value without members: the column's default counts.
    if (column.written.empty() && !format.has_members()) continue;
    const bool bytes = column.holds == Holds::bytes;
    if (auto bound =
            reader.decoder_->bind(column.mapping.path, static_cast<std::uint32_t>(i), bytes);
        !bound) {
      bound.error().message = fmt::format("{}, column \"{}\": mapping \"{}\": {}", reader.setting_,
                                          column.name, column.written, bound.error().message);
      return tl::unexpected(bound.error());
    }
    reader.path_columns_.push_back(i);
    reader.stores_whole_value_ |= column.mapping.path.empty();
    if (column.written.empty()) reader.own_names_.push_back(column.name);
  }
  reader.proves_json_ = !reader.path_columns_.empty() && format.is_json();
  return reader;
}

ReadRecord Reader::read(const TopicPartition& tp, const Record& record) {
  ReadRecord result;
  if (!record.value) {
    result.fate =
        policy_.tombstones == Tombstones::ignore
            ? Fate::ignored
            : refuse(Fault::no_value, "the record has no value (tombstones = \"dead_letter\")");
    return result;
  }
  for (Value& value : values_) value.kind = Kind::absent;
  if (!path_columns_.empty()) {
    const Decoded decoded = decoder_->decode(*record.value, values_);
    const bool plain = decoded.status == DecodeStatus::decoded && decoded.unknown_fields == 0;
    if (!plain || nothing_found()) result = judge(*record.value, decoded);
    if (result.fate != Fate::row) [[unlikely]]
      return result;
  }
  if (!part_columns_.empty()) {
    parts_.start(tp, record);
    take_parts(*record.value);
  }
  return result;
}

ReadRecord Reader::judge(std::string_view value, const Decoded& decoded) {
  if (decoded.status == DecodeStatus::unavailable) return {.fate = Fate::unavailable};
  if (decoded.status == DecodeStatus::malformed) {
    return {.fate = refuse(Fault::malformed, decoder_->why_malformed(value))};
  }
  if (nothing_found() && !stores_whole_value_) {
    std::string why = decoder_->why_nothing(value, own_names_, setting_);
    if (!why.empty()) return {.fate = refuse(Fault::nothing_found, std::move(why))};
  }
  ReadRecord result{.unknown_fields = decoded.unknown_fields};
  if (decoded.unknown_fields != 0 && policy_.unknown_fields == UnknownFields::dead_letter) {
    result.fate = refuse(Fault::unknown_field,
                         fmt::format("the table has no column for member {} (unknown_fields = "
                                     "\"dead_letter\")",
                                     shown({.text = decoder_->unknown_field()})));
  }
  return result;
}

/// Whether no path led to anything, not even to null.
bool Reader::nothing_found() const {
  for (const std::size_t i : path_columns_) {
    if (values_[i].kind != Kind::absent) return false;
  }
  return true;
}

void Reader::take_parts(std::string_view value) {
  for (const std::size_t i : part_columns_) {
    const MappedColumn& column = columns_[i];
    // The value as a whole has been checked where other columns came from it.
    if (proves_json_ && column.mapping.part == Part::value && column.holds == Holds::json) {
      values_[i] = {.kind = Kind::nested, .text = value, .json = value};
    } else {
      values_[i] = parts_.get(column.mapping, column.holds == Holds::bytes);
    }
  }
}

Fate Reader::refuse(Fault fault, std::string reason) {
  bad_ = {.fault = fault, .reason = std::move(reason)};
  return Fate::bad;
}

}  // namespace semel::record
