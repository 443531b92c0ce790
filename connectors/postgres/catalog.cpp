#include "postgres/catalog.hpp"

#include <fmt/format.h>

#include "postgres/quoting.hpp"

namespace semel::postgres {

namespace {

// Numbers, types, modifiers and NOT NULL decide what a binary image means; names decide where it
// goes, and another table may take over a name; defaults are sent by us once they are evaluated.
constexpr std::string_view fingerprint_template =
    "(SELECT md5(string_agg(concat_ws(':', a.attrelid, a.attnum, a.atttypid, a.atttypmod, "
    "a.attnotnull, "
    "a.attidentity, a.attgenerated, a.attname, d.adbin), ',' ORDER BY a.attnum)) "
    "FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d "
    "ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "WHERE a.attrelid = {} AND a.attnum > 0 AND NOT a.attisdropped)";

// One row per column: domains followed down to the type behind them; the kind of the default from
// its expression tree. Functions in it are looked up by their oids; a node that is not known to be
// harmless counts as stable. Arrays are recognised by their send function: typsubscript is younger
// than PostgreSQL 13.
constexpr std::string_view columns_template = R"(
WITH RECURSIVE col AS (
  SELECT a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, a.attidentity,
         coalesce(d.adbin::text, t.typdefaultbin::text) AS tree,
         CASE WHEN d.adbin IS NOT NULL THEN pg_get_expr(d.adbin, d.adrelid)
              WHEN t.typdefaultbin IS NOT NULL THEN pg_get_expr(t.typdefaultbin, 0)
              WHEN t.typdefault IS NOT NULL THEN quote_literal(t.typdefault) END AS expression
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = {0} AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    AND a.attidentity <> 'a'
), behind (attnum, depth, oid, modifier, strict) AS (
  SELECT attnum, 0, atttypid, atttypmod, attnotnull FROM col
  UNION ALL
  SELECT b.attnum, b.depth + 1, t.typbasetype,
         CASE WHEN b.modifier <> -1 THEN b.modifier ELSE t.typtypmod END, b.strict OR t.typnotnull
  FROM behind b JOIN pg_catalog.pg_type t ON t.oid = b.oid AND t.typtype = 'd'
), base AS (
  SELECT DISTINCT ON (attnum) * FROM behind ORDER BY attnum, depth DESC
), element_behind (attnum, depth, oid) AS (
  SELECT b.attnum, 0, t.typelem FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid
  WHERE t.typelem <> 0 AND t.typsend = 'array_send'::regproc
  UNION ALL
  SELECT e.attnum, e.depth + 1, t.typbasetype
  FROM element_behind e JOIN pg_catalog.pg_type t ON t.oid = e.oid AND t.typtype = 'd'
), element AS (
  SELECT DISTINCT ON (attnum) * FROM element_behind ORDER BY attnum, depth DESC
), called AS (
  SELECT c.attnum, f.m[1] AS node, f.m[2]::oid AS oid
  FROM col c, regexp_matches(c.tree, ':(funcid|opfuncid|opno) (\d+)', 'g') AS f (m)
), called_kind AS (
  SELECT c.attnum, bool_or(p.provolatile = 'v') AS volatile, bool_or(p.provolatile = 's') AS stable
  FROM called c
  LEFT JOIN pg_catalog.pg_operator o ON c.node = 'opno' AND o.oid = c.oid
  JOIN pg_catalog.pg_proc p ON p.oid = CASE WHEN c.node = 'opno' THEN o.oprcode::oid ELSE c.oid END
  GROUP BY c.attnum
), strange AS (
  SELECT DISTINCT c.attnum
  FROM col c, regexp_matches(c.tree, '\{{([A-Z]+)', 'g') AS n (m)
  WHERE n.m[1] NOT IN ('CONST', 'FUNCEXPR', 'OPEXPR', 'RELABELTYPE', 'BOOLEXPR', 'CASEEXPR', 'CASE',
    'WHEN', 'CASEWHEN', 'CASETESTEXPR', 'COALESCE', 'COALESCEEXPR', 'NULLTEST', 'BOOLEANTEST',
    'ARRAY', 'ARRAYEXPR', 'ARRAYCOERCEEXPR', 'SCALARARRAYOPEXPR', 'COLLATE', 'COLLATEEXPR', 'ROW',
    'ROWEXPR', 'NULLIFEXPR', 'DISTINCTEXPR')
)
SELECT c.attname, c.attnum, c.atttypid, b.modifier, format_type(c.atttypid, c.atttypmod), b.oid,
       t.typtype, coalesce(e.oid, 0), et.typtype, b.strict,
       CASE WHEN c.attidentity = 'd' THEN 'v'
            WHEN c.expression IS NULL OR c.expression ~* '^NULL(::|$)' THEN '-'
            WHEN coalesce(k.volatile, false) OR c.tree ~ '\{{NEXTVALUEEXPR' THEN 'v'
            WHEN coalesce(k.stable, false) OR s.attnum IS NOT NULL THEN 's'
            ELSE 'c' END,
       CASE WHEN c.attidentity = '' AND c.expression !~* '^NULL(::|$)'
            THEN '(' || c.expression || ')::' || format_type(b.oid, -1) END,
       n.nspname, p.proname, CASE WHEN e.oid IS NULL THEN 0 ELSE t.typelem END
FROM col c
JOIN base b USING (attnum)
JOIN pg_catalog.pg_type t ON t.oid = b.oid
LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.typsend
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN element e USING (attnum)
LEFT JOIN pg_catalog.pg_type et ON et.oid = e.oid
LEFT JOIN called_kind k USING (attnum)
LEFT JOIN strange s USING (attnum)
ORDER BY c.attnum)";

