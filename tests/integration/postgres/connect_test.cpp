// Logging in, and being refused.
#include <fmt/format.h>

#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

Error error_of(const postgres::Options& options) {
  auto sink = postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"});
  REQUIRE_FALSE(sink);
  CHECK(sink.error().message.find("hunter2") == std::string::npos);
  return sink.error();
}

}  // namespace

TEST_CASE(
    "a refused login is fatal, an unreachable server is waited for, and no message is a secret") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  const auto port = PostgresServer::shared().port();
  SECTION("wrong password") {
    const auto role = unique_name("pw");
    database.sql(fmt::format("CREATE ROLE {} LOGIN PASSWORD 'right' IN ROLE password_login", role));
    options.dsn = fmt::format("postgresql://{}:hunter2@127.0.0.1:{}/postgres", role, port);
    const auto error = error_of(options);
    CHECK(error.kind == ErrorKind::fatal);
    CHECK(error.cause == Cause::sink);
    CHECK_THAT(error.message, Catch::Contains("28P01"));
  }
  SECTION("no password") {
    const auto role = unique_name("pw");
    database.sql(fmt::format("CREATE ROLE {} LOGIN PASSWORD 'right' IN ROLE password_login", role));
    options.dsn = fmt::format("postgresql://{}@127.0.0.1:{}/postgres", role, port);
    CHECK(error_of(options).kind == ErrorKind::fatal);
  }
  SECTION("no such database") {
    options.dsn = fmt::format("postgresql://postgres:hunter2@127.0.0.1:{}/nowhere", port);
    const auto error = error_of(options);
    CHECK(error.kind == ErrorKind::fatal);
    CHECK_THAT(error.message, Catch::Contains("3D000") && Catch::Contains("nowhere"));
  }
  SECTION("nobody listens") {
    options.dsn = fmt::format("postgresql://postgres:hunter2@127.0.0.1:{}/x", free_port());
    const auto error = error_of(options);
    CHECK(error.kind == ErrorKind::unavailable);
    CHECK(error.cause == Cause::sink);
  }
  SECTION("not a connection string") {
    options.dsn = "host=127.0.0.1 password=hunter2 oops";
    const auto error = error_of(options);
    CHECK(error.kind == ErrorKind::fatal);
    CHECK(error.cause == Cause::configuration);
  }
  SECTION("too many connections") {
    const auto role = unique_name("one");
    database.sql(fmt::format("CREATE ROLE {} LOGIN CONNECTION LIMIT 0", role));
    options.dsn += "?user=" + role;
    CHECK(error_of(options).kind == ErrorKind::unavailable);
  }
  SECTION("no such table") {
    options.table = "T";
    const auto error = error_of(options);
    CHECK(error.kind == ErrorKind::fatal);
    CHECK_THAT(error.message, Catch::Contains("\"T\" does not exist"));
  }
  SECTION("one of several hosts is enough") {
    options.dsn = fmt::format("host=127.0.0.1,127.0.0.1 port={},{} user=postgres dbname={}",
                              free_port(), port, database.value("SELECT current_database()"));
    Writer writer(options, "a");
    writer.start();
  }
}

TEST_CASE("a table that may not be written is a clear error") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const auto role = unique_name("reader");
  database.sql(fmt::format("CREATE ROLE {0} LOGIN; GRANT ALL ON SCHEMA public TO {0}", role));
  auto options = database.options();
  options.dsn += "?user=" + role;
  Writer writer(options, "a");
  writer.start();
  const auto result = writer.run(writer.task(0, 10), id_only);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::fatal);
  CHECK(result.error().cause == Cause::sink);
  CHECK_THAT(result.error().message, Catch::Contains("42501"));
}
