#include "postgres/ledger/history.hpp"
#include "base/ledger_names.hpp"

#include <fmt/format.h>

#include "postgres/client/quoting.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

std::string history_partitions(const LedgerTables& tables, const Owner& owner) {
  return fmt::format(
      "(WITH RECURSIVE k (topic, \"partition\") AS ("
      "(SELECT topic, \"partition\" FROM {0} WHERE {1} ORDER BY topic, \"partition\" LIMIT 1) "
      "UNION ALL SELECT n.topic, n.\"partition\" FROM k, LATERAL (SELECT c.topic, c.\"partition\" "
      "FROM {0} c WHERE {2} AND (c.topic, c.\"partition\") > (k.topic, k.\"partition\") "
      "ORDER BY c.topic, c.\"partition\" LIMIT 1) n) SELECT topic, \"partition\" FROM k)",
      tables.commits, mine(owner), mine(owner, "c."));
}

std::string history_ends(const LedgerTables& tables, const Owner& owner) {
  return fmt::format(
      "(SELECT k.topic, k.\"partition\", c.until_offset, c.batch_time, c.epoch, c.kind = {kind} "
      "AND coalesce(starts_with(c.note, {note}), false) AS forgotten FROM {partitions} k, LATERAL "
      "(SELECT c.* FROM {commits} c WHERE {mine} AND c.topic = k.topic AND c.\"partition\" = "
      "k.\"partition\" ORDER BY c.batch_time DESC, c.epoch DESC, c.from_offset DESC LIMIT 1) c)",
      fmt::arg("kind", quote_literal(kind_name(MoveKind::set))),
      fmt::arg("note", quote_literal(reset_note)),
      fmt::arg("partitions", history_partitions(tables, owner)),
      fmt::arg("commits", tables.commits), fmt::arg("mine", mine(owner, "c.")));
}

}  // namespace semel::postgres
