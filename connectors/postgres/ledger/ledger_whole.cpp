#include "postgres/ledger/ledger_whole.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "postgres/ledger/history.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

namespace {

constexpr std::size_t named_max = 8;

/// As `semel offsets FILE set` takes them.
std::string where_histories_end(const std::vector<TornHistory>& torn) {
  std::string ends;
  for (const auto& history : torn) {
    if (!ends.empty()) ends += " ";
    ends += fmt::format("{}:{}={}", history.tp.topic, history.tp.partition, history.ends);
    if (&history == &torn[std::min(named_max, torn.size()) - 1]) break;
  }
  if (torn.size() > named_max) ends += fmt::format(" (and {} more)", torn.size() - named_max);
  return ends;
}

tl::unexpected<Error> refuse(const LedgerTables& tables, const std::string& pipeline,
                             std::string_view what, std::string_view remedy) {
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the ledger of pipeline {} in schema {} is not whole: {}. What it has "
                          "lost is not begun anew, because that stores records again or leaves "
                          "some out. Restore all of its tables from one backup; or {}",
                          pipeline, tables.schema, what, remedy));
}

}  // namespace

Result<void> ledger_is_whole(const LedgerState& state, const LedgerTables& tables,
                             const std::string& pipeline, const LedgerTraces& traces) {
  if (!traces.known()) return {};
  const auto ends = where_histories_end(traces.torn);
  const auto go_on = fmt::format(
      "say where to go on: `semel offsets FILE set {}`{}, `semel offsets FILE reset` reads "
      "everything again",
      ends.empty() ? "TOPIC:PARTITION=OFFSET" : ends,
      ends.empty() ? "" : " goes on where the history ends");
  if (!state.missing.empty()) {
    return refuse(tables, pipeline,
                  fmt::format("{} does not exist (any more)", state.missing_names()),
                  "run what `semel sql` prints, and then " + go_on);
  }
  if (!traces.torn.empty()) {
    const auto& first = traces.torn.front();
    return refuse(
        tables, pipeline,
        fmt::format("the history of {} ends at {}, and {}{}", to_string(first.tp), first.ends,
                    first.stands ? fmt::format("its position is {}", *first.stands)
                                 : std::string("its position is gone"),
                    traces.torn.size() > 1
                        ? fmt::format(" (so it is in {} other partitions)", traces.torn.size() - 1)
                        : ""),
        go_on);
  }
  if (!traces.owned) {
    return refuse(tables, pipeline, "it has positions or a history, and no owner any more", go_on);
  }
  return {};
}

Result<void> look_whether_whole(Connection& connection, const LedgerState& state,
                                const Options& options, const LedgerTables& tables,
                                const Owner& owner) {
  const auto there = [&](const std::string& table) {
    return std::ranges::find(state.missing, table) == state.missing.end();
  };
  const bool progress = there(options.progress_table);
  const auto has_rows = [&](const std::string& name, const std::string& table) {
    return there(name) ? fmt::format("EXISTS (SELECT 1 FROM {} WHERE {})", table, mine(owner))
                       : std::string("false");
  };
  // One statement, one moment: a pipeline may be running.
  auto torn = fmt::format(
      "SELECT NULL::text AS topic, 0 AS \"partition\", 0::bigint AS ends, "
      "NULL::bigint AS stands WHERE false");
  if (there(options.commits_table)) {
    torn = fmt::format(
        "SELECT e.topic, e.\"partition\", e.until_offset AS ends, p.until_offset AS stands FROM {} "
        "e LEFT JOIN {} p ON p.topic = e.topic AND p.\"partition\" = e.\"partition\" WHERE "
        "p.until_offset <> e.until_offset OR (p.until_offset IS NULL AND NOT e.forgotten)",
        history_ends(tables, owner),
        progress ? fmt::format("(SELECT * FROM {} WHERE {})", tables.progress, mine(owner))
                 : std::string("(SELECT NULL::text AS topic, NULL::integer AS \"partition\", "
                               "NULL::bigint AS until_offset)"));
  }
  auto reply = connection.run(
      fmt::format("SELECT {}, {}, {}, t.* FROM (SELECT 1) AS one LEFT JOIN ({}) AS t ON true ORDER "
                  "BY t.topic, t.\"partition\"",
                  has_rows(options.owners_table, tables.owners),
                  has_rows(options.progress_table, tables.progress),
                  has_rows(options.commits_table, tables.commits), torn),
      "looking whether the ledger is whole");
  if (!reply) return tl::unexpected(reply.error());
  const auto& rows = reply->table(0);
  LedgerTraces traces{
      .owned = rows.flag(0, 0), .stands = rows.flag(0, 1), .moved = rows.flag(0, 2), .torn = {}};
  for (int row = 0; row < rows.size(); ++row) {
    if (rows.is_null(row, 3)) continue;
    traces.torn.push_back(
        {.tp = {rows.text(row, 3), static_cast<std::int32_t>(rows.number(row, 4))},
         .ends = rows.number(row, 5),
         .stands = rows.optional_number(row, 6)});
  }
  // Positions are not in the table of dead letters, which may have got another name, nothing at all
  // is in that of transactions which have begun, and a state that is gone is missed by whoever has
  // its version.
  auto lost = state;
  std::erase(lost.missing, options.dead_letters_table);
  std::erase(lost.missing, options.begun_table);
  std::erase(lost.missing, options.state_table);
  std::erase(lost.missing, options.state_versions_table);
  return ledger_is_whole(lost, tables, owner.pipeline, traces);
}

}  // namespace semel::postgres
