#include "postgres/ledger/ledger_place.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "postgres/client/quoting.hpp"
#include "postgres/ledger/history.hpp"
#include "postgres/ledger/owner.hpp"
#include "postgres/table/guard.hpp"
#include "postgres/table/routing.hpp"

namespace semel::postgres {

namespace {

tl::unexpected<Error> refuse(std::string message) {
  return fail(ErrorKind::fatal, Cause::configuration, std::move(message));
}

std::string named(const LedgerSeen& seen) {
  return QualifiedName{seen.schema, seen.owners_table}.quoted();
}

bool same_table(const Job& one, const Job& other) {
  const bool same_oid = one.target_oid != 0 && one.target_oid == other.target_oid;
  return same_oid || one.target == other.target;
}

/// What the row says of the table: ours, another one, or nothing.
enum class Fed : std::uint8_t { ours, another, unknown };
Fed table_of(const LedgerSeen& seen, const LedgerWanted& wanted) {
  if (!seen.job || seen.job->target.empty() || wanted.job.target.empty()) return Fed::unknown;
  return same_table(*seen.job, wanted.job) ? Fed::ours : Fed::another;
}

LedgerChoice chosen(const LedgerSeen& seen) {
  return {.schema = seen.schema, .job = seen.job, .holds = seen.holds};
}

std::string second_ledger(const LedgerWanted& wanted, const LedgerSeen& one,
                          const LedgerSeen& other) {
  return fmt::format(
      "pipeline {} stands in two ledgers, {} and {}: going on from one of them stores again what "
      "the other has stored. Keep the one that is right (`semel offsets FILE show`), remove the "
      "pipeline's rows from the other one's tables, and set {}",
      wanted.pipeline, named(one), named(other), wanted.called_schema);
}

class Chooser {
 public:
  Chooser(const LedgerWanted& wanted, std::span<const LedgerSeen> seen)
      : wanted_(wanted), seen_(seen) {}

  Result<LedgerChoice> choose() const {
    if (!wanted_.schema.empty()) return configured();
    if (const auto* home = first_on_path([](const auto& seen) { return seen.holds; })) {
      for (const auto& other : seen_) {
        if (&other != home && other.holds && table_of(other, wanted_) != Fed::another) {
          return refuse(second_ledger(wanted_, *home, other));
        }
      }
      return chosen(*home);
    }
    return elsewhere();
  }

 private:
  template <class Condition>
  const LedgerSeen* first_on_path(Condition condition) const {
    const LedgerSeen* first = nullptr;
    for (const auto& seen : seen_) {
      if (seen.place == 0 || seen.owners_table != wanted_.owners_table || !condition(seen))
        continue;
      if (first == nullptr || seen.place < first->place) first = &seen;
    }
    return first;
  }

  /// The schema is somebody's word. Another ledger is another pipeline's of the same name where it
  /// is known to feed another table.
  Result<LedgerChoice> configured() const {
    const auto home = std::ranges::find_if(seen_, [&](const auto& seen) {
      return seen.schema == wanted_.schema && seen.owners_table == wanted_.owners_table;
    });
    const bool there = home != seen_.end();
    for (const auto& other : seen_) {
      if ((there && &other == &*home) || !other.holds) continue;
      const auto table = table_of(other, wanted_);
      if (there && home->holds) {
        if (table == Fed::ours) return refuse(second_ledger(wanted_, *home, other));
      } else if (table != Fed::another) {
        return refuse(fmt::format(
            "pipeline {} has its ledger in {}: one in schema {} would store everything again. Set "
            "{} (and its table names) to that one; or, for another pipeline, choose another name",
            wanted_.pipeline, named(other), wanted_.schema, wanted_.called_schema));
      }
    }
    return there ? chosen(*home) : LedgerChoice{.schema = wanted_.schema};
  }

