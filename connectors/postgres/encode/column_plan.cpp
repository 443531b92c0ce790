#include "postgres/encode/column_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace semel::postgres::encode {
namespace {

using record::parse_mapping;
using record::Step;

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

Result<Mapping> mapping_of(const Column& column, const Options& options) {
  const auto written = options.columns.find(column.name);
  if (written == options.columns.end()) return Mapping{.path = {Step{column.name}}};
  auto mapping = parse_mapping(written->second);
  if (!mapping) {
    mapping.error().message = fmt::format("sink.postgres.columns, column \"{}\": {}", column.name,
                                          mapping.error().message);
  }
  return mapping;
}

std::string written_for(const Column& column, const Options& options) {
  const auto written = options.columns.find(column.name);
  return written == options.columns.end() ? std::string() : written->second;
}

}  // namespace

Result<TablePlan> plan_columns(const Table& table, const Options& options,
                               const JsonCheck& is_json) {
  if (table.columns.empty()) {
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("table {}.{} has no column that can be written", table.schema, table.name));
  }
  for (const auto& [name, written] : options.columns) {
    const bool known =
        std::any_of(table.columns.begin(), table.columns.end(),
                    [&mapped = name](const Column& column) { return column.name == mapped; });
    if (known) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("sink.postgres.columns maps \"{}\", but table {}.{} has no such column "
                            "that can be written (names are compared exactly; generated columns "
                            "cannot be written)",
                            name, table.schema, table.name));
  }

  TablePlan plan;
  std::size_t changing = 0;
  const ChoiceContext context{.epoch_unit = options.epoch_unit, .is_json = is_json};
  for (const Column& column : table.columns) {
    auto mapping = mapping_of(column, options);
    if (!mapping) return tl::unexpected(mapping.error());
    Choice choice = choose(column.type, context);
    if (!can_hold(choice.holds, mapping->source)) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("sink.postgres.columns maps \"{}\" to {}, but the column is of type "
                              "{}, which cannot hold it",
                              column.name, options.columns.at(column.name), column.type_name));
    }
    plan.binary = plan.binary && choice.binary;
    plan.columns.push_back({.name = column.name,
                            .type_name = column.type_name,
                            .encoder = std::move(choice.encoder),
                            .mapping = std::move(*mapping),
                            .written = written_for(column, options),
                            .holds = choice.holds,
                            .not_null = column.not_null,
                            .default_kind = column.default_kind});
    ColumnPlan& added = plan.columns.back();
    if (added.default_kind == DefaultKind::changing && added.may_be_absent()) {
      added.changing = changing++;
    }
  }
  return plan;
}

}  // namespace semel::postgres::encode
