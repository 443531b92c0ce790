#include "record/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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
                            const Format& format, std::string setting, const Format* keys,
                            std::span<const std::string> also_known) {
  Reader reader;
  reader.columns_ = std::move(columns);
  reader.count_ = reader.columns_.size();
  reader.policy_ = policy;
  reader.setting_ = std::move(setting);
  if (!policy.removes_from.empty()) {
    auto mapping = parse_mapping(policy.removes_from);
    if (!mapping) return tl::unexpected(mapping.error());
    reader.removal_slot_ = reader.columns_.size();
    reader.columns_.push_back({.mapping = *std::move(mapping), .written = policy.removes_from});
  }
  reader.decoder_ = format.decoder();
  if (policy.accepts_nan) reader.decoder_->accept_nan();
  const auto bound = static_cast<std::uint32_t>(reader.columns_.size());
  for (std::uint32_t i = 0; i < bound; ++i) {
    if (auto done = reader.bind(i, format, keys); !done) return tl::unexpected(done.error());
  }
  for (std::uint32_t i = 0; i < reader.count_; ++i) {
    if (auto added = reader.add_rule(i, format, keys); !added) return tl::unexpected(added.error());
  }
  reader.values_.resize(reader.columns_.size());
  if (format.has_members()) {
    if (auto known = reader.know(also_known); !known) return tl::unexpected(known.error());
  }
  reader.proves_json_ = !reader.path_columns_.empty() && format.is_json() && !policy.accepts_nan;
  return reader;
}

Result<void> Reader::know(std::span<const std::string> members) {
  if (members.empty()) return {};
  // All into one place that nobody looks at.
  const auto spare = static_cast<std::uint32_t>(values_.size());
  values_.emplace_back();
  // What one of our own columns comes from is known, however it is called.
  const auto is_ours = [&](const std::string& name) {
    return policy_.names != Names::exact &&
           std::ranges::any_of(columns(), [&](const MappedColumn& column) {
             return column.written.empty() &&
                    folded(column.name, policy_.names) == folded(name, policy_.names);
           });
  };
  for (const auto& name : members) {
    if (is_ours(name)) continue;
    const std::array path{Step{name}};
    if (auto bound = decoder_->bind(path, spare, true); !bound) return bound;
    if (policy_.names == Names::exact) continue;
    if (auto bound = decoder_->bind_like(name, policy_.names, spare); !bound) return bound;
  }
  return {};
}

Result<void> Reader::bind(std::uint32_t slot, const Format& format, const Format* keys) {
  const MappedColumn& column = columns_[slot];
  const auto at = [&](Decoder& decoder) -> Result<void> {
    const bool bytes = column.holds == Holds::bytes;
    auto bound = decoder.bind(column.mapping.path, slot, bytes);
    if (bound) return {};
    bound.error().message = fmt::format("{}, column \"{}\": mapping \"{}\": {}", setting_,
                                        column.name, column.written, bound.error().message);
    return bound;
  };
  if (column.mapping.part == Part::key_path) {
    if (keys == nullptr) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("{}, column \"{}\": mapping \"{}\": nothing reads keys here",
                              setting_, column.name, column.written));
    }
    if (!key_decoder_) {
      key_decoder_ = keys->decoder();
      if (policy_.accepts_nan) key_decoder_->accept_nan();
    }
    return at(*key_decoder_);
  }
  if (column.mapping.part == Part::constant) return {};
  if (column.mapping.part == Part::index) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{}, column \"{}\": @index is of the rows that an array makes, and "
                            "nothing says which array",
                            setting_, column.name));
  }
  if (!is_in_value(column.mapping)) {
    stores_whole_value_ |= column.mapping.part == Part::value;
    if (slot == removal_slot_) removal_part_ = slot;
    part_columns_.push_back(slot);
    return {};
  }
  // By its name nothing is found in a value without members: the column's default counts.
  if (column.written.empty() && !format.has_members()) return {};
  if (auto bound = at(*decoder_); !bound) return bound;
  path_columns_.push_back(slot);
  stores_whole_value_ |= column.mapping.path.empty();
  if (column.written.empty()) own_names_.push_back(column.name);
  return {};
}

ReadRecord Reader::read(const TopicPartition& tp, const Record& record) {
  ReadRecord result;
  const bool tombstone = !record.value;
  if (tombstone && policy_.tombstones != Tombstones::remove) {
    result.fate =
        policy_.tombstones == Tombstones::ignore
            ? Fate::ignored
            : refuse(Fault::no_value, "the record has no value (tombstones = \"dead_letter\")");
    return result;
  }
  for (Value& value : values_) value.kind = Kind::absent;
  key_failed_ = false;
  if (key_decoder_ && record.key && !read_key(*record.key, result)) return result;
  if (!path_columns_.empty() && !tombstone) {
    const Decoded decoded = decoder_->decode(*record.value, values_);
    const bool plain = decoded.status == DecodeStatus::decoded && decoded.unknown_fields == 0;
    if (!plain || nothing_found()) {
      // What removes a row need say nothing else.
      if (removal_part_) {
        parts_.start(tp, record);
        take_part(*removal_part_, *record.value);
      }
      result = judge(*record.value, decoded);
    }
    if (result.fate != Fate::row) [[unlikely]]
      return result;
  }
  if (!part_columns_.empty()) {
    parts_.start(tp, record);
    take_parts(record.value.value_or(""));
  }
  if (tombstone || removes()) result.fate = Fate::removal;
  if (!ruled_.empty() && !follow_rules(result.fate == Fate::removal)) result.fate = Fate::bad;
  return result;
}

bool Reader::read_key(std::string_view key, ReadRecord& result) {
  const auto decoded = key_decoder_->decode(key, values_);
  key_failed_ = decoded.status != DecodeStatus::decoded;
  if (!key_failed_) return true;
  result.fate = decoded.status == DecodeStatus::unavailable
                    ? Fate::unavailable
                    : refuse(Fault::malformed, "the key: " + key_decoder_->why_malformed(key));
  return false;
}

bool Reader::removes() const {
  if (!removal_slot_) return false;
  const Value& says = values_[*removal_slot_];
  return says.kind != Kind::absent && says.kind != Kind::null &&
         std::ranges::find(policy_.removes_if, says.text) != policy_.removes_if.end();
}

ReadRecord Reader::judge(std::string_view value, const Decoded& decoded) {
  if (decoded.status == DecodeStatus::unavailable) return {.fate = Fate::unavailable};
  if (decoded.status == DecodeStatus::malformed) {
    return {.fate = refuse(Fault::malformed, decoder_->why_malformed(value))};
  }
  if (nothing_found() && !stores_whole_value_ && !removes()) {
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
  for (const std::size_t i : part_columns_) take_part(i, value);
}

void Reader::take_part(std::size_t slot, std::string_view value) {
  const MappedColumn& column = columns_[slot];
  // The value as a whole has been checked where other columns came from it.
  if (proves_json_ && column.mapping.part == Part::value && column.holds == Holds::json) {
    values_[slot] = {.kind = Kind::nested, .text = value, .json = value};
  } else {
    values_[slot] = parts_.get(column.mapping, column.holds == Holds::bytes);
  }
}

Fate Reader::refuse(Fault fault, std::string reason) {
  bad_ = {.fault = fault, .reason = std::move(reason)};
  return Fate::bad;
}

}  // namespace semel::record
