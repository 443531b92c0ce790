// What `semel check` says of PostgreSQL. Changes nothing.
#include <fmt/format.h>
#include <memory>

#include "postgres/catalog.hpp"
#include "postgres/connection.hpp"
#include "postgres/defaults.hpp"
#include "postgres/ledger_tables.hpp"
#include "postgres/postgres.hpp"
#include "postgres/quoting.hpp"
#include "postgres/row_encoder.hpp"

namespace semel::postgres {

namespace {

constexpr int server_version_min = 130000;

class Check {
 public:
  explicit Check(const Options& options) : options_(options) {}

  std::vector<Finding> run() {
    if (!log_in() || !primary()) return std::move(findings_);
    if (read_table()) {
      if (encoder()) columns();
      privileges();
    }
    ledger();
    return std::move(findings_);
  }

 private:
  void good(std::string what) { findings_.push_back({true, std::move(what), ""}); }
  bool bad(std::string what, std::string remedy) {
    findings_.push_back({false, std::move(what), std::move(remedy)});
    return false;
  }

  bool log_in() {
    auto opened = Connection::open(options_, "semel check", std::make_shared<Interrupter>());
    if (!opened) return bad("login to PostgreSQL", opened.error().message);
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
    if (!reply) return bad("primary", reply.error().message);
    if (reply->table(0).flag(0, 0)) {
      return bad("the server is a standby",
                 "put the primary into sink.postgres.dsn, or several hosts with "
                 "target_session_attrs=primary");
    }
    good("the server is a primary");
    return true;
  }

  bool read_table() {
    auto table = describe_table(*connection_, options_.table);
    if (!table) return bad("table " + split_name(options_.table).quoted(), table.error().message);
    table_ = *std::move(table);
    good(fmt::format("table {}", QualifiedName{table_.schema, table_.name}.quoted()));
    if (auto left = leave_failing_defaults_to_server(*connection_, table_); !left) {
      return bad("column defaults", left.error().message);
    }
    return true;
  }

  bool encoder() {
    auto made = RowEncoder::make(table_, options_);
    if (!made) return bad("mapping of columns", made.error().message);
    text_format_ = made->format() == CopyFormat::text;
    good(fmt::format("rows are sent as {} COPY", text_format_ ? "text" : "binary"));
    return true;
  }

  void columns() {
    for (const auto& column : table_.columns) {
      const auto mapped = options_.columns.find(column.name);
      auto what =
          fmt::format("column {} ({}) from {}", quote_identifier(column.name), column.type_name,
                      mapped == options_.columns.end() ? fmt::format("member \"{}\"", column.name)
                                                       : mapped->second);
      switch (column.default_kind) {
        case DefaultKind::none:
          what += column.not_null ? "; NOT NULL without a default: records without it are bad"
                                  : "; NULL where absent";
          break;
        case DefaultKind::constant:
        case DefaultKind::stable:
        case DefaultKind::changing:
          what += "; its default where absent";
      }
      good(std::move(what));
    }
  }

  void privileges() {
    auto reply = connection_->run(
        fmt::format(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FILTER (WHERE NOT "
            "has_column_privilege(attrelid, attnum, 'INSERT')), row_security_active({0}::oid) "
            "FROM pg_catalog.pg_attribute WHERE attrelid = {0} AND attnum > 0 AND NOT "
            "attisdropped AND attgenerated = '' AND attidentity <> 'a'",
            table_.oid),
        "reading privileges");
    if (!reply) {
      bad("INSERT on the table", reply.error().message);
      return;
    }
    const auto& rows = reply->table(0);
    const auto name = QualifiedName{table_.schema, table_.name}.quoted();
    if (!rows.is_null(0, 0)) {
      bad("INSERT on " + name, fmt::format("GRANT INSERT ON {} to the role; it may not write {}",
                                           name, rows.view(0, 0)));
    } else {
      good("INSERT on " + name);
    }
    if (rows.flag(0, 1)) {
      bad("row-level security on " + name,
          "COPY cannot write through it: use a role with BYPASSRLS, or the table's owner");
    }
  }

  void ledger() {
    auto tables = locate_ledger(*connection_, options_);
    if (!tables) {
      bad("schema of the ledger", tables.error().message);
      return;
    }
    auto state = inspect_ledger(*connection_, options_, *tables);
    if (!state) {
      bad("ledger tables", state.error().message);
      return;
    }
    if (!state->lacking.empty()) {
      bad("privileges on the ledger tables",
          fmt::format("grant {}; `semel sql` prints all that is needed", state->lacking));
    }
    if (auto known = understood(*state, *tables); !known) {
      bad(fmt::format("ledger of version {} in schema {}", state->version, tables->schema),
          known.error().message);
    } else if (state->missing.empty() && !state->outdated()) {
      if (state->lacking.empty()) good("ledger tables in schema " + tables->schema);
    } else {
      ledger_to_be(*state, *tables);
    }
    sessions();
  }

  /// What `semel run` would make of it.
  void ledger_to_be(const LedgerState& state, const LedgerTables& tables) {
    const bool up = state.missing.empty();
    const auto now = up ? fmt::format("ledger of version {} in schema {}", state.version,
                                      tables.schema)
                        : fmt::format("ledger tables {} are missing in schema {}", state.missing,
                                      tables.schema);
    const bool may = (up || state.may_create) && state.may_alter;
    if (!options_.create_ledger) {
      bad(now, "run what `semel sql` prints, or set ledger.create = true");
    } else if (!may) {
      bad(fmt::format("{}, and the role may not {}", now,
                      up ? fmt::format("bring it to version {}", ledger_version) : "make them"),
          "run what `semel sql` prints, as somebody who may");
    } else if (up) {
      good(fmt::format("{} will be brought to version {}", now, ledger_version));
    } else {
      good(fmt::format("ledger tables will be made in schema {}", tables.schema));
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

  const Options& options_;
  std::vector<Finding> findings_;
  std::unique_ptr<Connection> connection_;
  Table table_;
  bool text_format_ = false;
};

}  // namespace

std::vector<Finding> check(const Options& options) {
  return Check(options).run();
}

}  // namespace semel::postgres
