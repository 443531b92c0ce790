// What `semel check` says of PostgreSQL. Changes nothing.
#include <fmt/format.h>
#include <memory>
#include <optional>

#include "postgres/client/connection.hpp"
#include "postgres/client/log_text.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/ledger/ledger_place.hpp"
#include "postgres/ledger/ledger_tables.hpp"
#include "postgres/ledger/ledger_whole.hpp"
#include "postgres/postgres.hpp"
#include "postgres/session/rehearsal.hpp"
#include "postgres/session/tables.hpp"
#include "postgres/table/guard.hpp"
#include "postgres/table/maker.hpp"
#include "postgres/table/routing.hpp"

namespace semel::postgres {

namespace {

constexpr int server_version_min = 130000;

class Check {
 public:
  Check(const Options& options, const Owner& owner, int wanted)
      : options_(options), owner_(owner), wanted_(wanted) {}

  std::vector<Finding> run() {
    if (!log_in() || !primary()) return std::move(findings_);
    if (describe()) {
      for (const auto& table : open_) {
        look_at(*table);
        merging(*table);
        columns(*table);
        rules(*table);
      }
    }
    rehearse(ledger());
    sessions();
    limits();
    return std::move(findings_);
  }

 private:
  void good(std::string what) { findings_.push_back({true, std::move(what), ""}); }
  bool bad(std::string what, std::string remedy, Cause cause = Cause::sink) {
    findings_.push_back({false, std::move(what), std::move(remedy), cause});
    return false;
  }
  bool bad(std::string what, const Error& error) {
    return bad(std::move(what), error.message, error.cause);
  }

  bool log_in() {
    auto opened = Connection::open(options_, "semel check", std::make_shared<Interrupter>());
    if (!opened) return bad("login to PostgreSQL", opened.error());
    connection_ = *std::move(opened);
    good("login " + connection_->where());
    const int version = connection_->server_version();
    const auto text = fmt::format("PostgreSQL {}.{}", version / 10000, version % 10000);
    if (version < server_version_min) return bad(text, "semel needs PostgreSQL 13 or newer");
    good(text);
    return true;
  }

  bool primary() {
    auto reply = connection_->run("SELECT pg_is_in_recovery()", "asking whether it is a primary");
    if (!reply) return bad("primary", reply.error());
    if (reply->table(0).flag(0, 0)) {
      return bad("the server is a standby",
                 fmt::format("put the primary into {}, or several hosts with "
                             "target_session_attrs=primary",
                             options_.names("sink.postgres.dsn")));
    }
    good("the server is a primary");
    return true;
  }

  bool describe() {
    Tables tables(options_);
    const auto shared = rehearsing(*connection_, options_, {});
    const auto described = tables.describe_known(
        options_.topics,
        [&](const Tables::Wanted& wanted) { return open_table(*connection_, *shared, wanted); });
    if (!described)
      return bad(tables.single() ? fmt::format("table {}", tables.name()) : "tables",
                 described.error());
    for (const auto& unmade : tables.unmade()) to_be_made(*unmade);
    open_ = tables.take();
    for (const auto& open : open_) {
      if (open->options.evolve == Evolve::add) may_widen(open->options);
    }
    for (const auto& rule : table_rules(options_)) {
      if (is_fixed(rule)) continue;
      good(fmt::format("which table a record is for is said by {}: {}",
                       rule.route.by_topic() ? "its topic" : rule.route.from, name_of_rule(rule)));
    }
    return true;
  }

  void to_be_made(const UnmadeTable& unmade) {
    const auto name = split_name(unmade.options.table).quoted();
    const auto now = table_now(*connection_, unmade.options);
    if (!now) {
      bad(fmt::format("table {}", name), now.error());
    } else if (now->exists) {
      if (may_widen(unmade.options)) {
        good(
            fmt::format("table {} lacks columns of {}: the first records make them (evolve = "
                        "\"add\")",
                        name, options_.names("sink.postgres.columns")));
      }
    } else if (unmade.options.write == Write::upsert && unmade.options.key.empty()) {
      bad(fmt::format("table {} does not exist, and cannot be made", name),
          fmt::format("write = \"upsert\": name the columns of its key in {}",
                      options_.names("sink.postgres.key")));
    } else if (may_create(unmade.options)) {
      good(
          fmt::format("table {} does not exist: the first records make it (create = true). "
                      "`semel check FILE --sample N` shows how",
                      name));
    }
  }

