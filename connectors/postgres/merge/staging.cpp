#include "postgres/merge/staging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "base/joined.hpp"
#include "postgres/client/quoting.hpp"

namespace semel::postgres {

namespace {

constexpr Oid boolean_type = 16;

bool is_domain(const Column& column) {
  return column.type.oid != column.type.base;
}

/// The n-th column that is carried on from an earlier record of the key: the number of that record.
std::string source_of(std::size_t n) {
  return fmt::format("semel_from_{}", n);
}

/// Whatever the planner thinks of a temporary table that nobody has analysed, the key's index is
/// used.
constexpr std::string_view by_index =
    "SET LOCAL enable_hashjoin = off;SET LOCAL enable_mergejoin = off;";
constexpr std::string_view as_before =
    ";SET LOCAL enable_hashjoin TO DEFAULT;SET LOCAL enable_mergejoin TO DEFAULT;";

/// What rows of each set have, of those columns that rows of another set lack.
struct Varying {
  std::vector<std::string> columns;
  std::vector<std::set<std::string>> had;  ///< every union of what records of one key may have
};

Varying varying_of(const Staged& staged) {
  Varying varying{.columns = staged.varying(), .had = {}};
  std::set<std::set<std::string>> unions;
  for (const auto& set : staged.sets) {
    std::set<std::string> has;
    for (const auto& column : varying.columns) {
      if (!set.lacks(column)) has.insert(column);
    }
    const auto before = unions;
    unions.insert(has);
    for (auto other : before) {
      other.insert(has.begin(), has.end());
      unions.insert(std::move(other));
    }
  }
  varying.had.assign(unions.begin(), unions.end());
  return varying;
}

}  // namespace

Staging::Staging(const Table& table, const Options& options, Ties ties)
    : table_(table),
      options_(options),
      only_newer_(ties == Ties::row),
      name_(QualifiedName{table.schema, table.name}.quoted()),
      stage_("pg_temp." + quote_identifier(table.stage)) {
  std::vector<std::string> columns;
  for (const auto& column : table.columns) {
    // A field that a row lacks is null there, whatever its domain says of null.
    auto written = "t." + quote_identifier(column.name);
    if (is_domain(column)) {
      written += fmt::format("::{} AS {}", column.base_name, quote_identifier(column.name));
    }
    columns.push_back(std::move(written));
  }
  keys_ = quoted_list(table.key_names(), "s.");
  create_ = fmt::format(
      "CREATE TEMPORARY TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS AS SELECT 0::bigint AS "
      "{}, 0 AS {}, {} FROM {} t WITH NO DATA",
      stage_, stage_number, stage_set, joined(columns, ", "), name_);
  empty_ = "TRUNCATE " + stage_;
}

std::string Staging::merge(const Staged& staged, std::int64_t after) const {
  const auto behind = fmt::format("s.{} > {}", stage_number, after);
  if (options_.write == Write::append) return ignore_conflicts(staged, behind);
  std::string sql;
  if (staged.removals) sql = remove(behind);
  return sql + upserts(staged, live(staged, behind));
}

std::string Staging::ignore_conflicts(const Staged& staged, const std::string& behind) const {
  std::vector<std::string> statements;
  for (const auto& set : staged.sets) {
    const auto columns = quoted_list(set.columns);
    statements.push_back(fmt::format(
        "INSERT INTO {} {} SELECT {} FROM {} s WHERE {} AND s.{} = {} ORDER BY s.{} ON CONFLICT DO "
        "NOTHING",
        name_, set.columns.empty() ? "" : fmt::format("({}) OVERRIDING SYSTEM VALUE", columns),
        quoted_list(set.columns, "s."), stage_, behind, stage_set, set.number, stage_number));
  }
  return joined(statements, ";");
}

/// Every row whose key has a removal, whether or not a row follows: that one comes in afterwards.
std::string Staging::remove(const std::string& behind) const {
  std::vector<std::string> equal;
  for (const auto& column : table_.key) {
    const auto quoted = quote_identifier(column.name);
    // Operators are of the type behind a domain.
    const auto* of_table = table_.column(column.name);
    const auto cast = is_domain(*of_table) ? "::" + of_table->base_name : std::string();
    equal.push_back(fmt::format("t.{0}{2} {1} d.{0}", quoted, column.equals, cast));
  }
  const auto removed = fmt::format(
      "(SELECT DISTINCT ON ({0}) {0} FROM {1} s WHERE {2} AND s.{3} < 0 "
      "ORDER BY {0}) d",
      keys_, stage_, behind, stage_set);
  const auto matches = joined(equal, " AND ");
  // The key says nothing of tables that inherit from it.
  const auto* only = table_.kind == 'r' ? "ONLY " : "";
  if (options_.marks_removed.empty()) {
    return fmt::format("{}DELETE FROM {}{} t USING {} WHERE {}{}", by_index, only, name_, removed,
                       matches, as_before);
  }
  const auto& column = *table_.column(options_.marks_removed);
  const bool flag = column.type.base == boolean_type;
  const auto quoted = quote_identifier(column.name);
  return fmt::format("{}UPDATE {}{} t SET {} = {} FROM {} WHERE {} AND t.{} {}{}", by_index, only,
                     name_, quoted, flag ? "true" : "now()", removed, matches, quoted,
                     flag ? "IS NOT TRUE" : "IS NULL", as_before);
}

/// The rows of a range that count, as `s`: with removals, semel_gone is the last of the key's.
std::string Staging::live(const Staged& staged, const std::string& behind) const {
  if (!staged.removals) {
    return fmt::format("(SELECT s.* FROM {} s WHERE {}) s", stage_, behind);
  }
  const bool stays = !options_.marks_removed.empty();
  return fmt::format(
      "(SELECT * FROM (SELECT s.*, coalesce(max(s.{0}) FILTER (WHERE s.{1} < 0) OVER (PARTITION BY "
      "{2}), 0) AS semel_gone FROM {3} s WHERE {4}) s WHERE s.{1} >= 0{5}) s",
      stage_number, stage_set, keys_, stage_, behind,
      stays ? "" : fmt::format(" AND s.{} > s.semel_gone", stage_number));
}

std::string Staging::value_of(const std::string& column, bool removals) const {
  if (column != options_.marks_removed || column.empty()) return "s." + quote_identifier(column);
  const bool flag = table_.column(column)->type.base == boolean_type;
  if (!removals) return flag ? "false" : "NULL";
  const auto gone = fmt::format("s.semel_gone > s.{}", stage_number);
  return flag ? gone : fmt::format("CASE WHEN {} THEN now() END", gone);
}

std::string Staging::upsert(const std::vector<std::string>& columns, const std::string& rows,
                            const std::vector<std::string>& values) const {
  std::vector<std::string> set;
  for (const auto& name : columns) {
    const auto* column = table_.column(name);
    // The server takes no value for an identity column that is always its own, but in INSERT.
    if (table_.has_in_key(name) || column->identity_always) continue;
    const auto quoted = quote_identifier(name);
    set.push_back(fmt::format("{0} = EXCLUDED.{0}", quoted));
  }
  auto action = set.empty() ? std::string("NOTHING") : "UPDATE SET " + joined(set, ", ");
  if (!set.empty() && !options_.version.empty()) {
    action += fmt::format(" WHERE t.{0} IS NULL OR EXCLUDED.{0} {1} t.{0}",
                          quote_identifier(options_.version), only_newer_ ? ">" : ">=");
  }
  return fmt::format(
      "INSERT INTO {} AS t ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} ORDER BY {} ON CONFLICT "
      "({}) DO {}",
      name_, quoted_list(columns), joined(values, ", "), rows, keys_,
      quoted_list(table_.key_names()), action);
}

/// With a column of versions: which rows would have come in one after another. What a lower version
/// brings would not.
std::string Staging::counted_rows(const std::string& rows) const {
  if (options_.version.empty()) return rows;
  const auto version = "s." + quote_identifier(options_.version);
  return fmt::format(
      "(SELECT s.*, s.semel_best IS NULL OR {0} >= s.semel_best AS semel_counts FROM (SELECT s.*, "
      "max({0}) OVER (PARTITION BY {1} ORDER BY s.{2} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 "
      "PRECEDING) AS semel_best FROM {3}) s) s",
      version, keys_, stage_number, rows);
}

/// The last record of each key is its row. Where records of a key lack different columns that the
/// server fills in (a serial, an identity), each has the value of the last record that brought one,
/// as if they had come in one after another.
std::string Staging::upserts(const Staged& staged, const std::string& rows) const {
  const auto latest =
      fmt::format("{}{}s.{} DESC", keys_ + ", ",
                  options_.version.empty()
                      ? ""
                      : fmt::format("s.{} DESC NULLS LAST, ", quote_identifier(options_.version)),
                  stage_number);
  const auto varying = varying_of(staged);
  if (varying.columns.empty()) {
    if (staged.sets.empty()) return "SELECT";
    const auto& columns = staged.sets.front().columns;
    std::vector<std::string> values;
    for (const auto& column : columns) values.push_back(value_of(column, staged.removals));
    return upsert(
        columns,
        fmt::format("(SELECT DISTINCT ON ({}) s.* FROM {} ORDER BY {}) s", keys_, rows, latest),
        values);
  }
  std::string sources;
  std::string joins;
  for (std::size_t i = 0; i < varying.columns.size(); ++i) {
    std::vector<std::uint32_t> with;
    for (const auto& set : staged.sets) {
      if (!set.lacks(varying.columns[i])) with.push_back(set.number);
    }
    sources +=
        fmt::format(", max(s.{}) FILTER (WHERE s.{} IN ({}){}) OVER (PARTITION BY {}) AS {}",
                    stage_number, stage_set, joined(with, ", "),
                    options_.version.empty() ? "" : " AND s.semel_counts", keys_, source_of(i));
    joins += fmt::format(" LEFT JOIN {0} x{1} ON x{1}.{2} = s.{3}", stage_, i, stage_number,
                         source_of(i));
  }
  const auto counting = counted_rows(rows);
  const auto last = fmt::format(
      "(SELECT DISTINCT ON ({0}) s.* FROM (SELECT s.*{1} FROM {2}) s ORDER BY {3}) s{4}", keys_,
      sources, counting, latest, joins);
  std::vector<std::string> always;
  for (const auto& column : staged.sets.front().columns) {
    if (std::ranges::find(varying.columns, column) == varying.columns.end())
      always.push_back(column);
  }
  std::vector<std::string> statements;
  for (const auto& has : varying.had) {
    auto columns = always;
    std::vector<std::string> values;
    for (const auto& column : always) values.push_back(value_of(column, staged.removals));
    std::string where;
    for (std::size_t i = 0; i < varying.columns.size(); ++i) {
      const auto& column = varying.columns[i];
      const bool there = has.contains(column);
      where += fmt::format("{}s.{} IS {}NULL", where.empty() ? " WHERE " : " AND ", source_of(i),
                           there ? "NOT " : "");
      if (!there) continue;
      columns.push_back(column);
      values.push_back(fmt::format("x{}.{}", i, quote_identifier(column)));
    }
    statements.push_back(upsert(columns, last + where, values));
  }
  return joined(statements, ";");
}

}  // namespace semel::postgres
