#include "postgres/encode/column_plan.hpp"

#include <fmt/format.h>

#include <utility>

namespace semel::postgres::encode {
namespace {

/// What the configuration has for all records would make each of them a bad one.
Result<void> constants_fit(const record::MappedColumn& column, const ValueEncoder& encoder) {
  for (const auto& [name, constant] :
       {std::pair("value", column.rule.constant), std::pair("default", column.rule.if_absent)}) {
    if (!constant) continue;
    std::string text;
    const auto refusal = encoder.text(constant->value(), text);
    if (!refusal) continue;
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{}, column \"{}\" ({}): {} = {} {}", columns_setting, column.name,
                            column.type_name, name, constant->written(), refusal.why));
  }
  return {};
}

}  // namespace

Result<TablePlan> plan_columns(const Table& table, const Options& options,
                               const JsonCheck& is_json) {
  const auto table_name = fmt::format("{}.{}", table.schema, table.name);
  if (table.columns.empty()) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("table {} has no column that can be written", table_name));
  }
  TablePlan plan;
  std::vector<record::Column> columns;
  const ChoiceContext context{.epoch_unit = options.epoch_unit, .is_json = is_json};
  for (const Column& column : table.columns) {
    Choice choice = choose(column.type, context);
    plan.binary = plan.binary && choice.binary;
    columns.push_back({column.name, column.type_name, choice.holds});
    plan.columns.push_back({.name = column.name,
                            .type_name = column.type_name,
                            .encoder = std::move(choice.encoder),
                            .not_null = column.not_null,
                            .default_kind = column.default_kind});
  }
  auto mapped = record::map_columns(columns, options.columns, columns_setting, table_name);
  if (!mapped) return tl::unexpected(mapped.error());
  std::size_t changing = 0;
  for (std::size_t i = 0; i < plan.columns.size(); ++i) {
    ColumnPlan& column = plan.columns[i];
    column.written = (*mapped)[i].written;
    column.may_be_absent = (*mapped)[i].may_be_absent();
    if (auto fits = constants_fit((*mapped)[i], *column.encoder); !fits) {
      return tl::unexpected(fits.error());
    }
    if (table.has_in_key(column.name)) {
      // A key that is new each time is none.
      column.of_key = column.not_null = true;
      (*mapped)[i].of_key = true;
      if (column.default_kind == DefaultKind::changing) column.default_kind = DefaultKind::none;
    }
    if (!options.marks_removed.empty() && column.name == options.marks_removed) {
      // Not from the record: merging says it.
      column.by_merging = true;
      column.not_null = false;
      column.default_kind = DefaultKind::none;
    }
    column.may_be_left_out = column.may_be_absent && column.default_kind == DefaultKind::changing;
    if (column.may_be_left_out) column.changing = changing++;
    const bool named = column.written.empty();
    if (named && !options.format->has_members() && column.not_null &&
        column.default_kind == DefaultKind::none && column.may_be_absent) {
      return fail(
          ErrorKind::fatal, Cause::configuration,
          fmt::format("column \"{}\" of table {} is NOT NULL without a default, and "
                      "nothing is mapped to it: source.kafka.value = \"{}\" has no members. "
                      "Map it in {}",
                      column.name, table_name, options.format->name(), columns_setting));
    }
  }
  plan.mapped = *std::move(mapped);
  return plan;
}

}  // namespace semel::postgres::encode
