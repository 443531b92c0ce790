// Commits whose reply is lost, sessions that die, servers that restart: protocol, sections 1 and 3.
#include <fmt/format.h>
#include <future>
#include <pqxx/pqxx>

#include "integration/postgres/rig.hpp"
#include "postgres/table/guard.hpp"
#include "support/process.hpp"
#include "support/tcp_proxy.hpp"

using namespace semel;
using namespace semel::test;
using namespace std::chrono_literals;

namespace {

// How the message begins that ends every transaction with rows.
const std::string final_message = "RELEASE SAVEPOINT semel;SET CONSTRAINTS";

struct Lossy : Database {
  TcpProxy proxy{PostgresServer::shared().port()};

  postgres::Options through_proxy() const {
    auto options = this->options();
    const auto name = value("SELECT current_database()");
    options.dsn = fmt::format("postgresql://postgres@127.0.0.1:{}/{}", proxy.port(), name);
    return options;
  }
};

}  // namespace

TEST_CASE("a lost commit reply is resolved by the ledger") {
  Lossy database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.through_proxy(), "a");
  writer.start();
  writer.store(0, 10, id_only);

  database.proxy.lose(TcpProxy::Loss::reply, final_message);
  const auto task = writer.task(10, 20);
  const auto result = writer.run(task, id_only);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::in_doubt);
  CHECK(database.proxy.lost());
  writer.session->abort();

  const auto entry = writer.resolve(task);
  CHECK(entry.until == 20);
  CHECK(entry.owner == writer.owner.id);
  CHECK(entry.epoch == writer.epoch);
  CHECK(database.number("SELECT count(*) FROM t") == 20);
  // Who tries again nevertheless is refused, and the session is of use again.
  CHECK(refused(writer.run(task, id_only)).ledger.until == 20);
  writer.store(20, 30, id_only);
  CHECK(database.number("SELECT count(DISTINCT id) FROM t") == 30);
  CHECK(database.number("SELECT count(*) FROM t") == 30);
}

TEST_CASE("a final message that never arrived is resolved as not committed") {
  Lossy database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY)");
  Writer writer(database.through_proxy(), "a");
  writer.start();
  database.proxy.lose(TcpProxy::Loss::request, final_message);
  const auto task = writer.task(0, 10);
  const auto result = writer.run(task, id_only);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::in_doubt);
  writer.session->abort();
  CHECK(writer.resolve(task).until == 0);
  CHECK(database.number("SELECT count(*) FROM t") == 0);
  committed(writer.run(task, id_only));
  CHECK(database.number("SELECT count(*) FROM t") == 10);
}

TEST_CASE("a doubt is resolved only after the old backend is gone") {
  Lossy database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY)");
  Writer writer(database.through_proxy(), "a");
  writer.start();
  writer.store(0, 10, id_only);
  // The reply is lost while the network pretends to live: the backend stays, with the rows' locks.
  database.proxy.lose(TcpProxy::Loss::network, final_message);
  const auto task = writer.task(10, 20);
  auto result = std::async(std::launch::async, [&] { return writer.run(task, id_only); });
  REQUIRE(eventually([&] { return database.proxy.lost(); }));
  REQUIRE(
      database.number("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' "
                      "AND application_name LIKE 'semel/pipe/%'") == 1);
  // Another process takes over at once: it does not wait for the frozen one.
  Writer heir(database.options(), "b");
  heir.start();
  CHECK(database.number("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                        "'semel/pipe/out/a-0000-4'") == 0);
  heir.store(10, 20, id_only);
  CHECK(database.number("SELECT count(*) FROM t") == 20);
  writer.sink->interrupt();
  const auto answer = result.get();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().kind == ErrorKind::in_doubt);
}