  /// No ledger of the search path knows the pipeline.
  Result<LedgerChoice> elsewhere() const {
    const LedgerSeen* ours = nullptr;
    for (const auto& other : seen_) {
      const auto table = table_of(other, wanted_);
      if (!other.holds || table == Fed::another) continue;
      if (table == Fed::unknown || other.owners_table != wanted_.owners_table) {
        return refuse(fmt::format(
            "a ledger in {} knows a pipeline {}: a second one would store everything again. Set {} "
            "(and its table names) to that one; or, for another pipeline, to a schema of its own, "
            "and choose another name",
            named(other), wanted_.pipeline, wanted_.called_schema));
      }
      if (ours != nullptr) return refuse(second_ledger(wanted_, *ours, other));
      ours = &other;
    }
    if (ours != nullptr) return chosen(*ours);
    for (const auto& other : seen_) {
      if (!other.readable) {
        return fail(
            ErrorKind::fatal, Cause::sink,
            fmt::format("whether pipeline {} has been in the ledger {} is not known: this role may "
                        "not read it. Set {} to where the pipeline's ledger is, or shall be; or, "
                        "if it is in that one, GRANT USAGE on its schema and SELECT on the table",
                        wanted_.pipeline, named(other), wanted_.called_schema));
      }
    }
    if (const auto* home = first_on_path([](const auto&) { return true; })) return chosen(*home);
    if (wanted_.first_schema.empty()) {
      return refuse("no schema of the search path exists: set " + wanted_.called_schema);
    }
    return LedgerChoice{.schema = wanted_.first_schema};
  }

  const LedgerWanted& wanted_;
  std::span<const LedgerSeen> seen_;
};

// By the names and types of its columns: whatever else has the name is not asked anything. What is
// partitioned or has policies is none that we made, or none that shows all of its rows.
constexpr std::string_view ledgers_query = R"(
SELECT n.nspname, c.relname, coalesce(array_position(current_schemas(false), n.nspname), 0),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
         AND NOT row_security_active(c.oid),
       (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT
        a.attisdropped AND (a.attname, a.atttypid) IN (('target', 'text'::regtype),
        ('target_oid', 'int8'::regtype), ('topics', 'text'::regtype),
        ('mapping', 'text'::regtype), ('heartbeat_ms', 'int8'::regtype))) = 5,
       coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(p.oid, 'SELECT'), false),
       coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(m.oid, 'SELECT'), false)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class p ON p.relnamespace = n.oid AND p.relname = {progress} AND
  p.relkind = 'r' AND c.relname = {owners}
LEFT JOIN pg_catalog.pg_class m ON m.relnamespace = n.oid AND m.relname = {commits} AND
  m.relkind = 'r' AND c.relname = {owners}
WHERE c.relkind = 'r' AND {condition} AND
  (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
   AND (a.attname, a.atttypid) IN (('pipeline', 'text'::regtype), ('output', 'text'::regtype),
   ('epoch', 'int8'::regtype), ('owner', 'text'::regtype), ('application_name', 'text'::regtype),
   ('seen_at', 'timestamptz'::regtype), ('cluster_id', 'text'::regtype))) = 7
ORDER BY n.nspname, c.relname)";

