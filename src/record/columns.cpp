#include <fmt/format.h>

#include <algorithm>

#include "record/reader.hpp"

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
             holds == Holds::instant;
    case Part::headers:
      return holds == Holds::text || holds == Holds::json;
    case Part::path:
    case Part::value_path:
    case Part::key:
    case Part::key_path:
    case Part::header:
    case Part::value:
      return true;
  }
  return true;
}

}  // namespace

Result<std::vector<MappedColumn>> map_columns(std::span<const Column> columns,
                                              const std::map<std::string, std::string>& mappings,
                                              std::string_view setting, std::string_view table) {
  for (const auto& [name, written] : mappings) {
    if (std::ranges::find(columns, name, &Column::name) != columns.end()) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{} maps \"{}\", but table {} has no such column that can be written "
                            "(names are compared exactly; generated columns cannot be written)",
                            setting, name, table));
  }
  std::vector<MappedColumn> mapped;
  for (const Column& column : columns) {
    const auto found = mappings.find(column.name);
    if (found == mappings.end()) {
      mapped.push_back({column.name, column.holds, Mapping{.path = {Step{column.name}}}});
      continue;
    }
    const std::string& written = found->second;
    auto mapping = parse_mapping(written);
    if (!mapping) {
      mapping.error().message =
          fmt::format("{}, column \"{}\": {}", setting, column.name, mapping.error().message);
      return tl::unexpected(mapping.error());
    }
    if (!can_hold(column.holds, mapping->part)) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("{} maps \"{}\" to {}, but the column is of type {}, which cannot "
                              "hold it",
                              setting, column.name, written, column.type_name));
    }
    mapped.push_back({column.name, column.holds, *std::move(mapping), written});
  }
  return mapped;
}

std::vector<std::string> known_members(std::span<const MappedColumn> columns) {
  std::vector<std::string> known;
  for (const MappedColumn& column : columns) {
    if (!column.is_in_value() || column.mapping.path.empty()) continue;
    if (const auto* name = std::get_if<std::string>(&column.mapping.path.front())) {
      known.push_back(*name);
    }
  }
  return known;
}

}  // namespace semel::record
