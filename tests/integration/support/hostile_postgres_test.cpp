// The hostile proxy for PostgreSQL: what a client sees, and that the server agrees.
#include <libpq-fe.h>
#include <future>
#include <memory>

#include "support/catch.hpp"
#include "support/hostile_postgres.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"

using namespace semel::test;

namespace {

using Handle = std::unique_ptr<PGconn, decltype(&PQfinish)>;

Handle through(const HostilePostgres& proxy) {
  const auto dsn = "host=127.0.0.1 user=postgres dbname=postgres port=";
  Handle handle(PQconnectdb((dsn + std::to_string(proxy.port())).c_str()), PQfinish);
  REQUIRE(PQstatus(handle.get()) == CONNECTION_OK);
  return handle;
}

/// SQLSTATE, the first value, or "lost".
std::string outcome(PGresult* raw) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(raw, PQclear);
  if (const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE)) return state;
  if (PQresultStatus(result.get()) == PGRES_FATAL_ERROR) return "lost";
  return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

/// Of the last statement, or of the first that failed.
std::string outcome(const Handle& handle) {
  std::string first_failure;
  std::string last;
  while (auto* result = PQgetResult(handle.get())) {
    const bool failed = PQresultStatus(result) == PGRES_FATAL_ERROR;
    last = outcome(result);
    if (failed && first_failure.empty()) first_failure = last;
  }
  return first_failure.empty() ? last : first_failure;
}

std::string ask(const Handle& handle, const char* sql) {
  return PQsendQuery(handle.get(), sql) == 1 ? outcome(handle) : "lost";
}

}  // namespace

TEST_CASE("the hostile proxy refuses a statement, and the server agrees that it failed") {
  HostilePostgres proxy(PostgresServer::shared().port());
  const auto client = through(proxy);
  CHECK(ask(client, "SELECT 7") == "7");
  CHECK(proxy.command("error 53100 nth 2 at marked") == "ok");
  CHECK(ask(client, "SELECT 'marked'") == "marked");
  CHECK(ask(client, "BEGIN;SELECT 1;SELECT 'marked';SELECT 2") == "53100");
  CHECK(PQtransactionStatus(client.get()) == PQTRANS_INERROR);
  CHECK(ask(client, "SELECT 1") == "25P02");
  CHECK(ask(client, "ROLLBACK") == "");
  CHECK(ask(client, "SELECT 'marked'") == "marked");
  CHECK(proxy.happened() == 1);
  proxy.add({.text = "marked", .sqlstate = "57P01", .severity = "FATAL"});
  CHECK(ask(client, "SELECT 'marked'") == "57P01");
  CHECK(PQstatus(client.get()) == CONNECTION_BAD);
  CHECK_THAT(proxy.command("err"), Catch::StartsWith("error: "));
}

TEST_CASE("the hostile proxy refuses a row of a COPY with any code, each time") {
  HostilePostgres proxy(PostgresServer::shared().port());
  const auto client = through(proxy);
  ask(client, "CREATE TEMP TABLE t (s text)");
  proxy.add({.text = "marked", .times = 0, .sqlstate = "ZZ123"});
  const auto copy = [&](const std::string& rows) {
    PQclear(PQexec(client.get(), "COPY t FROM STDIN"));
    // In two messages: the text may be cut anywhere.
    const auto half = rows.size() / 2;
    PQputCopyData(client.get(), rows.data(), static_cast<int>(half));
    PQputCopyData(client.get(), rows.data() + half, static_cast<int>(rows.size() - half));
    PQputCopyEnd(client.get(), nullptr);
    return outcome(client);
  };
  CHECK(copy("a\nb\n") == "");
  CHECK(copy("aa\nmarked\n") == "ZZ123");
  CHECK(copy("marked\n") == "ZZ123");
  CHECK(copy("c\n") == "");
  CHECK(ask(client, "SELECT string_agg(s, '') FROM t") == "abc");
  // An error of the server's own is told as it is.
  CHECK(ask(client, "SELECT 1/0") == "22012");
}

TEST_CASE("the hostile proxy cuts, loses replies, stops and slows down") {
  HostilePostgres proxy(PostgresServer::shared().port());
  auto client = through(proxy);
  SECTION("a reply") {
    ask(client, "CREATE TABLE lost (i int)");
    CHECK(proxy.command("lose-reply at COMMIT") == "ok");
    CHECK(ask(client, "BEGIN;INSERT INTO lost VALUES (1);COMMIT") == "lost");
    client = through(proxy);
    CHECK(ask(client, "SELECT count(*) FROM lost") == "1");
  }
  SECTION("a request") {
    CHECK(proxy.command("cut at 42") == "ok");
    CHECK(ask(client, "SELECT 42") == "lost");
  }
  SECTION("every connection") {
    CHECK(proxy.command("cut-all") == "ok");
    CHECK(ask(client, "SELECT 1") == "lost");
    CHECK(ask(through(proxy), "SELECT 1") == "1");
  }
  SECTION("one that is stopped goes on when it may") {
    CHECK(proxy.command("stop at 42") == "ok");
    auto answer = std::async(std::launch::async, [&] { return ask(client, "SELECT 42"); });
    REQUIRE(eventually([&] { return proxy.happened() == 1; }));
    CHECK(ask(through(proxy), "SELECT 1") == "1");
    CHECK(proxy.command("go") == "ok");
    CHECK(answer.get() == "42");
  }
  SECTION("a delay and a throttle lengthen, and change nothing") {
    CHECK(proxy.command("delay 50 at 42") == "ok");
    const auto begin = std::chrono::steady_clock::now();
    CHECK(ask(client, "SELECT 42") == "42");
    CHECK(proxy.command("throttle 100000") == "ok");
    CHECK(ask(client, "SELECT repeat('x', 20000)") == std::string(20'000, 'x'));
    CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(250));
  }
  SECTION("at random, as its seed says") {
    CHECK(proxy.command("random 7 1") == "ok");
    while (PQstatus(client.get()) == CONNECTION_OK) ask(client, "SELECT 1");
    CHECK(proxy.command("clear") == "ok");
    CHECK(ask(through(proxy), "SELECT 1") == "1");
  }
}
