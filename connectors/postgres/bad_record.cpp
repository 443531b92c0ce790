#include "postgres/bad_record.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <vector>

#include "postgres/quoting.hpp"

namespace semel::postgres {

namespace {

constexpr std::size_t log_bytes_max = 300;

// What PostgreSQL's languages put around a value.
constexpr std::array<std::string_view, 8> quotes{"\"", "«", "»", "„", "“", "”", "「", "」"};

struct Quote {
  std::size_t at = std::string_view::npos;
  std::size_t size = 0;
};

Quote first_quote(std::string_view text, std::size_t from = 0) {
  Quote first;
  for (const auto quote : quotes) {
    const auto at = text.find(quote, from);
    if (at < first.at) first = {at, quote.size()};
  }
  return first;
}

std::size_t behind_last_quote(std::string_view text) {
  std::size_t end = 0;
  for (const auto quote : quotes) {
    const auto at = text.rfind(quote);
    if (at != std::string_view::npos) end = std::max(end, at + quote.size());
  }
  return end;
}

std::string plain(std::string_view text) {
  std::string clean;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    clean += code < 0x20 || code == 0x7F ? ' ' : c;
  }
  return clean;
}

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

/// Where the server says nothing of COPY first, somebody's function speaks, and may say anything.
bool said_by_function(const ServerError& error) {
  const auto line = first_line(error.context);
  return error.sqlstate.starts_with("P0") ||
         (!line.empty() && line.find("COPY") == std::string_view::npos);
}

std::string told(const ServerError& error, const Table& table) {
  if (!said_by_function(error)) {
    std::vector<std::string> known{table.name, error.table, error.constraint, error.column};
    for (const auto& column : table.columns) known.push_back(column.name);
    return without_quotes(error.message, known, log_bytes_max);
  }
  // Whose it is, is no value: only a line with a statement in it may hold some.
  const auto line = first_line(error.context);
  const bool names_one = line.find("PL/pgSQL") != std::string_view::npos &&
                         first_quote(line).at == std::string_view::npos;
  return names_one ? "a trigger or function refuses it (" +
                         without_quotes(line, {}, log_bytes_max) + ")"
                   : "a trigger or function refuses it";
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

std::string without_quotes(std::string_view text, const std::vector<std::string>& known,
                           std::size_t max_bytes) {
  std::string kept;
  std::size_t at = 0;
  for (auto quote = first_quote(text); quote.at != std::string_view::npos;
       quote = first_quote(text, at)) {
    const auto inside = quote.at + quote.size;
    const auto name = std::ranges::find_if(known, [&](const auto& one) {
      return !one.empty() && text.substr(inside).starts_with(one) &&
             first_quote(text, inside).at == inside + one.size();
    });
    if (name == known.end()) {
      // A value may hold quotes itself: all that is left of them goes.
      kept += text.substr(at, quote.at - at);
      kept += "…";
      at = behind_last_quote(text);
      break;
    }
    const auto closing = first_quote(text, inside);
    kept += text.substr(at, closing.at + closing.size - at);
    at = closing.at + closing.size;
  }
  kept += text.substr(at);
  return sanitise(plain(kept), max_bytes);
}

std::optional<std::string> copy_column(std::string_view context, const Table& table) {
  const auto line = copy_line_text(context, table.name);
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

BadRecord bad_record_of(const ServerError& error, const Table& table) {
  const auto is_ours = [&](const Column& column) { return column.name == error.column; };
  // A trigger may have written elsewhere.
  std::string column;
  if (std::ranges::any_of(table.columns, is_ours)) column = error.column;
  if (column.empty()) column = copy_column(error.context, table).value_or("");
  return {.column = std::move(column),
          .sqlstate = error.sqlstate,
          .reason = error.text(),
          .told = told(error, table)};
}

std::string for_log(const BadRecord& bad) {
  const auto& text = bad.told.empty() ? bad.reason : bad.told;
  const auto column = "column \"" + bad.column + "\"";
  const bool names_it = bad.column.empty() || text.starts_with(column);
  return fmt::format("{}{} (SQLSTATE {})", names_it ? "" : column + ": ",
                     sanitise(plain(text), log_bytes_max), sanitise(plain(bad.sqlstate), 5, true));
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
