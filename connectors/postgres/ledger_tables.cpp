#include "postgres/ledger_tables.hpp"

#include <fmt/format.h>

#include "postgres/backends.hpp"
#include "postgres/quoting.hpp"

namespace semel::postgres {

namespace {

constexpr int attempts_max = 5;
constexpr std::string_view lock_not_available = "55P03";

void append(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

/// What is to be done to the ledger, for people.
std::string wanted_change(const LedgerState& state, const LedgerTables& tables) {
  return state.missing.empty()
             ? fmt::format("the ledger in schema {} is of version {}, and this semel needs {}",
                           tables.schema, state.version, ledger_version)
             : fmt::format("the ledger tables {} do not exist in schema {}", state.missing,
                           tables.schema);
}

}  // namespace

Result<LedgerTables> locate_ledger(Connection& connection, const Options& options) {
  if (!options.ledger_schema.empty()) return ledger_tables(options, options.ledger_schema);
  auto reply = connection.run("SELECT current_schema()", "looking for the ledger's schema");
  if (!reply) return tl::unexpected(reply.error());
  const auto& found = reply->table(0);
  if (found.is_null(0, 0)) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("no schema of the search path exists {}: set "
                            "sink.postgres.ledger.schema",
                            connection.where()));
  }
  return ledger_tables(options, found.text(0, 0));
}

Result<LedgerState> inspect_ledger(Connection& connection, const Options& options,
                                   const LedgerTables& tables) {
  std::string values;
  for (const auto& need : ledger_needs()) {
    for (const auto* privilege : need.privileges) {
      append(values, fmt::format("({}, '{}')", quote_literal(options.*need.table), privilege));
    }
  }
  auto reply = connection.run(
      fmt::format("SELECT n.oid IS NOT NULL, CASE WHEN "
                  "has_schema_privilege(n.oid, 'USAGE') THEN {2} END FROM (SELECT 1) AS one "
                  "LEFT JOIN pg_namespace n ON n.nspname = {0};"
                  "SELECT w.name, w.privilege, c.oid IS NOT NULL, "
                  "coalesce(has_table_privilege(c.oid, w.privilege), false) "
                  "FROM (VALUES {1}) AS w (name, privilege) "
                  "LEFT JOIN pg_namespace n ON n.nspname = {0} "
                  "LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name",
                  quote_literal(tables.schema), values, version_expression(tables)),
      "looking for the ledger's tables");
  if (!reply) return tl::unexpected(reply.error());
  LedgerState state{.schema_exists = reply->table(0).flag(0, 0),
                    .version = static_cast<int>(reply->table(0).number(0, 1))};
  const auto& found = reply->table(1);
  std::string seen;
  for (int row = 0; row < found.size(); ++row) {
    const auto name = found.text(row, 0);
    if (!found.flag(row, 2)) {
      if (name != seen) append(state.missing, name);
      seen = name;
    } else if (!found.flag(row, 3)) {
      append(state.lacking, found.text(row, 1) + " on " + name);
    }
  }
  return state;
}

Result<void> understood(const LedgerState& state, const LedgerTables& tables) {
  if (state.version <= ledger_version) return {};
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the ledger in schema {} is of version {}, and this semel knows versions "
                          "up to {}: use the semel that made it, or a later one",
                          tables.schema, state.version, ledger_version));
}

Result<void> ensure_ledger(Connection& connection, const Shared& shared) {
  const auto& tables = shared.tables;
  for (int attempt = 1;; ++attempt) {
    auto state = inspect_ledger(connection, shared.options, tables);
    if (!state) return tl::unexpected(state.error());
    if (auto known = understood(*state, tables); !known) return known;
    if (state->missing.empty() && !state->outdated()) return {};
    const auto wanted = wanted_change(*state, tables);
    if (!shared.options.create_ledger) {
      return fail(ErrorKind::fatal, Cause::sink,
                  fmt::format("{}, and ledger.create is false. Run what `semel sql` prints, as "
                              "somebody who may",
                              wanted));
    }
    // Who waits for a table that all pipelines read holds all of them up: not for long.
    const auto reply = connection.exchange(ledger_script(tables, !state->schema_exists, "2s"));
    if (reply.ok()) return {};
    if (!reply.lost) connection.roll_back();
    if (reply.error && meaning_of(reply.error->sqlstate) == Meaning::privilege) {
      return fail(
          ErrorKind::fatal, Cause::sink,
          fmt::format("{}, and the role may not make {} ({}). Run what `semel sql` prints, "
                      "as somebody who may",
                      wanted, state->missing.empty() ? "it so" : "them", reply.error->text()));
    }
    if (!reply.error || reply.error->sqlstate != lock_not_available || attempt == attempts_max) {
      auto now = inspect_ledger(connection, shared.options, tables);
      if (now) {
        if (auto known = understood(*now, tables); !known) return known;
      }
      return tl::unexpected(to_error(reply, "making the ledger tables"));
    }
    auto ended = end_backends(connection, others_of_output(shared.name.prefix, shared.name.full));
    if (!ended) return tl::unexpected(ended.error());
  }
}

}  // namespace semel::postgres