  bool may_create(const Options& rule) {
    const auto name = split_name(rule.table);
    auto reply = connection_->run(
        fmt::format("SELECT w.name, n.oid IS NOT NULL, coalesce(has_schema_privilege(n.oid, "
                    "'CREATE'), false) FROM (SELECT coalesce(nullif({}, ''), "
                    "current_schema()) AS name) AS w LEFT JOIN pg_catalog.pg_namespace n ON "
                    "n.nspname = w.name",
                    quote_literal(name.schema)),
        "looking at the schema of " + name.quoted());
    const auto what = fmt::format("table {} does not exist, and cannot be made", name.quoted());
    if (!reply) return bad(what, reply.error());
    const auto& found = reply->table(0);
    if (found.is_null(0, 0)) return bad(what, "no schema of the search path exists");
    const auto schema = quote_identifier(found.text(0, 0));
    if (!found.flag(0, 1)) return bad(what, fmt::format("CREATE SCHEMA {}", schema));
    if (found.flag(0, 2)) return true;
    return bad(what,
               fmt::format("GRANT CREATE ON SCHEMA {} to the role, or make the table by hand: "
                           "`semel sql FILE --sample 100` prints the statement",
                           schema));
  }

  bool may_widen(const Options& rule) {
    const auto name = split_name(rule.table).quoted();
    auto reply = connection_->run(
        fmt::format(
            "SELECT c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition AND c.reloftype = 0, "
            "pg_has_role(c.relowner, 'USAGE') FROM "
            "pg_catalog.pg_class c WHERE c.oid = to_regclass({})",
            quote_literal(name)),
        "looking at the owner of " + name);
    const auto what = fmt::format("columns cannot be added to {} (evolve = \"add\")", name);
    if (!reply) return bad(what, reply.error());
    const auto& found = reply->table(0);
    if (found.size() == 0 || !found.flag(0, 0)) {
      return bad(what, "it is a view, a partition, or of a type: set evolve = \"none\"");
    }
    if (found.flag(0, 1)) return true;
    return bad(
        what,
        "only the owner of a table may: ALTER TABLE ... OWNER TO the role, or a role that it "
        "is a member of; or set evolve = \"none\"");
  }

  void look_at(const OpenTable& open) {
    good(fmt::format("table {}", name_of(open)));
    good(fmt::format("rows are sent as {} COPY",
                     open.encoder.format() == CopyFormat::text ? "text" : "binary"));
    if (!open.options.path.empty()) {
      good(fmt::format("each element of {} is a row", open.options.path));
    }
  }

  /// What becomes of a row whose key is there.
  void merging(const OpenTable& open) {
    if (!open.options.merges()) return;
    if (open.options.write == Write::append) {
      good("a row that meets a unique constraint is left out (on_conflict = \"ignore\")");
      return;
    }
    good(fmt::format("the last record of each key ({}) is its row (write = \"upsert\")",
                     quoted_list(open.table.key_names())));
  }

  static std::string member(const std::string& column, record::Names names) {
    return fmt::format("member \"{}\"{}", column,
                       names == record::Names::exact
                           ? ""
                           : fmt::format(" (names = \"{}\")", record::name_of(names)));
  }

