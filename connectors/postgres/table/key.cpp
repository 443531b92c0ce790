#include "postgres/table/key.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "postgres/client/quoting.hpp"

namespace semel::postgres {

namespace {

/// Of each usable unique index its columns in order, with the operator that it looks for equals by:
/// names alone would be looked up in the search path.
constexpr std::string_view unique_columns = R"(
SELECT i.indexrelid, i.indisprimary, a.attname,
       i.indcollation[k.n - 1] = a.attcollation, i.indimmediate,
       (SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
        FROM pg_catalog.pg_opclass c
        JOIN pg_catalog.pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype
             AND m.amoprighttype = c.opcintype AND m.amopstrategy = 3
        JOIN pg_catalog.pg_operator o ON o.oid = m.amopopr
        JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
        WHERE c.oid = i.indclass[k.n - 1])
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class r ON r.oid = i.indexrelid
JOIN pg_catalog.pg_am am ON am.oid = r.relam AND am.amname = 'btree'
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, n)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE i.indrelid = {} AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indexprs IS NULL AND k.n <= i.indnkeyatts
ORDER BY i.indisprimary DESC, i.indexrelid, k.n)";

Error wrong(std::string message) {
  return {ErrorKind::fatal, Cause::configuration, std::move(message)};
}

Result<std::vector<KeyColumn>> read_key(Connection& connection, const Options& options,
                                        const Table& table) {
  const auto name = QualifiedName{table.schema, table.name}.quoted();
  const auto reply = connection.run(fmt::format(unique_columns, table.oid),
                                    "reading the unique indexes of " + name);
  if (!reply) return tl::unexpected(reply.error());
  const auto& rows = reply->table(0);
  const std::set<std::string> wanted(options.key.begin(), options.key.end());
  std::optional<std::vector<KeyColumn>> found;
  std::set<std::set<std::string>> deferrable;
  for (int row = 0; row < rows.size();) {
    const auto index = rows.view(row, 0);
    const bool primary = rows.flag(row, 1);
    const bool immediate = rows.flag(row, 4);
    bool same_collation = true;
    std::vector<KeyColumn> key;
    std::set<std::string> names;
    for (; row < rows.size() && rows.view(row, 0) == index; ++row) {
      key.push_back({rows.text(row, 2), rows.text(row, 5)});
      names.insert(rows.text(row, 2));
      same_collation = same_collation && rows.flag(row, 3);
    }
    if (wanted.empty() ? !primary : names != wanted) continue;
    if (!immediate) deferrable.insert(names);
    if (immediate && same_collation && !found) found = std::move(key);
  }
  std::set<std::string> found_names;
  if (found) {
    for (const auto& column : *found) found_names.insert(column.name);
  }
  if (found && deferrable.contains(found_names)) {
    return tl::unexpected(
        wrong(fmt::format("write = \"upsert\": table {} has a deferrable unique constraint on "
                          "({}), beside the index of "
                          "the key; PostgreSQL's ON CONFLICT refuses each row then. Drop the "
                          "constraint, or make it NOT "
                          "DEFERRABLE",
                          name, quoted_list({found_names.begin(), found_names.end()}))));
  }
  if (found) return *std::move(found);
  const auto& setting = options.names("sink.postgres.key");
  if (wanted.empty()) {
    return tl::unexpected(
        wrong(fmt::format("write = \"upsert\": table {} has no primary key that is asked at once. "
                          "Name the columns of "
                          "a unique index in {}, or make one",
                          name, setting)));
  }
  return tl::unexpected(wrong(
      fmt::format("{} = ({}): table {} has no unique index on just these columns that is valid, "
                  "not partial, not "
                  "deferrable, of the columns' own collations and without expressions. CREATE "
                  "UNIQUE INDEX ON {} ({})",
                  setting, quoted_list(options.key), name, name, quoted_list(options.key))));
}

/// By what a removed row can be marked.
bool can_mark(const Type& type) {
  constexpr std::array<Oid, 4> types{16, 1082, 1114, 1184};  // boolean, date, timestamp(tz)
  return std::ranges::find(types, type.base) != types.end();
}

