#include "postgres/table/catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "base/joined.hpp"
#include "postgres/client/durability.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

namespace {

/// FirstNormalObjectId: what is below came with the server.
constexpr Oid first_of_users = 16'384;

/// Of a transaction that only read. Where it has ended, this does nothing.
class RollBack {
 public:
  explicit RollBack(Connection& connection) : connection_(connection) {}
  ~RollBack() { connection_.roll_back(); }
  RollBack(const RollBack&) = delete;
  RollBack& operator=(const RollBack&) = delete;

 private:
  Connection& connection_;
};

// Whatever is altered is a new version of a row of the catalogue, with the number of the
// transaction that wrote it: that a row is still the one that was read is all that is asked. So
// nothing depends on a list of properties that matter.
constexpr std::string_view columns_fingerprint =
    "(SELECT string_agg(concat_ws(':', a.attrelid, a.attnum, a.xmin, d.xmin), ',' ORDER BY "
    "a.attnum) FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d "
    "ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "WHERE a.attrelid = {} AND a.attnum > 0 AND NOT a.attisdropped)";

std::string list_of(const std::vector<Oid>& oids) {
  return fmt::format("'{{{}}}'::oid[]", joined(oids, ","));
}

/// Versions of the rows of `catalogue` for which `key` is one of `oids`; "" for none of them.
void append_versions(std::string& sql, std::string_view catalogue, std::string_view key,
                     const std::vector<Oid>& oids) {
  if (oids.empty()) return;
  sql += fmt::format(
      " || coalesce((SELECT string_agg(concat_ws(':', {0}, xmin), ',' ORDER BY {0}, xmin::text) "
      "FROM pg_catalog.{1} WHERE {0} = ANY({2})), '')",
      key, catalogue, list_of(oids));
}

std::string fingerprint_of(const std::string& relation, const DependsOn& depends_on) {
  std::string sql = fmt::format(columns_fingerprint, relation);
  append_versions(sql, "pg_type", "oid", depends_on.types);
  append_versions(sql, "pg_enum", "enumtypid", depends_on.types);
  append_versions(sql, "pg_attribute", "attrelid", depends_on.composites);
  append_versions(sql, "pg_proc", "oid", depends_on.functions);
  return fmt::format("(SELECT pg_catalog.hashtextextended({}, 0)::text)", sql);
}

// One row per column; the kind of the default from its expression tree. Functions in it are looked
// up by their oids; a node that is not known to be harmless counts as stable.
constexpr std::string_view columns_template = R"(
WITH col AS (
  SELECT a.attname, a.attnum, a.atttypid, a.atttypmod, a.attnotnull, a.attidentity, a.attgenerated,
         coalesce(d.adbin::text, t.typdefaultbin::text) AS tree,
         CASE WHEN d.adbin IS NOT NULL THEN pg_get_expr(d.adbin, d.adrelid)
              WHEN t.typdefaultbin IS NOT NULL THEN pg_get_expr(t.typdefaultbin, 0)
              WHEN t.typdefault IS NOT NULL THEN quote_literal(t.typdefault) END AS expression
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = {0} AND a.attnum > 0 AND NOT a.attisdropped
), called AS (
  SELECT c.attnum, f.m[1] AS node, f.m[2]::oid AS oid
  FROM col c, regexp_matches(c.tree, ':(funcid|opfuncid|opno) (\d+)', 'g') AS f (m)
), called_kind AS (
  SELECT c.attnum, bool_or(p.provolatile = 'v') AS volatile, bool_or(p.provolatile = 's') AS stable,
         string_agg(p.oid::text, ',') AS functions
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
SELECT c.attname, c.attnum, c.atttypid, c.atttypmod, format_type(c.atttypid, c.atttypmod),
       c.attnotnull, c.attidentity, c.attgenerated,
       CASE WHEN c.attidentity <> '' THEN 'v'
            WHEN c.expression IS NULL OR c.expression ~* '^NULL(::|$)' THEN '-'
            WHEN coalesce(k.volatile, false) OR c.tree ~ '\{{NEXTVALUEEXPR' THEN 'v'
            WHEN coalesce(k.stable, false) OR s.attnum IS NOT NULL THEN 's'
            ELSE 'c' END,
       CASE WHEN c.attidentity = '' AND c.expression !~* '^NULL(::|$)'
            THEN '(' || c.expression || ')' END,
       coalesce(k.functions, '')
FROM col c
LEFT JOIN called_kind k USING (attnum)
LEFT JOIN strange s USING (attnum)
ORDER BY c.attnum)";

