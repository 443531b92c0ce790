#include "postgres/client/durability.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "postgres/client/quoting.hpp"

namespace semel::postgres {

namespace {

// Without a function of the server's: those lock every partition.
constexpr std::string_view tree_template = R"(
WITH RECURSIVE tree (oid) AS (
  SELECT ({0})::oid
  UNION
  SELECT part.oid FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid CROSS JOIN LATERAL (
    SELECT i.inhrelid AS oid FROM pg_catalog.pg_inherits i
    WHERE c.relkind = 'p' AND i.inhparent = c.oid
    UNION ALL
    SELECT d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
      AND d.refclassid = 'pg_class'::regclass
    WHERE c.relkind = 'v' AND r.ev_class = c.oid
  ) AS part
)
SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,
       CASE c.relkind WHEN 'f' THEN 'f' ELSE c.relpersistence::text END AS kind
FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'f' OR (c.relkind = 'r' AND c.relpersistence <> 'p')
ORDER BY c.oid)";

std::string_view adjective(WeakPart::Kind kind) {
  switch (kind) {
    case WeakPart::Kind::unlogged:
      return "unlogged: a crash of the server empties it";
    case WeakPart::Kind::temporary:
      return "temporary: it is gone with the session";
    case WeakPart::Kind::foreign:
      return "a foreign table: another server commits its rows, for itself";
  }
  return "";
}

/// What is left to promise.
Delivery strongest(const WeakPart& part) {
  // Rows that another server has too soon are written again; rows that are lost never are.
  return part.kind == WeakPart::Kind::foreign ? Delivery::at_least_once : Delivery::at_most_once;
}

std::string_view setting(Delivery delivery) {
  return delivery == Delivery::at_least_once ? "at_least_once" : "at_most_once";
}

}  // namespace

std::string weak_parts_query(std::string_view relation) {
  return fmt::format(tree_template, relation);
}

std::vector<WeakPart> read_weak_parts(const Rows& rows) {
  std::vector<WeakPart> parts;
  for (int row = 0; row < rows.size(); ++row) {
    parts.push_back({.oid = static_cast<Oid>(rows.number(row, 0)),
                     .name = rows.text(row, 1),
                     .kind = WeakPart::Kind{rows.view(row, 2).front()}});
  }
  return parts;
}

std::string weak_parts_fingerprint(const Table& table, std::string_view relation) {
  if (table.kind == 'r') {
    return fmt::format(
        "(SELECT CASE WHEN relpersistence = 'p' THEN '' ELSE oid::text || relpersistence::text END "
        "FROM pg_catalog.pg_class WHERE oid = {})",
        relation);
  }
  return fmt::format(
      "(SELECT coalesce(string_agg(w.oid::text || w.kind, ',' ORDER BY w.oid), '') FROM ({}) w)",
      weak_parts_query(relation));
}

std::string fingerprint_of(const std::vector<WeakPart>& parts) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += ',';
    text += fmt::format("{}{}", part.oid, static_cast<char>(part.kind));
  }
  return text;
}

Result<void> can_hold(const Table& table, Delivery delivery) {
  const auto weak = std::ranges::find_if(table.weak_parts, [&](const WeakPart& part) {
    return delivery != Delivery::at_most_once && delivery != strongest(part);
  });
  if (weak == table.weak_parts.end()) return {};
  const auto name = QualifiedName{table.schema, table.name}.quoted();
  const auto what =
      weak->oid == table.oid
          ? fmt::format("table {} is {}", name, adjective(weak->kind))
          : fmt::format("{} {}, a part of {}, is {}", table.kind == 'v' ? "table" : "partition",
                        weak->name, name, adjective(weak->kind));
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("{}, while the ledger says that its rows are stored. {}, or set delivery "
                          "= \"{}\", which is all that it can hold",
                          what,
                          weak->kind == WeakPart::Kind::unlogged
                              ? fmt::format("ALTER TABLE {} SET LOGGED", weak->name)
                              : "Write into an ordinary table",
                          setting(strongest(*weak))));
}

Result<void> ledger_can_hold(const std::vector<WeakPart>& parts, Delivery delivery) {
  for (const auto& part : parts) {
    // A ledger that is lost is read again from the start: that is at least once.
    if (part.kind == WeakPart::Kind::unlogged && delivery == Delivery::at_least_once) continue;
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("the ledger's table {} is {}, and with it the record of what was "
                            "stored. {}",
                            part.name, adjective(part.kind),
                            part.kind == WeakPart::Kind::unlogged
                                ? fmt::format("ALTER TABLE {} SET LOGGED, or set delivery = "
                                              "\"at_least_once\"",
                                              part.name)
                                : "Put the ledger into ordinary tables"));
  }
  return {};
}

}  // namespace semel::postgres
