#include "postgres/table/maker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "postgres/client/quoting.hpp"
#include "postgres/client/sqlstate.hpp"
#include "postgres/encode/column_plan.hpp"

namespace semel::postgres {

namespace {

// Whoever else makes it is quick; a long transaction of somebody else's on the table is not, and
// whatever waits behind us would wait as long.
constexpr auto making_lock_timeout = "5s";

std::string quoted_name(const Options& rule) {
  return split_name(rule.table).quoted();
}

std::string now_query(const Options& rule) {
  return fmt::format(
      "SELECT c.oid IS NOT NULL, a.attname, a.attnum < 0 FROM (SELECT "
      "to_regclass({0})::oid AS oid) AS c JOIN pg_catalog.pg_attribute a ON a.attrelid = "
      "coalesce(c.oid, 'pg_catalog.pg_class'::regclass) AND NOT a.attisdropped ORDER BY a.attnum",
      quote_literal(quoted_name(rule)));
}

/// Of a table that does not exist, the names that the server keeps for itself are those that it has
/// in a table of its own.
TableNow read_now(const Rows& rows) {
  TableNow now;
  for (int row = 0; row < rows.size(); ++row) {
    now.exists = rows.flag(row, 0);
    if (rows.flag(row, 2)) {
      now.reserved.push_back(rows.text(row, 1));
    } else if (now.exists) {
      now.columns.push_back(rows.text(row, 1));
    }
  }
  return now;
}

std::string statement_of(const Options& rule, const TableNow& now, const Making& making) {
  return now.exists ? widen_statement(rule, making) : create_statement(rule, making);
}

Result<Making> planned(const Options& rule, const TableNow& now, const record::Shape& shape) {
  auto making = plan_making(rule, now, shape.columns());
  if (!shape.left_out().empty()) {
    making.left_out.push_back(fmt::format("{} and others: records have more than {} members",
                                          quote_identifier(shape.left_out()),
                                          record::Shape::columns_max));
  }
  if (!making.mistake.empty()) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{}, column {}", encode::columns_setting, making.mistake));
  }
  if (now.exists) return making;
  const auto why = why_not_made(rule, making);
  if (why.empty()) return making;
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("table {} does not exist and cannot be made of the records that were "
                          "read: {}. Give types of columns in {}, or make the table by hand",
                          quoted_name(rule), why, rule.names("sink.postgres.types")));
}

Error failed(Connection& connection, const Reply& reply, const std::string& doing) {
  auto error = to_error(reply, doing);
  connection.roll_back();
  // No record is in it.
  if (error.kind == ErrorKind::bad_data) error.kind = ErrorKind::retriable;
  if (reply.error && meaning_of(*reply.error) == Meaning::privilege) {
    error.message = fmt::format(
        "{}: {}. Making a table needs CREATE on its schema, adding a column the table's owner; or "
        "make them by hand: `semel sql FILE --sample 100` prints the statements",
        doing, reply.error->text());
  }
  return error;
}

/// Whether the server could have the same against any other column.
bool is_of_all(const Reply& reply) {
  if (reply.lost || !reply.error || reply.error->session_ended) return true;
  const auto meaning = meaning_of(*reply.error);
  return meaning != Meaning::data && meaning != Meaning::other;
}

constexpr auto back_to_savepoint = "ROLLBACK TO SAVEPOINT semel_making";

/// A message by itself: what the server cannot read it refuses whole.
Reply in_savepoint(Connection& connection, const std::string& statement) {
  auto reply = connection.exchange("SAVEPOINT semel_making");
  return reply.ok() ? connection.exchange(statement) : std::move(reply);
}

/// Each column by itself, in a transaction that is open: those that the server refuses are left
/// out. The last reply is that of what no column is to blame for.
Reply make_one_by_one(Connection& connection, const Options& rule, bool exists, Making& making) {
  Making made{.left_out = making.left_out};
  Reply reply;
  if (!exists) {
    Making base;
    for (const auto& column : making.columns) {
      const auto& key = rule.key;
      if (rule.write != Write::upsert || std::ranges::find(key, column.name) == key.end()) continue;
      base.columns.push_back(column);
    }
    reply = connection.exchange(create_statement(rule, base));
    if (!reply.ok()) return reply;
    made.columns = base.columns;
  }
  for (const auto& column : making.columns) {
    if (std::ranges::find(made.columns, column) != made.columns.end()) continue;
    Making one;
    one.columns = {column};
    reply = in_savepoint(connection, widen_statement(rule, one));
    if (reply.ok()) {
      made.columns.push_back(column);
      continue;
    }
    // What a rule has to have is never left out.
    if (is_of_all(reply) || rule.columns.contains(column.name)) return reply;
    made.left_out.push_back(
        fmt::format("{}: {}", quote_identifier(column.name), reply.error->text()));
    reply = connection.exchange(back_to_savepoint);
    if (!reply.ok()) return reply;
  }
  making = std::move(made);
  return reply;
}