TEST_CASE("a backend that is ended before the final message leaves no rows") {
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY)");
  Writer writer(database.options(), "a");
  writer.start();
  const auto task = writer.task(0, 10'000);
  REQUIRE_FALSE(must(writer.begin(task)));
  must(writer.write(0, 10'000, id_only));
  CHECK(end_sessions(database, "state LIKE 'idle in transaction%' OR query LIKE '%COPY%'") == 1);
  const auto result = writer.commit();
  REQUIRE_FALSE(result);
  // Before the final message it is a loss, after it doubt; both lead to the same.
  CHECK((result.error().kind == ErrorKind::unavailable ||
         result.error().kind == ErrorKind::in_doubt));
  writer.session->abort();
  CHECK(writer.resolve(task).until == 0);
  CHECK(database.number("SELECT count(*) FROM t") == 0);
  committed(writer.run(task, id_only));
  CHECK(database.number("SELECT count(*) FROM t") == 10'000);
}

TEST_CASE("a final message outside the transaction that it ends changes nothing") {
  // What a library does that reconnects by itself and sends again.
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  const auto task = writer.task(0, 10);
  postgres::Shared shared;
  shared.options = writer.options;
  shared.owner = writer.owner;
  shared.tables = postgres::ledger_tables(writer.options, "public");
  auto connection = must(postgres::Connection::open(writer.options, "test", shared.interrupter));
  const auto message =
      postgres::final_message(postgres::advance_statement(shared, {.task = &task}));
  const auto alone = connection->exchange(message);
  REQUIRE(alone.error);
  CHECK_FALSE(postgres::is_refusal(*alone.error, shared.tables));
  CHECK(writer.resolve(task).until == 0);

  // In its own transaction it is what moves the ledger, and it does so once.
  CHECK(connection->exchange(postgres::begin_message(shared) + ";" + message).last_tag() ==
        "COMMIT");
  CHECK(writer.resolve(task).until == 10);
  const auto again = connection->exchange(postgres::begin_message(shared) + ";" + message);
  REQUIRE(again.error);
  CHECK(postgres::is_refusal(*again.error, shared.tables));
}

TEST_CASE("a time limit is taken away where the server knows it, and only for the transaction") {
  Database database;
  postgres::Shared shared;
  shared.options = database.options();
  auto connection = must(postgres::Connection::open(shared.options, "test", shared.interrupter));
  REQUIRE(connection->exchange("SET idle_in_transaction_session_timeout = '1h'").ok());
  const auto told = [&](const std::string& sql) {
    const auto reply = connection->exchange(sql);
    REQUIRE(reply.ok());
    return reply.table(reply.tables() - 1).text(0, 0);
  };
  const std::string show = "SHOW idle_in_transaction_session_timeout";
  CHECK(told(postgres::begin_message(shared) + ";" + show) == "0");
  CHECK(told("ROLLBACK;" + show) == "1h");
  const auto unknown = connection->exchange("SELECT " + postgres::unlimited("no_such_timeout"));
  REQUIRE(unknown.ok());
  CHECK(unknown.table(0).is_null(0, 0));
}

TEST_CASE("a session notices in begin that the server was restarted") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  writer.store(0, 10, id_only);
  PostgresServer::shared().stop();
  const auto down = writer.begin(writer.task(10, 20));
  REQUIRE_FALSE(down);
  CHECK(down.error().kind == ErrorKind::unavailable);
  CHECK(down.error().cause == Cause::sink);
  const auto alive = writer.sink->keep_alive();
  REQUIRE_FALSE(alive);
  CHECK(alive.error().kind == ErrorKind::unavailable);
  PostgresServer::shared().start();
  writer.store(10, 20, id_only);
  CHECK(must(writer.sink->keep_alive()).ledger.owner == writer.owner.id);
  CHECK(database.number("SELECT count(*) FROM t") == 20);
}

TEST_CASE("an interrupted sink returns from a commit that waits for a lock") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  // Somebody's psql holds the partition's row.
  pqxx::connection psql(database.dsn);
  pqxx::work holder(psql);
  holder.exec("SELECT * FROM semel_progress FOR UPDATE");
  auto result =
      std::async(std::launch::async, [&] { return writer.run(writer.task(0, 10), id_only); });
  const auto waiting =
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
      "application_name LIKE 'semel/pipe/%'";
  REQUIRE(eventually([&] { return database.number(waiting) == 1; }));
  writer.sink->interrupt();
  const auto answer = result.get();
  REQUIRE_FALSE(answer);
  // Whichever comes first: nobody waits for the answer any more; or it is there, and says that the
  // statement was cancelled, which is no doubt.
  const auto kind = answer.error().kind;
  CHECK((kind == ErrorKind::in_doubt || kind == ErrorKind::retriable));
  // The lock that it waited for, and those it held, are given up without anybody's help.
  CHECK(eventually([&] { return database.number(waiting) == 0; }));
  holder.abort();
  CHECK(database.number("SELECT count(*) FROM t") == 0);
}

TEST_CASE("a prepared guard that is gone costs another attempt and nothing else") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  writer.store(0, 10, id_only);
  writer.store(10, 20, id_only);
  // What a trigger of the user's may do to our session.
  database.sql(
      "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN EXECUTE ''DEALLOCATE ALL''; RETURN NULL; END';"
      "CREATE TRIGGER forget AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION forget()");
  const auto task = writer.task(20, 30);
  const auto lost = writer.run(task, id_only);
  REQUIRE_FALSE(lost);
  CHECK(lost.error().kind == ErrorKind::retriable);
  CHECK_THAT(lost.error().message, Catch::Contains("DEALLOCATE"));
  CHECK(database.number("SELECT count(*) FROM t") == 20);
  // In the same session, which sends it as text from now on.
  committed(writer.run(task, id_only));
  writer.store(30, 40, id_only);
  CHECK(database.number("SELECT count(*) FROM t") == 40);
}
