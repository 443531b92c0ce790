// Whether a unique index keeps rows from being there twice.
#include <fmt/format.h>

#include <algorithm>

#include "postgres/client/connection.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/postgres.hpp"
#include "postgres/table/catalog.hpp"
#include "postgres/table/routing.hpp"

namespace semel::postgres {

namespace {

Result<WrittenAgain> of_table(Connection& connection, const Options& options,
                              const std::string& name) {
  const auto table = describe_table(connection, name);
  if (!table) return tl::unexpected(table.error());
  // A key that the server makes is another one each time.
  std::string made = "''";
  for (const auto& column : table->columns) {
    if (column.default_kind != DefaultKind::changing || options.columns.contains(column.name)) {
      continue;
    }
    made += ", " + quote_literal(column.name);
  }
  const auto reply = connection.run(
      fmt::format("SELECT count(*) FROM pg_catalog.pg_index i WHERE i.indrelid = "
                  "{} AND i.indisunique AND i.indisvalid AND i.indpred IS NULL "
                  "AND i.indexprs IS NULL AND NOT EXISTS (SELECT "
                  "FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid "
                  "AND a.attnum = ANY (i.indkey) AND (NOT a.attnotnull OR a.attname IN ({})))",
                  table->oid, made),
      "reading the unique indexes of the table");
  if (!reply) return tl::unexpected(reply.error());
  if (reply->table(0).number(0, 0) == 0) return WrittenAgain::doubled;
  return options.on_conflict == OnConflict::ignore ? WrittenAgain::same : WrittenAgain::refused;
}

/// Nothing is there yet: it has no rows, or is made by whoever writes first.
Result<bool> is_empty(Connection& connection, const Options& rule, const std::string& name) {
  const auto quoted = split_name(name).quoted();
  auto reply =
      connection.run(fmt::format("SELECT to_regclass({}) IS NOT NULL", quote_literal(quoted)),
                     "looking at " + quoted);
  if (!reply) return tl::unexpected(reply.error());
  if (!reply->table(0).flag(0, 0)) return rule.create;
  reply = connection.run(fmt::format("SELECT NOT EXISTS (SELECT FROM {})", quoted),
                         "looking for rows in " + quoted);
  // Who may write it need not be one who may read it.
  return reply && reply->table(0).flag(0, 0);
}

/// The worst of its tables. Of those that only records name, nothing is known.
Result<WrittenAgain> of_rule(Connection& connection, const Options& rule) {
  const bool upserts = rule.write == Write::upsert;
  if (upserts && !rule.version.empty()) return WrittenAgain::same;
  const auto known = tables_known(rule, rule.topics);
  const auto unknown = upserts ? WrittenAgain::older : WrittenAgain::doubled;
  auto worst = known.empty() ? unknown : WrittenAgain::same;
  for (const auto& name : known) {
    const auto empty = is_empty(connection, rule, name);
    if (!empty) return tl::unexpected(empty.error());
    if (*empty) continue;
    const auto one =
        upserts ? Result<WrittenAgain>(WrittenAgain::older) : of_table(connection, rule, name);
    if (!one) return one;
    worst = std::max(worst, *one);
  }
  return worst;
}

}  // namespace

Result<WrittenAgain> written_again(const Options& options) {
  auto connection = Connection::open(options, "semel look", std::make_shared<Interrupter>());
  if (!connection) return tl::unexpected(connection.error());
  auto worst = WrittenAgain::same;
  for (const auto& rule : table_rules(options)) {
    const auto one = of_rule(**connection, rule);
    if (!one) return one;
    worst = std::max(worst, *one);
  }
  return worst;
}

}  // namespace semel::postgres
