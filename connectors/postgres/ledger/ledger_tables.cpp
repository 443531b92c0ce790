#include "postgres/ledger/ledger_tables.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "base/one_line.hpp"
#include "postgres/client/backends.hpp"
#include "postgres/client/durability.hpp"
#include "postgres/client/log_text.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/ledger/ledger_whole.hpp"
#include "postgres/ledger/owner.hpp"

namespace semel::postgres {

namespace {

constexpr int ddl_attempts = 5;

void append(std::string& list, std::string_view item) {
  if (!list.empty()) list += ", ";
  list += item;
}

/// What is to be done to the ledger, for people.
std::string wanted_change(const LedgerState& state, const LedgerTables& tables) {
  return state.missing.empty()
             ? fmt::format("the ledger in schema {} is of version {}, and this semel needs {}",
                           tables.schema, state.version, ledger_version)
             : fmt::format("the ledger tables {} do not exist in schema {}", state.missing_names(),
                           tables.schema);
}

}  // namespace

std::string LedgerState::missing_names() const {
  std::string names;
  for (const auto& name : missing) append(names, name);
  return names;
}

Result<LedgerState> inspect_ledger(Connection& connection, const Options& options,
                                   const LedgerTables& tables) {
  std::string values;
  std::string names;
  for (const auto& need : ledger_needs(options)) {
    // What is there for a transaction's time need not outlive a crash.
    if (need.table != &Options::begun_table) append(names, quote_literal(options.*need.table));
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
                  "LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name;"
                  "SELECT part.* FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND "
                  "n.nspname = {0} CROSS JOIN LATERAL ({3}) AS part WHERE c.relname IN ({4})",
                  quote_literal(tables.schema), values, version_expression(tables),
                  weak_parts_query("c.oid"), names),
      "looking for the ledger's tables");
  if (!reply) return tl::unexpected(reply.error());
  LedgerState state{.schema_exists = reply->table(0).flag(0, 0),
                    .version = static_cast<int>(reply->table(0).number(0, 1))};
  const auto& found = reply->table(1);
  for (int row = 0; row < found.size(); ++row) {
    const auto name = found.text(row, 0);
    if (!found.flag(row, 2)) {
      if (state.missing.empty() || state.missing.back() != name) state.missing.push_back(name);
    } else if (!found.flag(row, 3)) {
      append(state.lacking, found.text(row, 1) + " on " + name);
    }
  }
  state.weak_parts = read_weak_parts(reply->table(2));
  return state;
}

Result<void> usable(const LedgerState& state, const LedgerTables& tables, Delivery delivery) {
  if (auto known = understood(state, tables); !known) return known;
  return ledger_can_hold(state.weak_parts, delivery);
}

Result<void> understood(const LedgerState& state, const LedgerTables& tables) {
  if (state.version <= ledger_version) return {};
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the ledger in schema {} is of version {}, and this semel knows versions "
                          "up to {}: use the semel that made it, or a later one",
                          tables.schema, state.version, ledger_version));
}

namespace {

/// A table that is missing gets its columns as it is made: nobody reads it yet.
LedgerColumns columns_of(const LedgerState& state, const Options& options) {
  const bool small_change = std::ranges::all_of(state.missing, [&](const auto& name) {
    return name == options.dead_letters_table || name == options.begun_table ||
           name == options.state_table || name == options.state_versions_table;
  });
  if (!small_change || state.outdated()) return LedgerColumns::missing;
  return std::ranges::find(state.missing, options.dead_letters_table) == state.missing.end()
             ? LedgerColumns::there
             : LedgerColumns::letters_missing;
}

/// "GRANT …;": who may write the history of a ledger of before may begin in it as well, whoever
/// makes the table for that. Nothing where that is there, or all is made anew.
Result<std::string> grants_as_before(Connection& connection, const LedgerTables& tables) {
  const auto reply = connection.run(
      fmt::format(
          "SELECT DISTINCT CASE WHEN who = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(who)) "
          "END FROM (SELECT a.grantee AS who FROM pg_class c, LATERAL aclexplode(c.relacl) a "
          "WHERE c.oid = to_regclass({0}) AND a.privilege_type = 'INSERT' "
          "UNION SELECT relowner FROM pg_class WHERE oid = to_regclass({0})) AS writers "
          "WHERE to_regclass({1}) IS NULL AND who <> current_user::regrole",
          quote_literal(tables.commits), quote_literal(tables.begun)),
      "looking who may write the ledger");
  if (!reply) return tl::unexpected(reply.error());
  std::string roles;
  for (int row = 0; row < reply->table(0).size(); ++row)
    append(roles, reply->table(0).text(row, 0));
  return roles.empty()
             ? std::string()
             : fmt::format("GRANT SELECT, INSERT, DELETE ON {} TO {};\n", tables.begun, roles);
}

}  // namespace

Result<void> ensure_ledger(Connection& connection, const Shared& shared) {
  const auto& tables = shared.tables;
  for (int attempt = 1;; ++attempt) {
    auto state = inspect_ledger(connection, shared.options, tables);
    if (!state) return tl::unexpected(state.error());
    if (auto known = usable(*state, tables, shared.options.delivery); !known) return known;
    if (auto whole = look_whether_whole(connection, *state, shared.options, tables, shared.owner);
        !whole) {
      return whole;
    }
    if (state->missing.empty() && !state->outdated()) return {};
    const auto wanted = wanted_change(*state, tables);
    if (!shared.options.create_ledger) {
      return fail(
          ErrorKind::fatal, Cause::sink,
          fmt::format("{}, and {} is false. Run what `semel sql` prints, as somebody who may",
                      wanted, shared.options.names("sink.postgres.ledger.create")));
    }
    const auto grants = grants_as_before(connection, tables);
    if (!grants) return tl::unexpected(grants.error());
    // Who waits for a table that all pipelines read holds all of them up: not for long.
    const auto reply = connection.exchange(ledger_script(
        tables, !state->schema_exists, "2s", columns_of(*state, shared.options), *grants));
    if (reply.ok()) {
      if (!state->schema_exists) {
        shared.options.log.info("schema {} did not exist: made it, and the ledger tables in it",
                                one_line(tables.schema));
      } else if (state->missing == std::vector{shared.options.dead_letters_table}) {
        shared.options.log.warn("the table of dead letters {} was not there: made it",
                                one_line(tables.dead_letters));
      }
      return {};
    }
    if (!reply.lost) connection.roll_back();
    if (reply.error && meaning_of(reply.error->sqlstate) == Meaning::privilege) {
      return fail(
          ErrorKind::fatal, Cause::sink,
          fmt::format("{}, and the role may not make {} ({}). Run what `semel sql` prints, "
                      "as somebody who may",
                      wanted, state->missing.empty() ? "it so" : "them", log_text(*reply.error)));
    }
    if (!reply.error || reply.error->sqlstate != lock_not_available || attempt == ddl_attempts) {
      auto now = inspect_ledger(connection, shared.options, tables);
      if (now) {
        if (auto known = understood(*now, tables); !known) return known;
      }
      return tl::unexpected(to_error(reply, "making the ledger tables"));
    }
    auto ended = end_backends(
        connection, state->version > 0 ? others_before(shared)
                                       : others_of_output(shared.name.prefix, shared.name.full));
    if (!ended) return tl::unexpected(ended.error());
  }
}

}  // namespace semel::postgres
