#include "differential.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <map>
#include <memory>
#include <stdexcept>

#include "support/catch.hpp"
#include "support/servers.hpp"

namespace semel::postgres::test {
namespace {

using ResultPtr = std::unique_ptr<PGresult, decltype(&PQclear)>;

PGconn* handle(void* connection) {
  return static_cast<PGconn*>(connection);
}

ResultPtr run_sql(void* connection, const std::string& sql) {
  ResultPtr result(PQexec(handle(connection), sql.c_str()), PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw std::runtime_error(std::string(PQerrorMessage(handle(connection))) + " in " + sql);
  }
  return result;
}

/// As the catalogue describes it, domains followed one level: enough for these tests.
Column describe(Database& database, const std::string& name) {
  const auto row =
      database
          .rows(
              fmt::format("SELECT a.attnum, a.atttypid::int8, a.atttypmod, format_type(a.atttypid, "
                          "a.atttypmod), b.oid::int8, CASE WHEN t.typtype = 'd' THEN t.typtypmod "
                          "ELSE a.atttypmod END, b.typtype, coalesce(e.oid, 0)::int8, "
                          "coalesce(e.typtype, 'b'), CASE WHEN e.oid IS NULL THEN 0 ELSE "
                          "b.typelem END::int8 FROM pg_attribute a "
                          "JOIN pg_type t ON t.oid = a.atttypid JOIN pg_type b ON b.oid = "
                          "CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END "
                          "LEFT JOIN pg_type r ON r.oid = b.typelem AND b.typcategory = 'A' "
                          "LEFT JOIN pg_type e ON e.oid = "
                          "CASE WHEN r.typtype = 'd' THEN r.typbasetype ELSE r.oid END "
                          "WHERE a.attrelid = 'target'::regclass AND a.attname = '{}'",
                          name))
          .at(0);
  const auto oid = [&](std::size_t at) { return static_cast<Oid>(std::stoul(row[at])); };
  return {.name = name,
          .number = static_cast<std::int16_t>(std::stoi(row[0])),
          .type = oid(1),
          .modifier = std::stoi(row[2]),
          .type_name = row[3],
          .base_type = oid(4),
          .base_modifier = std::stoi(row[5]),
          .type_kind = row[6][0],
          .element_type = oid(7),
          .element_kind = row[8][0],
          .declared_element_type = oid(9)};
}

/// The server's verdicts: one call for all, each value in a subtransaction of its own.
std::vector<std::vector<std::string>> expected(Database& database,
                                               const std::vector<std::string>& values) {
  database.execute(R"(
    CREATE OR REPLACE FUNCTION verdict(doc text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
      RETURN (SELECT row(r.c)::text FROM json_populate_record(NULL::target, doc::json) r);
    EXCEPTION WHEN OTHERS THEN
      RETURN 'error ' || SQLSTATE;
    END $$;
    DROP TABLE IF EXISTS docs;
    CREATE TABLE docs (n int, doc text))");
  std::string data;
  for (std::size_t n = 0; n < values.size(); ++n) {
    std::string escaped;
    for (const char c : values[n]) {
      if (c == '\\') escaped += '\\';
      escaped += c;
    }
    data += fmt::format("{}\t{{\"c\":{}}}\n", n, escaped);
  }
  REQUIRE(database.copy("COPY docs FROM STDIN", data).empty());
  return database.rows("SELECT verdict(doc) FROM docs ORDER BY n");
}

}  // namespace

Database::Database() {
  const std::string dsn = semel::test::PostgresServer::shared().create_database();
  connection_ = PQconnectdb(dsn.c_str());
  if (PQstatus(handle(connection_)) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(handle(connection_)));
  }
  execute("SET TimeZone = 'UTC'; SET client_encoding = 'UTF8'; SET client_min_messages = warning");
}

Database::~Database() {
  PQfinish(handle(connection_));
}

void Database::execute(const std::string& sql) {
  run_sql(connection_, sql);
}

std::vector<std::vector<std::string>> Database::rows(const std::string& sql) {
  const auto result = run_sql(connection_, sql);
  std::vector<std::vector<std::string>> rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    auto& fields = rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      fields.emplace_back(PQgetvalue(result.get(), row, column),
                          static_cast<std::size_t>(PQgetlength(result.get(), row, column)));
    }
  }
  return rows;
}

std::string Database::value(const std::string& sql) {
  return rows(sql).at(0).at(0);
}

std::string Database::copy(const std::string& sql, const std::string& data) {
  PGconn* const connection = handle(connection_);
  ResultPtr begun(PQexec(connection, sql.c_str()), PQclear);
  if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return PQerrorMessage(connection);
  PQputCopyData(connection, data.data(), static_cast<int>(data.size()));
  PQputCopyEnd(connection, nullptr);
  std::string error;
  while (ResultPtr result{PQgetResult(connection), PQclear}) {
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) error += PQerrorMessage(connection);
  }
  return error;
}

std::vector<Verdict> run(Database& database, const std::string& type,
                         const std::vector<std::string>& values, bool as_text) {
  database.execute(fmt::format("DROP TABLE IF EXISTS target; CREATE TABLE target (n int, c {}{})",
                               type, as_text ? ", forces_text inet" : ""));
  Table table{.schema = "public",
              .name = "target",
              .columns = {describe(database, "n"), describe(database, "c")}};
  if (as_text) table.columns.push_back(describe(database, "forces_text"));
  auto encoder = RowEncoder::make(table, {});
  if (!encoder) throw std::runtime_error(encoder.error().message);
  REQUIRE(encoder->format() == (as_text ? CopyFormat::text : CopyFormat::binary));

  const auto server = expected(database, values);
  std::vector<Verdict> verdicts;
  std::vector<std::size_t> lines;
  std::string data(encoder->copy_begin());
  for (std::size_t n = 0; n < values.size(); ++n) {
    verdicts.push_back({values[n], server.at(n).at(0), {}});
    const std::string document = fmt::format("{{\"n\":{},\"c\":{}}}", n, values[n]);
    const Encoded encoded = encoder->encode({"topic", 0}, {.offset = 0, .value = document}, data);
    if (encoded.status == EncodeStatus::bad) {
      verdicts.back().actual = "error " + encoder->bad().sqlstate;
    } else {
      lines.push_back(n);
    }
  }
  data += encoder->copy_end();
  const std::string error = database.copy(
      fmt::format("COPY target FROM STDIN (FORMAT {})", as_text ? "text" : "binary"), data);
  if (!error.empty()) {
    const std::size_t at = error.find(", line ");
    const std::size_t line = at == std::string::npos ? 0 : std::stoul(error.substr(at + 7));
    FAIL("the server refused what the encoder let pass: "
         << error << (line > 0 && line <= lines.size() ? values[lines[line - 1]] : ""));
  }
  for (const auto& row : database.rows("SELECT n, row(c)::text FROM target")) {
    verdicts.at(std::stoul(row[0])).actual = row[1];
  }
  return verdicts;
}

}  // namespace semel::postgres::test
