#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "record/column.hpp"
#include "record/conversion.hpp"

namespace semel::record {
namespace {

/// Whether any value of `tp` could be stored. Bytes are read as text, which may be anything.
bool can_hold(Holds holds, Part tp) {
  if (holds == Holds::unknown) return true;
  switch (tp) {
    case Part::topic:
      return holds == Holds::text || holds == Holds::json || holds == Holds::bytes;
    case Part::partition:
    case Part::offset:
    case Part::index:
      return holds == Holds::text || holds == Holds::json || holds == Holds::number;
    case Part::timestamp:
      return holds == Holds::text || holds == Holds::json || holds == Holds::number ||
             holds == Holds::instant || holds == Holds::date;
    case Part::headers:
      return holds == Holds::text || holds == Holds::json;
    case Part::path:
    case Part::value_path:
    case Part::key:
    case Part::key_path:
    case Part::header:
    case Part::value:
    case Part::constant:
      return true;
  }
  return true;
}

Result<MappedColumn> map_column(const Column& column, const ColumnRule& rule,
                                std::string_view setting) {
  MappedColumn mapped{.name = column.name,
                      .holds = column.holds,
                      .mapping = {.path = {Step{column.name}}},
                      .written = source_of(rule),
                      .type_name = column.type_name,
                      .rule = rule};
  const auto where = fmt::format("{}, column \"{}\"", setting, column.name);
  if (rule.constant) mapped.mapping = {.part = Part::constant};
  for (std::size_t i = 0; i < rule.from.size(); ++i) {
    auto mapping = parse_mapping(rule.from[i]);
    if (!mapping) {
      mapping.error().message = fmt::format("{}: {}", where, mapping.error().message);
      return tl::unexpected(mapping.error());
    }
    if (!can_hold(column.holds, mapping->part)) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("{} maps \"{}\" to {}, but the column is of type {}, which cannot "
                              "hold it",
                              setting, column.name, rule.from[i], column.type_name));
    }
    if (i == 0) {
      mapped.mapping = *std::move(mapping);
    } else {
      mapped.others.push_back(*std::move(mapping));
    }
  }
  if (const auto why = why_not(rule, column)) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{}: {}, and the column is of type {}", where, *why, column.type_name));
  }
  return mapped;
}

}  // namespace

Result<std::vector<MappedColumn>> map_columns(std::span<const Column> columns,
                                              const ColumnRules& rules, std::string_view setting,
                                              std::string_view table) {
  for (const auto& [name, rule] : rules) {
    if (std::ranges::find(columns, name, &Column::name) != columns.end()) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{} maps \"{}\", but table {} has no such column that can be written "
                            "(names are compared exactly; generated columns cannot be written)",
                            setting, name, table));
  }
  std::vector<MappedColumn> all;
  for (const Column& column : columns) {
    const auto found = rules.find(column.name);
    auto mapped = map_column(column, found == rules.end() ? ColumnRule() : found->second, setting);
    if (!mapped) return tl::unexpected(mapped.error());
    all.push_back(*std::move(mapped));
  }
  return all;
}

std::vector<std::string> known_members(std::span<const MappedColumn> columns) {
  std::vector<std::string> known;
  const auto add = [&](const Mapping& mapping) {
    if (!is_in_value(mapping) || mapping.path.empty()) return;
    if (const auto* name = std::get_if<std::string>(&mapping.path.front())) known.push_back(*name);
  };
  for (const MappedColumn& column : columns) {
    add(column.mapping);
    for (const Mapping& other : column.others) add(other);
  }
  return known;
}

}  // namespace semel::record
