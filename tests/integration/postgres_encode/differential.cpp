#include "differential.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <map>
#include <memory>
#include <stdexcept>

#include "postgres/table/catalog.hpp"
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

}  // namespace

Database::Database() : dsn_(semel::test::PostgresServer::shared().create_database()) {
  connection_ = PQconnectdb(dsn_.c_str());
  if (PQstatus(handle(connection_)) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(handle(connection_)));
  }
  execute("SET TimeZone = 'UTC'; SET client_encoding = 'UTF8'; SET client_min_messages = warning");
}

Database::~Database() {
  PQfinish(handle(connection_));
}

Table Database::describe(const std::string& table) {
  if (!catalogue_) {
    auto opened = Connection::open({.dsn = dsn_}, "semel test", std::make_shared<Interrupter>());
    if (!opened) throw std::runtime_error(opened.error().message);
    catalogue_ = *std::move(opened);
  }
  auto described = describe_table(*catalogue_, table);
  if (!described) throw std::runtime_error(described.error().message);
  return *std::move(described);
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

std::string documents_of(const std::vector<std::string>& values) {
  std::string documents;
  for (const auto& value : values) {
    documents += documents.empty() ? "" : ",";
    documents += "'{\"c\":";
    for (const char c : value) documents += c == '\'' ? std::string("''") : std::string(1, c);
    documents += "}'";
  }
  return "ARRAY[" + documents + "]::text[]";
}

std::vector<std::string> expected(Database& database, const std::vector<std::string>& values) {
  database.execute(R"(
    CREATE OR REPLACE FUNCTION verdict(doc text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
      RETURN (SELECT row(r.c)::text FROM json_populate_record(NULL::target, doc::json) r);
    EXCEPTION WHEN OTHERS THEN
      RETURN 'error ' || SQLSTATE;
    END $$)");
  std::vector<std::string> results;
  for (auto& row : database.rows("SELECT verdict(doc) FROM unnest(" + documents_of(values) +
                                 ") WITH ORDINALITY AS d (doc, n) ORDER BY n")) {
    results.push_back(std::move(row.at(0)));
  }
  return results;
}

std::vector<Compared> run(Database& database, const std::string& type,
                          const std::vector<std::string>& values, bool as_text) {
  database.execute(fmt::format("DROP TABLE IF EXISTS target; CREATE TABLE target (n int, c {}{})",
                               type, as_text ? ", forces_text inet" : ""));
  auto encoder = RowEncoder::make(database.describe("target"), {});
  if (!encoder) throw std::runtime_error(encoder.error().message);
  REQUIRE(encoder->format() == (as_text ? CopyFormat::text : CopyFormat::binary));

  const auto server = expected(database, values);
  std::vector<Compared> results;
  std::vector<std::size_t> lines;
  std::string data(encoder->copy_begin());
  for (std::size_t n = 0; n < values.size(); ++n) {
    results.push_back({values[n], server.at(n), {}});
    const std::string document = fmt::format("{{\"n\":{},\"c\":{}}}", n, values[n]);
    const Encoded encoded = encoder->encode({"topic", 0}, {.offset = 0, .value = document}, data);
    if (encoded.status == Fate::bad) {
      results.back().actual = "error " + encoder->bad().code;
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
    results.at(std::stoul(row[0])).actual = row[1];
  }
  return results;
}

}  // namespace semel::postgres::test