  void columns(const OpenTable& open) {
    const auto& options = open.options;
    for (const auto& column : open.table.columns) {
      const auto mapped = options.columns.find(column.name);
      const auto rule = mapped == options.columns.end() ? record::ColumnRule() : mapped->second;
      const auto source = record::source_of(rule);
      auto what =
          fmt::format("column {} ({}) from {}{}", quote_identifier(column.name), column.type_name,
                      source.empty() ? member(column.name, options.policy.names) : source,
                      record::told_of(rule));
      if (column.name == options.marks_removed) {
        good(fmt::format(
            "column {} ({}) says of a row that it was removed; a member of its name is not read",
            quote_identifier(column.name), column.type_name));
        continue;
      }
      const bool always_there = rule.constant || rule.if_absent;
      switch (always_there ? DefaultKind::none : column.default_kind) {
        case DefaultKind::none:
          if (!always_there)
            what += column.not_null ? "; NOT NULL without a default: records without it are bad"
                                    : "; NULL where absent";
          break;
        case DefaultKind::constant:
        case DefaultKind::stable:
        case DefaultKind::changing:
          what += column.identity_always
                      ? "; GENERATED ALWAYS AS IDENTITY: a value that is there is stored, as COPY "
                        "does; else the sequence's"
                      : "; its default where absent";
      }
      good(std::move(what));
    }
    for (const auto& column : open.table.generated) {
      good(fmt::format("column {}: computed by the table; a member of its name is not read",
                       column));
    }
  }

  /// What a user may wait for in vain: COPY runs triggers, and no rules.
  void rules(const OpenTable& open) {
    auto reply = connection_->run(
        fmt::format("SELECT string_agg(quote_ident(rulename), ', ' ORDER BY rulename) FROM "
                    "pg_catalog.pg_rewrite WHERE ev_class = {} AND ev_type = '3'",
                    open.table.oid),
        "reading the rules of the table");
    if (!reply || reply->table(0).is_null(0, 0)) return;
    good(
        fmt::format("rules ON INSERT that will not be run, because COPY runs none: {}. A trigger "
                    "would be",
                    reply->table(0).view(0, 0)));
  }

  /// False: there is none that semel can use, and there will be none.
  bool ledger() {
    auto place = locate_ledger(*connection_, options_, owner_);
    if (!place) return bad("schema of the ledger", place.error());
    for (const auto& note : place->notes) good(note);
    tables_ = place->tables;
    auto state = inspect_ledger(*connection_, options_, tables_);
    if (!state) return bad("ledger tables", state.error());
    ledger_ = *std::move(state);
    if (auto known = usable(ledger_, tables_, options_.delivery); !known) {
      return bad(fmt::format("ledger of version {} in schema {}", ledger_.version, tables_.schema),
                 known.error());
    }
    if (!ledger_.lacking.empty()) {
      return bad("privileges on the ledger tables",
                 fmt::format("grant {}; `semel sql` prints all that is needed", ledger_.lacking));
    }
    if (auto whole = look_whether_whole(*connection_, ledger_, options_, tables_, owner_); !whole) {
      return bad(fmt::format("ledger in schema {}", tables_.schema), whole.error());
    }
    if (to_be_changed() && !options_.create_ledger) {
      return bad(ledger_now(), fmt::format("run what `semel sql` prints, or set {} = true",
                                           options_.names("sink.postgres.ledger.create")));
    }
    return true;
  }

  bool to_be_changed() const { return !ledger_.missing.empty() || ledger_.outdated(); }
  std::string ledger_now() const {
    return ledger_.missing.empty()
               ? fmt::format("ledger of version {} in schema {}", ledger_.version, tables_.schema)
               : fmt::format("ledger tables {} are missing in schema {}", ledger_.missing_names(),
                             tables_.schema);
  }

  /// What a pipeline does, each part as far as the first thing that the server refuses.
  void rehearse(bool has_ledger) {
    for (const auto& open : open_) defaults(*open);
    const auto shared = rehearsing(*connection_, options_, tables_);
    Rehearsal rehearsal(*connection_, *shared);
    const auto refused = [&](const Reply& reply, const std::string& doing) {
      if (reply.ok()) return false;
      if (reply.error && reply.error->sqlstate == lock_not_available) {
        bad(doing, "somebody holds a lock; `semel run` would wait for it. Check again later");
      } else {
        auto error = to_error(reply, doing);
        // No record is in it.
        if (reply.error && said_by_function(*reply.error)) {
          error.message += ": " + reply.error->text();
        }
        bad(doing, error);
      }
      return true;
    };
    if (const auto reply = rehearsal.begin(); refused(reply, "beginning a transaction")) return;
    std::vector<const Table*> tables;
    for (const auto& open : open_) {
      tables.push_back(&open->table);
      const auto reply = rehearsal.write_rows(*open);
      if (!refused(reply, "writing into " + name_of(*open))) {
        good(fmt::format("rows into {} (tried with none, and rolled back)", name_of(*open)));
      }
      if (reply.lost) return;
    }
    if (!has_ledger || (to_be_changed() && !make_ledger(rehearsal))) return;
    const auto moved = rehearsal.move_ledger(tables);
    if (refused(moved, "moving the ledger in schema " + tables_.schema) && moved.lost) return;
    const auto set_aside = rehearsal.set_aside();
    if (refused(set_aside, "setting a record aside in " + tables_.dead_letters)) return;
    if (moved.ok() && !to_be_changed()) {
      good(fmt::format("ledger tables in schema {}", tables_.schema));
    }
  }