// All types that a value of the table is made of: behind domains, inside arrays, composites and
// ranges. Arrays are recognised by their send function, and what a multirange is of is read by way
// of jsonb: typsubscript and rngmultitypid are younger than PostgreSQL 13.
constexpr std::string_view reachable_types = R"(
WITH RECURSIVE reached (oid) AS (
  SELECT atttypid FROM pg_catalog.pg_attribute
  WHERE attrelid = {0} AND attnum > 0 AND NOT attisdropped
  UNION
  SELECT part.oid FROM reached r JOIN pg_catalog.pg_type t ON t.oid = r.oid CROSS JOIN LATERAL (
    SELECT t.typbasetype AS oid WHERE t.typtype = 'd'
    UNION ALL SELECT t.typelem WHERE t.typelem <> 0 AND t.typsend = 'array_send'::regproc
    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT g.rngsubtype FROM pg_catalog.pg_range g WHERE g.rngtypid = t.oid
    UNION ALL SELECT g.rngtypid FROM pg_catalog.pg_range g
      WHERE t.typtype = 'm' AND (to_jsonb(g) ->> 'rngmultitypid')::oid = t.oid
  ) AS part
))";

constexpr std::string_view types_select = R"(
SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, t.typnotnull, t.typdelim, t.typrelid,
       CASE WHEN t.typsend = 'array_send'::regproc THEN t.typelem ELSE 0 END,
       coalesce(CASE t.typtype
         WHEN 'r' THEN (SELECT g.rngsubtype FROM pg_catalog.pg_range g WHERE g.rngtypid = t.oid)
         WHEN 'm' THEN (SELECT g.rngtypid FROM pg_catalog.pg_range g
                        WHERE (to_jsonb(g) ->> 'rngmultitypid')::oid = t.oid) END, 0),
       n.nspname, p.proname, format_type(t.oid, -1)
FROM reached r JOIN pg_catalog.pg_type t ON t.oid = r.oid
LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.typsend
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace)";

constexpr std::string_view attributes_select = R"(
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod
FROM reached r JOIN pg_catalog.pg_type t ON t.oid = r.oid AND t.typtype = 'c'
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum)";

/// pg_type's rows for all that is reached, and what they say together.
class Types {
 public:
  Types(const Rows& types, const Rows& attributes) {
    for (int row = 0; row < types.size(); ++row) {
      known_.emplace(oid(types, row, 0),
                     Known{.kind = types.view(row, 1).front(),
                           .behind = oid(types, row, 2),
                           .modifier = static_cast<std::int32_t>(types.number(row, 3)),
                           .not_null = types.flag(row, 4),
                           .delimiter = types.view(row, 5).front(),
                           .relation = oid(types, row, 6),
                           .element = oid(types, row, 7),
                           .bound = oid(types, row, 8),
                           .send_function = types.is_null(row, 10)
                                                ? std::string()
                                                : quote_identifier(types.view(row, 9)) + "." +
                                                      quote_identifier(types.view(row, 10)),
                           .name = types.text(row, 11)});
    }
    for (int row = 0; row < attributes.size(); ++row) {
      attributes_[oid(attributes, row, 0)].push_back(
          {attributes.text(row, 1), oid(attributes, row, 2),
           static_cast<std::int32_t>(attributes.number(row, 3))});
    }
  }