Result<void> look_at_columns(const Options& options, const Table& table) {
  const auto name = QualifiedName{table.schema, table.name}.quoted();
  for (const auto& column : table.columns) {
    if (!column.name.starts_with("semel_")) continue;
    return tl::unexpected(wrong(fmt::format(
        "table {} has a column {}: names that begin with semel_ are the temporary table's, "
        "through which rows are merged. Rename it",
        name, quote_identifier(column.name))));
  }
  for (const auto& column : table.key) {
    if (table.column(column.name) == nullptr) {
      return tl::unexpected(
          wrong(fmt::format("write = \"upsert\": column {} of the key of {} is computed by the "
                            "table, so no record has it",
                            quote_identifier(column.name), name)));
    }
  }
  const auto needs = [&](const std::string& column, const char* setting) -> Result<const Column*> {
    const auto* found = table.column(column);
    if (found != nullptr && !table.has_in_key(column)) return found;
    return tl::unexpected(
        wrong(fmt::format("{} = \"{}\": table {} has no such column beside its key "
                          "(names are compared exactly)",
                          options.names(setting), column, name)));
  };
  if (!options.version.empty()) {
    if (auto found = needs(options.version, "sink.postgres.version"); !found) {
      return tl::unexpected(found.error());
    }
  }
  if (options.marks_removed.empty()) return {};
  auto marked = needs(options.marks_removed, "sink.postgres.deletes.set");
  if (!marked) return tl::unexpected(marked.error());
  if (!can_mark((*marked)->type)) {
    return tl::unexpected(wrong(fmt::format(
        "{} = \"{}\": the column is of type {}; a boolean, a date or a timestamp can say that a "
        "row "
        "was removed",
        options.names("sink.postgres.deletes.set"), options.marks_removed, (*marked)->type_name)));
  }
  if (options.columns.contains(options.marks_removed)) {
    return tl::unexpected(
        wrong(fmt::format("{} = \"{}\", and {} maps it as well: take one away",
                          options.names("sink.postgres.deletes.set"), options.marks_removed,
                          options.names("sink.postgres.columns"))));
  }
  return {};
}

}  // namespace

Result<void> describe_merging(Connection& connection, const Options& options, Table& table) {
  if (!options.merges()) return {};
  const auto name = QualifiedName{table.schema, table.name}.quoted();
  if (table.kind != 'r' && table.kind != 'p') {
    return tl::unexpected(wrong(fmt::format(
        "{} is a view or a foreign table: {} needs a table, whose unique index decides", name,
        options.write == Write::upsert ? "write = \"upsert\"" : "on_conflict = \"ignore\"")));
  }
  if (options.write == Write::upsert) {
    auto key = read_key(connection, options, table);
    if (!key) return tl::unexpected(key.error());
    table.key = *std::move(key);
  }
  if (options.write == Write::append) {
    const auto reply = connection.run(
        fmt::format(
            "SELECT count(*) FROM pg_catalog.pg_index WHERE indrelid = {} AND indisunique AND "
            "NOT indimmediate",
            table.oid),
        "reading the unique indexes of " + name);
    if (!reply) return tl::unexpected(reply.error());
    if (reply->table(0).number(0, 0) > 0) {
      return tl::unexpected(
          wrong(fmt::format("on_conflict = \"ignore\": table {} has a deferrable unique "
                            "constraint, and PostgreSQL's ON "
                            "CONFLICT refuses each row then. Make it NOT DEFERRABLE",
                            name)));
    }
  }
  if (auto fit = look_at_columns(options, table); !fit) return fit;
  // Whoever has this name in the session means the same table as it is now: its columns are part of
  // the fingerprint.
  table.stage =
      fmt::format("semel_stage_{:016x}",
                  std::hash<std::string>{}(fmt::format("{}:{}", table.oid, table.fingerprint)));
  return {};
}

}  // namespace semel::postgres