  bool make_ledger(Rehearsal& rehearsal) {
    const bool up = ledger_.missing.empty();
    const auto made = rehearsal.make_ledger(!ledger_.schema_exists);
    if (!made.ok()) {
      const auto wanted = up ? fmt::format("bringing it to version {}", ledger_version)
                             : std::string("making them");
      return bad(
          ledger_now() + (up ? ", and cannot be brought up" : ", and cannot be made"),
          to_error(made, wanted).message + ". Run what `semel sql` prints, as somebody who may");
    }
    good(up ? fmt::format("{} will be brought to version {}", ledger_now(), ledger_version)
            : fmt::format("ledger tables will be made in schema {}{}", tables_.schema,
                          ledger_.schema_exists ? "" : ", which does not exist and will be made"));
    return true;
  }

  void defaults(const OpenTable& open) {
    for (const auto& column : open.table.columns) {
      if (const auto refused = refused_default(*connection_, column)) {
        bad(fmt::format("the default of column {}", quote_identifier(column.name)),
            fmt::format("{}. Grant the role what it needs (USAGE on a sequence, for example); "
                        "`semel sql` prints it",
                        refused->text()));
      }
    }
  }

  void sessions() {
    auto reply = connection_->run("SELECT pg_has_role(current_user, 'pg_signal_backend', 'MEMBER')",
                                  "reading the roles");
    if (!reply) return;
    good(reply->table(0).flag(0, 0)
             ? "sessions of a frozen predecessor can be ended"
             : "sessions of a frozen predecessor can be ended if it logged in as the same role");
  }

  /// The narrowest of what the role, the database and the server allow. What others use of it is
  /// not counted: it may be another number tomorrow.
  void limits() {
    if (wanted_ == 0) return;
    auto reply = connection_->run(
        "SELECT least(CASE WHEN r.rolsuper THEN NULL ELSE nullif(r.rolconnlimit, -1) END, CASE "
        "WHEN r.rolsuper THEN NULL ELSE nullif(d.datconnlimit, -1) END, (SELECT sum(CASE WHEN "
        "name = 'max_connections' THEN setting::integer WHEN r.rolsuper THEN 0 ELSE "
        "-setting::integer END) FROM pg_catalog.pg_settings WHERE name IN ('max_connections', "
        "'superuser_reserved_connections', 'reserved_connections'))) FROM pg_catalog.pg_roles r, "
        "pg_catalog.pg_database d WHERE r.rolname = session_user AND d.datname = "
        "current_database()",
        "reading the limits of sessions");
    if (!reply || reply->table(0).size() == 0) return;
    const auto allowed = reply->table(0).number(0, 0);
    auto what = fmt::format("{} sessions are wanted, and {} allowed", wanted_, allowed);
    if (allowed < wanted_) {
      what +=
          ": executors take turns. Raise the limit of the role, database or server, or lower "
          "executors";
    }
    good(std::move(what));
  }

  static std::string name_of(const OpenTable& open) {
    return QualifiedName{open.table.schema, open.table.name}.quoted();
  }

  const Options& options_;
  const Owner& owner_;
  const int wanted_;
  std::vector<Finding> findings_;
  std::unique_ptr<Connection> connection_;
  std::vector<std::unique_ptr<OpenTable>> open_;
  LedgerTables tables_;
  LedgerState ledger_;
};

}  // namespace

std::vector<Finding> check(const Options& options, const Owner& owner, int sessions) {
  return Check(options, owner, sessions).run();
}

}  // namespace semel::postgres
