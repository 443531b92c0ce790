// Logging in, and being refused.
#include <fmt/format.h>
#include <cstdlib>
#include <future>
#include <regex>
#include <thread>

#include "integration/postgres/rig.hpp"
#include "postgres/client/connection.hpp"
#include "support/process.hpp"
#include "support/tcp_proxy.hpp"

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

TEST_CASE("check says which rules of the table COPY will not run") {
  Database database;
  database.sql("CREATE TABLE t (id bigint); CREATE TABLE copies (id bigint)");
  const auto told = [&] {
    std::string all;
    for (const auto& finding : postgres::check(database.options())) all += finding.what + "\n";
    return all;
  };
  CHECK_THAT(told(), !Catch::Contains("rules ON INSERT"));
  database.sql("CREATE RULE keep AS ON INSERT TO t DO ALSO INSERT INTO copies VALUES (NEW.id)");
  CHECK_THAT(told(), Catch::Contains("COPY runs none: keep"));
}

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

TEST_CASE("what can never come right is a mistake of the configuration, at once") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const auto with = [&](const std::string& parameter) {
    auto options = database.options();
    options.dsn += "?" + parameter;
    return error_of(options);
  };
  std::vector<Error> errors;
  for (const auto* parameter :
       {"sslmode=maybe", "service=nosuch", "channel_binding=require", "sslmode=require",
        "gssencmode=perhaps", "currentSchema=x", "sslmode=verify-full&sslrootcert=~/nowhere.pem",
        "target_session_attrs=any-port", "load_balance=x", "ssl_min_protocol_version=SSL9",
        // No integers, and what the kernel does not take for a time.
        "keepalives=maybe", "keepalives_idle=abc", "keepalives_interval=1s",
        "keepalives_count=many", "tcp_user_timeout=soon", "keepalives_idle=40000",
        "keepalives_count=1000",
        // What libpq does not look at where others wait, or send UTF-8, for it.
        "connect_timeout=abc", "client_encoding=NOPE",
        // What the server refuses at the login.
        "options=-cnonsense%3D1", "options=-cstatement_timeout%3Dabc",
        "options=-cmax_connections%3D5", "options=--nonsense", "options=-Zx"}) {
    errors.push_back(with(parameter));
  }
  auto options = database.options();
  for (const auto* port : {"abc", "0", "70000"}) {
    options.dsn = fmt::format("postgresql://postgres@127.0.0.1:{}/postgres", port);
    errors.push_back(error_of(options));
  }
  REQUIRE(setenv("PGSSLMODE", "bogus", 1) == 0);
  errors.push_back(error_of(database.options()));
  REQUIRE(unsetenv("PGSSLMODE") == 0);
  for (const auto& error : errors) {
    INFO(error.message);
    CHECK(error.kind == ErrorKind::fatal);
    CHECK(error.cause == Cause::configuration);
    CHECK(error.message.find('\n') == std::string::npos);
    CHECK_THAT(error.message, Catch::Contains("sink.postgres.dsn"));
  }
  CHECK_THAT(errors[5].message, Catch::Contains("currentSchema"));
}

TEST_CASE("what a server says twice of a login is told once") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  const auto port = PostgresServer::shared().port();
  // Two addresses of one name, or two kinds of encryption: the server is asked again.
  options.dsn = fmt::format(
      "host=same,same hostaddr=127.0.0.1,127.0.0.1 port={},{} user=postgres "
      "dbname=postgres options=-cnonsense=1",
      port, port);
  const auto message = error_of(options).message;
  const auto first = message.find("nonsense");
  REQUIRE(first != std::string::npos);
  CHECK(message.find("nonsense", first + 1) == std::string::npos);
}

TEST_CASE("a standby, a server that hangs up and a name that is not known are waited for") {
  Database database;
  auto options = database.options();
  // Lets everybody in and leaves at once.
  TcpProxy proxy(PostgresServer::shared().port());
  SECTION("hangs up") {
    proxy.lose(TcpProxy::Loss::request, "semel starting");
    options.dsn =
        std::regex_replace(options.dsn, std::regex(":\\d+/"), fmt::format(":{}/", proxy.port()));
  }
  SECTION("does not answer the login") {
    proxy.lose(TcpProxy::Loss::answer, "semel starting");
    options.dsn =
        std::regex_replace(options.dsn, std::regex(":\\d+/"), fmt::format(":{}/", proxy.port()));
  }
  SECTION("no primary") {
    options.dsn += "?target_session_attrs=standby";
  }
  SECTION("no such host") {
    options.dsn = "postgresql://postgres@no-such-host.invalid/x";
  }
  SECTION("no such socket") {
    options.dsn = "postgresql://postgres@/x?host=/nowhere";
  }
  const auto error = error_of(options);
  INFO(error.message);
  CHECK(error.kind == ErrorKind::unavailable);
  CHECK(error.cause == Cause::sink);
}

TEST_CASE(
    "a login that is refused while running is tried again, as often as the configuration says") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const auto role = unique_name("closed");
  database.sql(
      fmt::format("CREATE ROLE {0} LOGIN; GRANT ALL ON SCHEMA public TO {0}; GRANT ALL ON t "
                  "TO {0}",
                  role));
  auto options = database.options();
  options.dsn += "?user=" + role;
  Writer writer(options, "a");
  writer.start();
  writer.store(0, 5, id_only);
  database.sql(fmt::format("ALTER ROLE {} NOLOGIN", role));
  end_sessions(database, "true");
  for (int i = 0; i < 2; ++i) {
    const auto refused = writer.run(writer.task(5, 10), id_only);
    REQUIRE_FALSE(refused);
    writer.in_session().abort();
    if (i == 1) CHECK_THAT(refused.error().message, Catch::Contains("28000"));
    CHECK(refused.error().kind != ErrorKind::fatal);
  }
  database.sql(fmt::format("ALTER ROLE {} LOGIN", role));
  writer.start();
  writer.store(5, 10, id_only);
  // Who was never let in hears it at once.
  database.sql(fmt::format("ALTER ROLE {} NOLOGIN", role));
  CHECK(error_of(options).kind == ErrorKind::fatal);
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
  const auto result = writer.run_isolating(writer.task(0, 10), id_only);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::fatal);
  CHECK(result.error().cause == Cause::sink);
  CHECK_THAT(result.error().message, Catch::Contains("42501"));
}

TEST_CASE("interrupting returns though the server stands still") {
  Database database;
  const auto interrupter = std::make_shared<postgres::Interrupter>();
  auto opened = postgres::Connection::open(database.options(), "semel test", interrupter);
  REQUIRE(opened);
  // Not the shared thread: what never returns must not hang the test.
  auto returned = std::make_shared<std::promise<void>>();
  auto future = returned->get_future();
  PostgresServer::shared().freeze();
  std::thread([interrupter, returned] {
    interrupter->interrupt();
    returned->set_value();
  }).detach();
  const auto outcome = future.wait_for(std::chrono::seconds(10));
  PostgresServer::shared().thaw();
  CHECK(outcome == std::future_status::ready);
}