  Type make(Oid declared, std::int32_t modifier) const {
    Type type{.oid = declared, .base = declared, .modifier = modifier};
    const Known* known = &at(declared);
    for (; known->kind == 'd'; known = &at(type.base)) {
      type.base = known->behind;
      type.not_null = type.not_null || known->not_null;
      if (type.modifier == -1) type.modifier = known->modifier;
    }
    type.kind = known->element != 0 ? 'a' : known->kind;
    type.delimiter = known->delimiter;
    if (type.kind == 'a') {
      type.parts.push_back(make(known->element, type.modifier));
    } else if (known->bound != 0) {
      type.parts.push_back(make(known->bound, -1));
    } else if (type.kind == 'c') {
      if (const auto found = attributes_.find(known->relation); found != attributes_.end()) {
        for (const auto& attribute : found->second) {
          type.names.push_back(attribute.name);
          type.parts.push_back(make(attribute.type, attribute.modifier));
        }
      }
    }
    return type;
  }

  const std::string& send_function(const Type& type) const { return at(type.base).send_function; }
  const std::string& base_name(const Type& type) const { return at(type.base).name; }

  void depend(DependsOn& on) const {
    for (const auto& [oid, known] : known_) {
      if (oid < first_of_users) continue;
      on.types.push_back(oid);
      if (known.kind == 'c') on.composites.push_back(known.relation);
    }
    std::ranges::sort(on.composites);
  }

 private:
  struct Known {
    char kind;
    Oid behind;  ///< a domain
    std::int32_t modifier;
    bool not_null;
    char delimiter;
    Oid relation;  ///< of a composite
    Oid element;   ///< of an array
    Oid bound;     ///< of a range, or a multirange's range
    std::string send_function;
    std::string name;
  };
  struct Attribute {
    std::string name;
    Oid type;
    std::int32_t modifier;
  };

  static Oid oid(const Rows& rows, int row, int column) {
    return static_cast<Oid>(rows.number(row, column));
  }
  const Known& at(Oid oid) const { return known_.at(oid); }

  std::map<Oid, Known> known_;
  std::map<Oid, std::vector<Attribute>> attributes_;
};

DefaultKind default_kind(std::string_view letter) {
  if (letter == "c") return DefaultKind::constant;
  if (letter == "s") return DefaultKind::stable;
  if (letter == "v") return DefaultKind::changing;
  return DefaultKind::none;
}

Column column_of(const Rows& rows, int row, const Types& types) {
  Column column{.name = rows.text(row, 0),
                .number = static_cast<std::int16_t>(rows.number(row, 1)),
                .type = types.make(static_cast<Oid>(rows.number(row, 2)),
                                   static_cast<std::int32_t>(rows.number(row, 3))),
                .type_name = rows.text(row, 4),
                .not_null = rows.flag(row, 5),
                .identity_always = rows.view(row, 6) == "a",
                .default_kind = default_kind(rows.view(row, 8))};
  column.not_null = column.not_null || column.type.not_null;
  column.send_function = types.send_function(column.type);
  column.base_name = types.base_name(column.type);
  if (!rows.is_null(row, 9)) {
    column.default_expression = rows.text(row, 9) + "::" + column.base_name;
  }
  return column;
}

/// Adds what is in "16400,16401".
void add_functions(std::string_view list, std::vector<Oid>& functions) {
  while (!list.empty()) {
    Oid oid = 0;
    const auto [end, error] = std::from_chars(list.data(), list.data() + list.size(), oid);
    if (error != std::errc{}) return;
    if (oid >= first_of_users) functions.push_back(oid);
    list.remove_prefix(static_cast<std::size_t>(end - list.data()));
    if (!list.empty()) list.remove_prefix(1);
  }
}

void read_columns(const Rows& rows, const Types& types, Table& table) {
  for (int row = 0; row < rows.size(); ++row) {
    if (rows.view(row, 7).empty()) {
      table.columns.push_back(column_of(rows, row, types));
      add_functions(rows.view(row, 10), table.depends_on.functions);
    } else {
      table.generated_names.push_back(rows.text(row, 0));
      table.generated.push_back(fmt::format("{} ({})", rows.text(row, 0), rows.text(row, 4)));
    }
  }
  auto& functions = table.depends_on.functions;
  std::ranges::sort(functions);
  functions.erase(std::ranges::unique(functions).begin(), functions.end());
  types.depend(table.depends_on);
}

}  // namespace

