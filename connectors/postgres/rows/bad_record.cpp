#include "postgres/rows/bad_record.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <utility>
#include <vector>

#include "postgres/client/log_text.hpp"
#include "postgres/client/quoting.hpp"

namespace semel::postgres {

namespace {

std::string told(const ServerError& error, const Table& table) {
  std::vector<std::string> known{table.name};
  for (const auto& column : table.columns) known.push_back(column.name);
  return log_text(error, std::move(known));
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

std::optional<std::string> copy_column(std::string_view context, const Table& table) {
  const auto line = copy_line_text(context, table.copied_as());
  if (!line) return std::nullopt;
  // "…, line 2, column b: "…"": what stands before the value. Without a column the value follows at
  // once, and may say anything.
  auto rest = *line;
  const auto value = std::min({first_quote(rest).at, rest.find(':'), rest.find("：")});
  rest = rest.substr(0, value);
  std::optional<std::string> found;
  for (const auto& column : table.columns) {
    if (found && column.name.size() <= found->size()) continue;
    // It is the last word, or the last but for what stands for "null input" in parentheses.
    for (auto at = rest.find(column.name); at != std::string_view::npos;
         at = rest.find(column.name, at + 1)) {
      const auto end = at + column.name.size();
      const bool begins = at > 0 && !is_word(rest[at - 1]);
      const bool ends = end == rest.size() || rest[end] == ' ';
      if (begins && ends) found = column.name;
    }
  }
  return found;
}

record::BadRecord bad_record_of(const ServerError& error, const Table& table) {
  const auto is_ours = [&](const Column& column) { return column.name == error.column; };
  // A trigger may have written elsewhere.
  std::string column;
  if (std::ranges::any_of(table.columns, is_ours)) column = error.column;
  if (column.empty()) column = copy_column(error.context, table).value_or("");
  const bool duplicate = error.sqlstate == "23505";  // unique_violation
  return {.fault = duplicate ? record::Fault::duplicate : record::Fault::refused,
          .column = std::move(column),
          .code = error.sqlstate,
          .reason = error.text(),
          .told = told(error, table)};
}

std::string constraint_columns_query(const ServerError& error, const Table& table) {
  if (error.constraint.empty() || error.table.empty()) return "";
  return fmt::format(
      "SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM pg_class r "
      "JOIN pg_namespace s ON s.oid = r.relnamespace CROSS JOIN LATERAL "
      "(SELECT conkey AS keys FROM pg_constraint WHERE conrelid = r.oid AND conname = {0} "
      "UNION ALL SELECT indkey::int2[] FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
      "WHERE x.indrelid = r.oid AND i.relname = {0} LIMIT 1) AS c "
      "CROSS JOIN LATERAL unnest(c.keys) WITH ORDINALITY AS k (number, n) "
      "JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.number "
      "WHERE s.nspname = {1} AND r.relname = {2} AND (r.oid = {3} OR {3} IN "
      "(SELECT relid FROM pg_partition_ancestors(r.oid)))",
      quote_literal(error.constraint), quote_literal(error.schema), quote_literal(error.table),
      table.oid);
}

}  // namespace semel::postgres
