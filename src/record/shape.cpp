#include "record/shape.hpp"

#include <algorithm>
#include <utility>

#include "record/json_text.hpp"

namespace semel::record {
namespace {

/// What is made of a value does not matter here, and cannot be known without the column.
ColumnRule place_of(const ColumnRule& rule) {
  ColumnRule place;
  place.from = rule.from;
  place.constant = rule.constant;
  return place;
}

void note_kind(const Value& value, SeenKinds& seen) {
  switch (value.kind) {
    case Kind::absent:
    case Kind::null:
      return;
    case Kind::boolean:
      seen.boolean = true;
      return;
    case Kind::number:
    case Kind::integer:
    case Kind::real:
    case Kind::decimal:
    case Kind::instant:
      seen.number = true;
      return;
    case Kind::string:
    case Kind::literal:
      seen.text = true;
      return;
    case Kind::nested:
      seen.nested = true;
      return;
    case Kind::bytes:
      (value.flaw == Flaw::invalid_utf8 ? seen.other : seen.text) = true;
      return;
    case Kind::days:
    case Kind::time:
    case Kind::moment:
    case Kind::local_time:
    case Kind::uuid:
      seen.other = true;
  }
}

bool takes_all(const Mapping& mapping) {
  return mapping.part == Part::value || (is_in_value(mapping) && mapping.path.empty());
}

}  // namespace

Result<Shape> Shape::make(ShapeRules rules) {
  Shape shape(std::move(rules));
  const auto& given = shape.rules_;
  std::vector<Column> columns;
  ColumnRules places;
  for (const auto& [name, rule] : given.columns) {
    columns.push_back({.name = name, .type_name = {}, .holds = Holds::unknown});
    places[name] = place_of(rule);
  }
  auto mapped = map_columns(columns, places, given.setting, "that is to be made");
  if (!mapped) return tl::unexpected(mapped.error());
  bool whole = false;
  for (const auto& column : *mapped) {
    const auto& rule = given.columns.at(column.name);
    const bool by_name = rule.from.empty() && !rule.constant;
    shape.columns_.push_back({.name = column.name,
                              .rule = &rule,
                              .mapping = by_name ? std::nullopt : std::optional(column.mapping)});
    if (by_name) {
      shape.by_name_[folded(column.name, given.policy.names)] = shape.columns_.size() - 1;
    }
    whole = whole || takes_all(column.mapping) || std::ranges::any_of(column.others, takes_all);
  }
  for (const auto& name : record::known_members(*mapped)) {
    if (!shape.by_name_.contains(name)) shape.known_.push_back(name);
  }
  const auto& also = given.path.empty() ? given.also_known : given.also_known_inside;
  shape.known_.insert(shape.known_.end(), also.begin(), also.end());
  shape.takes_members_ = !whole && given.format->is_json();
  if (auto read = shape.read_as(*std::move(mapped)); !read) return tl::unexpected(read.error());
  return shape;
}

Result<void> Shape::read_as(std::vector<MappedColumn> mapped) {
  if (takes_members_) {
    mapped.push_back({.name = "", .holds = Holds::json, .mapping = {}, .written = "$"});
  }
  // What there is no column for is what is looked for.
  auto policy = rules_.policy;
  policy.unknown_fields = UnknownFields::ignore;
  policy.names = Names::exact;
  if (rules_.path.empty()) {
    auto reader = Reader::make(std::move(mapped), policy, *rules_.format, rules_.setting,
                               rules_.keys, rules_.also_known);
    if (!reader) return tl::unexpected(reader.error());
    reader_ = *std::move(reader);
    return {};
  }
  auto elements =
      Elements::make(std::move(mapped), policy, *rules_.format, rules_.setting, rules_.keys,
                     rules_.path, rules_.also_known, rules_.also_known_inside);
  if (!elements) return tl::unexpected(elements.error());
  reader_ = *std::move(elements);
  return {};
}

Fate Shape::add(const TopicPartition& tp, const Record& record) {
  poor_.reset();
  if (auto* reader = std::get_if<Reader>(&reader_)) {
    const auto read = reader->read(tp, record);
    return read.fate == Fate::row && !row(reader->values()) ? Fate::bad : read.fate;
  }
  auto& elements = std::get<Elements>(reader_);
  const auto read = elements.read(tp, record);
  if (read.fate != Fate::row) return read.fate;
  while (const auto next = elements.next()) {
    if (next->fate != Fate::row) return next->fate;
    if (!row(elements.values())) return Fate::bad;
  }
  return Fate::row;
}

void Shape::note(const Value& value, std::size_t column) {
  if (value.kind == Kind::absent || value.kind == Kind::null) return;
  note_kind(value, columns_[column].seen);
  filled_.push_back(column);
}

bool Shape::row(std::span<const Value> values) {
  filled_.clear();
  const auto given = rules_.columns.size();
  for (std::size_t i = 0; i < given; ++i) note(values[i], i);
  if (takes_members_) {
    const Value& all = values[given];
    if (all.kind == Kind::nested && all.json.starts_with('{')) members_of(all.json);
  }
  if (!says_enough()) return false;
  ++rows_;
  return true;
}

bool Shape::says_enough() {
  if (!rules_.needed) return true;
  const auto is_filled = [&](const std::string& name) {
    return std::ranges::any_of(filled_, [&](std::size_t column) {
      const auto& names = rules_.policy.names;
      return folded(columns_[column].name, names) == folded(name, names);
    });
  };
  const auto lacks = std::ranges::find_if_not(*rules_.needed, is_filled);
  const bool whole = lacks == rules_.needed->end();
  if (whole && !filled_.empty()) return true;
  poor_ = BadRecord{
      .fault = whole ? Fault::nothing_found : Fault::missing,
      .column = whole ? "" : *lacks,
      .reason = whole
                    ? "it has no value at all, and there is no table yet that could "
                      "say what that means"
                    : "the record has no value for column \"" + *lacks + "\", which is of the key"};
  return false;
}

void Shape::members_of(std::string_view object) {
  ObjectMembers members(object);
  std::string name;
  std::string scratch;
  Value value;
  while (members.next(name, value, scratch)) {
    scratch.clear();
    const auto called = folded(name, rules_.policy.names);
    if (std::ranges::find(known_, name) != known_.end()) continue;
    auto found = by_name_.find(called);
    if (found == by_name_.end()) {
      if (columns_.size() >= columns_max) {
        if (left_out_.empty()) left_out_ = called;
        continue;
      }
      columns_.push_back({.name = called});
      found = by_name_.emplace(called, columns_.size() - 1).first;
    }
    note(value, found->second);
  }
}

const BadRecord& Shape::bad() const {
  if (poor_) return *poor_;
  const auto* reader = std::get_if<Reader>(&reader_);
  return reader != nullptr ? reader->bad() : std::get<Elements>(reader_).bad();
}

Error Shape::unavailable() const {
  const auto* reader = std::get_if<Reader>(&reader_);
  return reader != nullptr ? reader->unavailable() : std::get<Elements>(reader_).unavailable();
}

std::vector<std::string> Shape::known_members() const {
  const auto* reader = std::get_if<Reader>(&reader_);
  return reader != nullptr ? record::known_members(reader->columns())
                           : std::get<Elements>(reader_).known_members();
}

std::vector<std::string> Shape::known_inside() const {
  const auto* elements = std::get_if<Elements>(&reader_);
  return elements != nullptr ? elements->known_inside() : std::vector<std::string>();
}

}  // namespace semel::record