/// The ledgers for which `condition` holds, and what each knows of the pipeline.
Result<std::vector<LedgerSeen>> look(Connection& connection, const Options& options,
                                     const Owner& owner, const std::string& condition) {
  constexpr std::string_view looking = "looking for the pipeline's ledger";
  auto reply = connection.run(
      fmt::format(ledgers_query, fmt::arg("progress", quote_literal(options.progress_table)),
                  fmt::arg("owners", quote_literal(options.owners_table)),
                  fmt::arg("commits", quote_literal(options.commits_table)),
                  fmt::arg("condition", condition)),
      looking);
  if (!reply) return tl::unexpected(reply.error());
  const auto& found = reply->table(0);
  std::vector<LedgerSeen> all;
  std::string rows;
  for (int row = 0; row < found.size(); ++row) {
    all.push_back({.schema = found.text(row, 0),
                   .owners_table = found.text(row, 1),
                   .place = static_cast<int>(found.number(row, 2)),
                   .readable = found.flag(row, 3)});
    if (!all.back().readable) continue;
    const bool remembers = found.flag(row, 4);
    const auto alive = alive_condition("o.", remembers ? "o.heartbeat_ms" : "NULL::bigint");
    // Where the progress cannot be looked at, whoever owned the output once counts.
    const auto progress =
        found.flag(row, 5)
            ? fmt::format("EXISTS (SELECT 1 FROM {} p WHERE {})",
                          QualifiedName{all.back().schema, options.progress_table}.quoted(),
                          mine(owner, "p."))
            : std::string("o.epoch > 0");
    // Its progress may be lost: then the history still knows it, unless a reset forgot it.
    const auto history =
        found.flag(row, 6)
            ? fmt::format("EXISTS (SELECT 1 FROM {} e WHERE NOT e.forgotten)",
                          history_ends(ledger_tables(options, all.back().schema), owner))
            : std::string("false");
    if (!rows.empty()) rows += " UNION ALL ";
    rows += fmt::format("SELECT {}, {} OR {} OR {}, {} FROM {} o WHERE {}", row, alive, progress,
                        history,
                        remembers ? "o.target, o.target_oid, o.topics, o.mapping"
                                  : "NULL::text, NULL::bigint, NULL::text, NULL::text",
                        named(all.back()), mine(owner, "o."));
  }
  if (rows.empty()) return all;
  reply = connection.run(rows, looking);
  if (!reply) return tl::unexpected(reply.error());
  const auto& known = reply->table(0);
  for (int row = 0; row < known.size(); ++row) {
    auto& seen = all[static_cast<std::size_t>(known.number(row, 0))];
    seen.holds = known.flag(row, 1);
    seen.job = Job{.target = known.text(row, 2),
                   .target_oid = static_cast<Oid>(known.number(row, 3)),
                   .topics = known.text(row, 4),
                   .mapping = known.text(row, 5)};
  }
  return all;
}

// Stored: do not change, or every pipeline is told once that its mapping is another one.
std::string mapping_of_rule(const Options& rule) {
  std::string mapping;
  for (const auto& [column, from] : rule.columns) {
    if (!mapping.empty()) mapping += ", ";
    mapping += quote_identifier(column) + " from " + record::to_string(from);
  }
  return mapping.empty() ? "members by name" : mapping;
}

std::string mapping_of(const Options& options) {
  if (!options.writes_rows()) return "";  // the program's own
  const auto rules = table_rules(options);
  if (rules.size() == 1) return mapping_of_rule(rules.front());
  std::string mapping;
  for (const auto& rule : rules) {
    mapping += fmt::format("{}{}: {}", mapping.empty() ? "" : "; ", name_of_rule(rule),
                           mapping_of_rule(rule));
  }
  return mapping;
}

/// Of several tables, all that is said of them; of one, its name as the catalogue has it.
std::string target_of_rules(const Options& options) {
  std::vector<std::string> names;
  for (const auto& rule : table_rules(options)) names.push_back(name_of_rule(rule));
  // In whatever order they are listed.
  std::ranges::sort(names);
  std::string target;
  for (const auto& name : names) target += (target.empty() ? "" : "; ") + name;
  return target;
}

std::vector<std::string> changes(const Job& before, const Job& now) {
  std::vector<std::string> notes;
  const auto compare = [&](std::string_view what, const std::string& old,
                           const std::string& young) {
    if (old.empty() || young.empty() || old == young) return;
    notes.push_back(
        fmt::format("the {} changed since the last run: {} before, {} now", what, old, young));
  };
  compare("topics", before.topics, now.topics);
  compare("mapping of columns", before.mapping, now.mapping);
  if (!before.target.empty() && now.target.empty()) {
    notes.push_back(
        fmt::format("table {}, which this pipeline wrote into, does not exist any more: it is made "
                    "anew, without the rows of before. `semel offsets FILE reset` reads "
                    "everything again",
                    before.target));
  }
  if (before.target.empty() || now.target.empty()) return notes;
  compare("table", before.target, now.target);
  if (before.target == now.target && before.target_oid != now.target_oid) {
    // Where all of the database was restored or copied, it has the rows: no oid tells.
    notes.push_back(
        fmt::format("table {} is not the one of the last run: it was made anew, or the "
                    "database was restored from a dump. Where the rows of before are "
                    "not in it, `semel offsets FILE reset` reads everything again; "
                    "where they are, that would store them twice",
                    now.target));
  }
  return notes;
}

}  // namespace