DefaultKind default_kind(std::string_view letter) {
  if (letter == "c") return DefaultKind::constant;
  if (letter == "s") return DefaultKind::stable;
  if (letter == "v") return DefaultKind::changing;
  return DefaultKind::none;
}

Column column_of(const Rows& rows, int row) {
  return {.name = rows.text(row, 0),
          .number = static_cast<std::int16_t>(rows.number(row, 1)),
          .type = static_cast<Oid>(rows.number(row, 2)),
          .modifier = static_cast<std::int32_t>(rows.number(row, 3)),
          .type_name = rows.text(row, 4),
          .base_type = static_cast<Oid>(rows.number(row, 5)),
          .base_modifier = static_cast<std::int32_t>(rows.number(row, 3)),
          .type_kind = rows.view(row, 6).front(),
          .element_type = static_cast<Oid>(rows.number(row, 7)),
          .element_kind = rows.is_null(row, 8) ? '\0' : rows.view(row, 8).front(),
          .declared_element_type = static_cast<Oid>(rows.number(row, 14)),
          .not_null = rows.flag(row, 9),
          .default_kind = default_kind(rows.view(row, 10)),
          .default_expression = rows.text(row, 11),
          .send_function = rows.is_null(row, 13) ? std::string()
                                                 : quote_identifier(rows.view(row, 12)) + "." +
                                                       quote_identifier(rows.view(row, 13))};
}

}  // namespace

std::string fingerprint_sql(const Table& table) {
  return fmt::format(fingerprint_template,
                     fmt::format("to_regclass({})",
                                 quote_literal(QualifiedName{table.schema, table.name}.quoted())));
}

Result<Table> describe_table(Connection& connection, const std::string& written) {
  const auto name = split_name(written);
  const auto oid = fmt::format("to_regclass({})::oid", quote_literal(name.quoted()));
  const auto reply = connection.exchange(fmt::format(
      "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
      "SELECT c.oid, n.nspname, c.relname, c.relkind, {0} FROM pg_catalog.pg_class c "
      "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {1};{2};COMMIT",
      fmt::format(fingerprint_template, "c.oid"), oid, fmt::format(columns_template, oid)));
  if (!reply.ok()) {
    connection.roll_back();
    return tl::unexpected(to_error(reply, fmt::format("reading the columns of {}", name.quoted())));
  }
  const auto& found = reply.table(0);
  if (found.size() == 0) {
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("table {} does not exist {}, or its schema may not be used. Create it, or "
                    "correct sink.postgres.table; names are never folded: write them as "
                    "\\d shows them",
                    name.quoted(), connection.where()));
  }
  const auto kind = found.view(0, 3);
  if (kind != "r" && kind != "p" && kind != "f" && kind != "v") {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("{} is not a table that takes rows (relkind {})", name.quoted(), kind));
  }
  Table table{.schema = found.text(0, 1),
              .name = found.text(0, 2),
              .oid = static_cast<Oid>(found.number(0, 0)),
              .fingerprint = found.text(0, 4)};
  const auto& columns = reply.table(1);
  for (int row = 0; row < columns.size(); ++row) table.columns.push_back(column_of(columns, row));
  if (table.columns.empty()) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("table {} has no column that can be written", name.quoted()));
  }
  return table;
}

}  // namespace semel::postgres
