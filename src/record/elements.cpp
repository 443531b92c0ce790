#include "record/elements.hpp"

#include <fmt/format.h>

#include <utility>

namespace semel::record {
namespace {

// Around a value that is an array, so that it can be read as a member of an object.
constexpr std::string_view member = "rows";
constexpr std::string_view before = "{\"rows\":";
constexpr std::string_view after = "}";

/// Calls for every place that a column may come from.
template <class Column, class OnMapping>
void for_each_mapping(Column& column, OnMapping on_mapping) {
  on_mapping(column.mapping);
  for (auto& other : column.others) on_mapping(other);
}

/// Where a column comes from: the whole value, or an element or what is beside the value. Absent:
/// from both.
enum class From : std::uint8_t { value, element };
std::optional<From> comes_from(const MappedColumn& column) {
  bool value = false;
  bool element = false;
  for_each_mapping(column, [&](const Mapping& mapping) {
    value = value || mapping.part == Part::value_path || mapping.part == Part::value;
    element = element || mapping.part == Part::path || mapping.part == Part::index;
  });
  if (value && element) return std::nullopt;
  return value ? From::value : From::element;
}

/// Whether columns come from an element as a whole, and none from a member of it.
bool wants_all(const std::vector<MappedColumn>& columns) {
  bool all = false;
  bool some = false;
  for (const MappedColumn& column : columns) {
    for_each_mapping(column, [&](const Mapping& mapping) {
      if (mapping.part == Part::path) (mapping.path.empty() ? all : some) = true;
    });
  }
  return all && !some;
}

/// Whether `read` is all of `text`, and not what `text` goes on with behind a comma.
bool is_whole(const Value& read, std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return false;
  const auto size = text.find_last_not_of(" \t\r\n") - begin + 1;
  return size == (read.json.empty() ? read.text.size() : read.json.size());
}

/// A record of which only what is beside its value is known to be like another one's.
Record beside(const Record& record) {
  Record other;
  other.offset = record.offset;
  other.timestamp_ms = record.timestamp_ms;
  other.key = record.key;
  other.headers = record.headers;
  return other;
}

/// Columns by who reads them; and which column each of theirs is.
struct Split {
  std::vector<MappedColumn> outside;
  std::vector<MappedColumn> inside;
  std::vector<std::size_t> of_outside;
  std::vector<std::size_t> of_inside;
  std::vector<std::size_t> of_index;
};
Result<Split> split(std::span<const MappedColumn> columns, bool whole, bool wraps,
                    std::string_view setting) {
  Split split;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    auto column = columns[i];
    if (column.mapping.part == Part::index && column.others.empty()) {
      split.of_index.push_back(i);
      continue;
    }
    const auto from = comes_from(column);
    if (!from) {
      return fail(
          ErrorKind::fatal, Cause::configuration,
          fmt::format("{}, column \"{}\": {} is partly in the element and partly beside it. "
                      "Take all of it from one",
                      setting, column.name, column.written));
    }
    if (*from == From::value) {
      for_each_mapping(column, [&](Mapping& mapping) {
        if (mapping.part != Part::value_path) return;
        mapping.part = Part::path;
        if (whole) mapping.path.insert(mapping.path.begin(), Step{std::string(member)});
      });
      split.of_outside.push_back(i);
      split.outside.push_back(std::move(column));
    } else {
      for_each_mapping(column, [&](Mapping& mapping) {
        if (wraps && mapping.part == Part::path) mapping.path = {Step{std::string(member)}};
      });
      split.of_inside.push_back(i);
      split.inside.push_back(std::move(column));
    }
  }
  return split;
}

}  // namespace

Result<Elements> Elements::make(std::vector<MappedColumn> columns, const Policy& policy,
                                const Format& format, std::string setting, const Format* keys,
                                const std::string& path, std::span<const std::string> also_known,
                                std::span<const std::string> also_inside) {
  auto place = parse_mapping(path);
  if (!place) return tl::unexpected(place.error());
  if (place->part != Part::path || !format.is_json()) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("path = \"{}\" is no place of an array: it begins with $, in a value "
                            "that is JSON",
                            path));
  }
  const bool whole = place->path.empty();
  const bool wraps = wants_all(columns);
  auto parts = split(columns, whole, wraps, setting);
  if (!parts) return tl::unexpected(parts.error());
  // Last, the array.
  auto array = place->path;
  if (whole) array = {Step{std::string(member)}};
  parts->outside.push_back({.name = "path",
                            .holds = Holds::json,
                            .mapping = {.part = Part::path, .path = array},
                            .written = path});
  auto inner = policy;
  inner.removes_from.clear();
  inner.tombstones = Tombstones::remove;
  auto of_record = Reader::make(std::move(parts->outside), policy, format, setting, keys,
                                whole ? std::span<const std::string>{} : also_known);
  if (!of_record) return tl::unexpected(of_record.error());
  auto of_element = Reader::make(std::move(parts->inside), inner, format, setting, keys,
                                 wraps ? std::span<const std::string>{} : also_inside);
  if (!of_element) return tl::unexpected(of_element.error());
  Elements elements(*std::move(of_record), *std::move(of_element));
  elements.columns_ = std::move(columns);
  elements.values_.resize(elements.columns_.size());
  elements.of_outside_ = std::move(parts->of_outside);
  elements.of_inside_ = std::move(parts->of_inside);
  elements.of_index_ = std::move(parts->of_index);
  elements.path_ = path;
  elements.whole_ = whole;
  elements.wraps_ = wraps;
  return elements;
}