Result<LedgerChoice> choose_ledger(const LedgerWanted& wanted, std::span<const LedgerSeen> seen) {
  return Chooser(wanted, seen).choose();
}

Result<void> same_target(const LedgerChoice& choice, const LedgerWanted& wanted) {
  if (!choice.holds || !choice.job || choice.job->target.empty() || wanted.job.target.empty() ||
      same_table(*choice.job, wanted.job)) {
    return {};
  }
  return refuse(fmt::format(
      "pipeline {} has written into {} so far, and is to write into {} now: what was read before "
      "would not be in there. If that is meant, say `semel run FILE --accept-changed-table`; to "
      "read everything again, `semel offsets FILE reset`",
      wanted.pipeline, choice.job->target, wanted.job.target));
}

Result<LedgerPlace> locate_ledger(Connection& connection, const Options& options,
                                  const Owner& owner) {
  const auto rules = table_rules(options);
  const bool one_table =
      rules.size() == 1 && !rules.front().table.empty() && is_fixed(rules.front());
  auto reply = connection.run(
      fmt::format("SELECT coalesce(current_schema(), ''), c.oid, n.nspname, c.relname FROM (SELECT "
                  "1) AS one LEFT JOIN pg_catalog.pg_class c ON c.oid = to_regclass({}) LEFT JOIN "
                  "pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
                  one_table ? quote_literal(split_name(rules.front().table).quoted())
                            : std::string("NULL")),
      "looking for the ledger's schema");
  if (!reply) return tl::unexpected(reply.error());
  const auto& here = reply->table(0);
  LedgerWanted wanted{.pipeline = owner.pipeline,
                      .schema = options.ledger_schema,
                      .owners_table = options.owners_table,
                      .first_schema = here.text(0, 0),
                      .job = {.topics = owner.reads, .mapping = mapping_of(options)},
                      .called_schema = options.names("sink.postgres.ledger.schema")};
  if (!here.is_null(0, 1)) {
    wanted.job.target = QualifiedName{here.text(0, 2), here.text(0, 3)}.quoted();
    wanted.job.target_oid = static_cast<Oid>(here.number(0, 1));
  }
  if (!one_table && options.writes_rows()) wanted.job.target = target_of_rules(options);
  const Options usual;
  auto seen = look(connection, options, owner,
                   fmt::format("c.relname IN ({}, {})", quote_literal(options.owners_table),
                               quote_literal(usual.owners_table)));
  if (!seen) return tl::unexpected(seen.error());
  // A pipeline that is new here may be known under any name: looked for once in its life.
  if (std::ranges::none_of(*seen, &LedgerSeen::holds)) {
    seen = look(connection, options, owner, "true");
    if (!seen) return tl::unexpected(seen.error());
  }
  auto choice = choose_ledger(wanted, *seen);
  if (!choice) return tl::unexpected(choice.error());
  auto same = same_target(*choice, wanted);
  if (!same && !options.accept_changed_table) return tl::unexpected(same.error());
  LedgerPlace place{.tables = ledger_tables(options, choice->schema),
                    .known = choice->holds,
                    .job = wanted.job,
                    .notes = {},
                    .other_target = {}};
  if (!same) place.other_target = std::move(same.error());
  if (choice->holds && choice->job) place.notes = changes(*choice->job, wanted.job);
  return place;
}

}  // namespace semel::postgres
