#include <fmt/format.h>

#include <algorithm>

#include "record/reader.hpp"

namespace semel::record {
namespace {

/// Whether any value of `source` could be stored. Bytes are read as text, which may be anything.
bool can_hold(Holds holds, Source source) {
  if (holds == Holds::unknown) return true;
  switch (source) {
    case Source::topic:
      return holds == Holds::text || holds == Holds::json || holds == Holds::bytes;
    case Source::partition:
    case Source::offset:
      return holds == Holds::text || holds == Holds::json || holds == Holds::number;
    case Source::timestamp:
      return holds == Holds::text || holds == Holds::json || holds == Holds::number ||
             holds == Holds::instant;
    case Source::headers:
      return holds == Holds::text || holds == Holds::json;
    case Source::path:
    case Source::key:
    case Source::header:
    case Source::value:
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
    if (!can_hold(column.holds, mapping->source)) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("{} maps \"{}\" to {}, but the column is of type {}, which cannot "
                              "hold it",
                              setting, column.name, written, column.type_name));
    }
    mapped.push_back({column.name, column.holds, *std::move(mapping), written});
  }
  return mapped;
}

}  // namespace semel::record