Error Elements::unavailable() const {
  return unavailable_inside_ ? inside_.unavailable() : outside_.unavailable();
}

std::string Elements::place() const {
  return fmt::format("element {} of {}", at_, path_);
}

std::vector<std::string> Elements::known_members() const {
  return whole_ ? std::vector<std::string>() : record::known_members(outside_.columns());
}

std::vector<std::string> Elements::known_inside() const {
  return wraps_ ? std::vector<std::string>() : record::known_members(inside_.columns());
}

ReadRecord Elements::read(const TopicPartition& tp, const Record& record) {
  rest_.reset();
  only_.reset();
  at_ = -1;
  unavailable_inside_ = false;
  unknown_field_.clear();
  tp_ = tp;
  record_ = beside(record);
  auto read = record;
  if (whole_ && record.value) {
    wrapped_.assign(before);
    wrapped_ += *record.value;
    wrapped_ += after;
    read.value = wrapped_;
  }
  auto result = outside_.read(tp, read);
  if (result.unknown_fields > 0) unknown_field_ = outside_.unknown_field();
  // Nothing at all is an array without elements.
  if (result.fate == Fate::bad && outside_.bad().fault == Fault::nothing_found) {
    result.fate = Fate::row;
    return result;
  }
  if (result.fate == Fate::bad) bad_ = outside_.bad();
  if (result.fate != Fate::row && result.fate != Fate::removal) return result;
  fate_ = result.fate;
  const auto& array = outside_.values().back();
  if (whole_ && record.value && !is_whole(array, *record.value)) {
    bad_ = {.fault = Fault::malformed, .reason = "the value is more than one JSON value"};
    result.fate = Fate::bad;
    return result;
  }
  if (array.kind == Kind::absent || array.kind == Kind::null) return result;
  if (array.kind == Kind::nested && array.json.starts_with('[')) {
    rest_.emplace(array.json);
  } else {
    only_ = array;
  }
  return result;
}

std::optional<ReadRecord> Elements::next() {
  if (only_) return row_of(*std::exchange(only_, std::nullopt));
  Value element;
  if (!rest_) return std::nullopt;
  scratch_.clear();
  if (!rest_->next(element, scratch_)) {
    rest_.reset();
    return std::nullopt;
  }
  return row_of(element);
}

ReadRecord Elements::bad_row(BadRecord bad) {
  rest_.reset();
  bad_ = std::move(bad);
  bad_.reason = fmt::format("{}: {}", place(), bad_.reason);
  if (!bad_.told.empty()) bad_.told = fmt::format("{}: {}", place(), bad_.told);
  return {.fate = Fate::bad};
}

ReadRecord Elements::row_of(const Value& element) {
  ++at_;
  const bool object = element.kind == Kind::nested && element.json.starts_with('{');
  if (!object && !wraps_) {
    return bad_row({.fault = Fault::malformed,
                    .reason = fmt::format("{} is no object, and columns come from its members",
                                          shown(element))});
  }
  auto one = record_;
  if (wraps_) {
    element_.assign(before);
    element_ += element.json.empty() ? element.text : element.json;
    element_ += after;
    one.value = element_;
  } else {
    one.value = element.json;
  }
  auto result = inside_.read(tp_, one);
  if (result.unknown_fields > 0) unknown_field_ = inside_.unknown_field();
  if (result.fate == Fate::unavailable) {
    unavailable_inside_ = true;
    return result;
  }
  if (result.fate == Fate::bad) return bad_row(inside_.bad());
  for (std::size_t k = 0; k < of_inside_.size(); ++k) values_[of_inside_[k]] = inside_.values()[k];
  for (std::size_t k = 0; k < of_outside_.size(); ++k) {
    values_[of_outside_[k]] = outside_.values()[k];
  }
  digits_ = fmt::to_string(at_);
  for (const auto column : of_index_) {
    values_[column] = {.kind = Kind::number, .text = digits_, .json = digits_};
  }
  result.fate = fate_;
  return result;
}

}  // namespace semel::record