std::string fingerprint_sql(const Table& table) {
  const auto relation = fmt::format(
      "to_regclass({})", quote_literal(QualifiedName{table.schema, table.name}.quoted()));
  return fingerprint_of(relation, table.depends_on) + " || " +
         weak_parts_fingerprint(table, relation);
}

std::string unchanged_sql(const std::vector<const Table*>& tables) {
  std::string sql;
  for (const auto* table : tables) {
    sql += fmt::format(" AND {} = {}", fingerprint_sql(*table), quote_literal(table->fingerprint));
  }
  return sql;
}

namespace {

/// The oid of what has this name, as the statement's snapshot has it. to_regclass() looks at what
/// is committed by now: where the name goes from one table to another meanwhile, the rest of the
/// snapshot knows nothing of what it finds.
std::string oid_of(const QualifiedName& name) {
  // As the search path has them; of a temporary table the schema comes first there.
  const std::string_view path = "pg_catalog.current_schemas(true)";
  const auto in =
      name.schema.empty() ? fmt::format("= ANY({})", path) : "= " + quote_literal(name.schema);
  return fmt::format(
      "(SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
      "c.relnamespace WHERE c.relname = {} AND n.nspname {} ORDER BY "
      "pg_catalog.array_position({}, n.nspname) LIMIT 1)",
      quote_literal(name.name), in, path);
}

std::string_view kind_in_words(char kind) {
  switch (kind) {
    case 'm':
      return "a materialized view";
    case 'S':
      return "a sequence";
    case 'i':
    case 'I':
      return "an index";
    case 'c':
      return "a composite type";
    default:
      return "no table";
  }
}

}  // namespace

Result<Table> describe_table(Connection& connection, const std::string& written) {
  const auto name = split_name(written);
  const auto oid = oid_of(name);
  const auto reading = fmt::format("reading the columns of {}", name.quoted());
  const auto types = fmt::format(reachable_types, oid);
  // Expressions of defaults are written down under the settings under which they are read again.
  const auto reply = connection.exchange(
      fmt::format("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;{5}"
                  "SELECT c.oid, n.nspname, c.relname, c.relkind, to_regclass({7}) FROM "
                  "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                  "WHERE c.oid = {0};{1};{2}{3};{2}{4};{6}",
                  oid, fmt::format(columns_template, oid), types, types_select, attributes_select,
                  pinned_settings(), weak_parts_query(oid),
                  // Refuses a schema that may not be used.
                  quote_literal(name.quoted())));
  // Nothing of the transaction is worth keeping.
  const RollBack roll_back(connection);
  if (!reply.ok()) return tl::unexpected(to_error(reply, reading));
  const auto& found = reply.table(0);
  if (found.size() == 0) {
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("table {} does not exist {}, or its schema may not be used. Create it, or "
                    "correct {}; names are never folded: write them as \\d shows them",
                    name.quoted(), connection.where(), connection.names()("sink.postgres.table")));
  }
  const auto kind = found.view(0, 3);
  if (kind != "r" && kind != "p" && kind != "f" && kind != "v") {
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("{} is {}: rows go into a table, a partitioned table, a foreign table or "
                    "a view that takes INSERT. Correct {}",
                    name.quoted(), kind_in_words(kind.front()),
                    connection.names()("sink.postgres.table")));
  }
  Table table{.schema = found.text(0, 1),
              .name = found.text(0, 2),
              .oid = static_cast<Oid>(found.number(0, 0)),
              .kind = kind.front(),
              .weak_parts = read_weak_parts(reply.table(4))};
  read_columns(reply.table(1), Types(reply.table(2), reply.table(3)), table);
  if (table.columns.empty()) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("table {} has no column that can be written", name.quoted()));
  }
  // In the same snapshot. Another table that took over the name by now has other columns' oids.
  const auto versions = connection.exchange(
      "SELECT " + fingerprint_of(fmt::to_string(table.oid), table.depends_on) + ";COMMIT");
  if (!versions.ok()) return tl::unexpected(to_error(versions, reading));
  table.fingerprint = versions.table(0).text(0, 0) + fingerprint_of(table.weak_parts);
  return table;
}

}  // namespace semel::postgres