void tell(const Options& rule, const TableNow& now, const Making& making) {
  if (!making.columns.empty()) {
    rule.log.warn(
        "table {} {}: {}", quoted_name(rule),
        now.exists ? "got columns that records have" : "did not exist and was made (create = true)",
        told(making));
  }
  constexpr std::size_t told_max = 10;
  for (std::size_t i = 0; i < std::min(told_max, making.left_out.size()); ++i) {
    rule.log.warn("{}: no column for member {}", quoted_name(rule), making.left_out[i]);
  }
  if (making.left_out.size() > told_max) {
    rule.log.warn("{}: no column for {} other members", quoted_name(rule),
                  making.left_out.size() - told_max);
  }
}

}  // namespace

Result<record::Shape> shape_for(const Options& rule, ShapeOf of) {
  std::optional<std::vector<std::string>> needed;
  if (of == ShapeOf::missing_table) {
    needed = rule.write == Write::upsert ? rule.key : std::vector<std::string>();
  }
  return record::Shape::make({.columns = rule.columns,
                              .policy = rule.policy,
                              .format = rule.format.get(),
                              .keys = rule.key_format.get(),
                              .path = rule.path,
                              .setting = encode::columns_setting,
                              .also_known = rule.also_known,
                              .also_known_inside = rule.also_known_inside,
                              .needed = std::move(needed)});
}

Result<TableNow> table_now(Connection& connection, const Options& rule) {
  auto reply = connection.run(now_query(rule), "looking at " + quoted_name(rule));
  if (!reply) return tl::unexpected(reply.error());
  return read_now(reply->table(0));
}

bool is_to_be_made(const Options& rule, const TableNow& now) {
  if (!now.exists) return rule.create;
  const auto is_there = [&](const auto& column) {
    return std::ranges::find(now.columns, column.first) != now.columns.end();
  };
  return rule.evolve == Evolve::add && !std::ranges::all_of(rule.columns, is_there);
}

Result<Making> make_table(Connection& connection, const Options& rule, const record::Shape& shape) {
  const auto doing = fmt::format("making {}, or columns of it", quoted_name(rule));
  const auto key = quote_literal("semel makes " + quoted_name(rule));
  auto reply = connection.exchange(
      fmt::format("BEGIN;SET LOCAL lock_timeout = '{}';SELECT "
                  "pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended({}, 0))",
                  making_lock_timeout, key));
  if (reply.ok()) reply = connection.exchange(now_query(rule));
  if (!reply.ok()) return tl::unexpected(failed(connection, reply, doing));
  const auto now = read_now(reply.table(0));
  // Somebody else was quicker: what it is, is read again.
  if (now.exists && rule.evolve == Evolve::none) {
    connection.roll_back();
    return Making{};
  }
  auto making = planned(rule, now, shape);
  if (!making || making->columns.empty()) {
    connection.roll_back();
    if (making) tell(rule, now, *making);
    return making;
  }
  reply = in_savepoint(connection, statement_of(rule, now, *making));
  if (!reply.ok() && !is_of_all(reply)) {
    auto whole = std::exchange(reply, connection.exchange(back_to_savepoint));
    if (reply.ok()) reply = make_one_by_one(connection, rule, now.exists, *making);
    if (reply.ok() && making->columns.empty() && !now.exists) reply = std::move(whole);
  }
  if (reply.ok()) reply = connection.exchange("COMMIT");
  if (!reply.ok()) return tl::unexpected(failed(connection, reply, doing));
  tell(rule, now, *making);
  return making;
}

Result<std::string> making_statements(Connection& connection, const Options& rule,
                                      const record::Shape& shape) {
  auto now = table_now(connection, rule);
  if (!now) return tl::unexpected(now.error());
  auto making = planned(rule, *now, shape);
  if (!making) return tl::unexpected(making.error());
  if (making->columns.empty()) return std::string();
  auto statements = statement_of(rule, *now, *making) + ";\n";
  for (const auto& why : making->left_out) {
    statements += fmt::format("-- no column for member {}\n", why);
  }
  return statements;
}

}  // namespace semel::postgres
