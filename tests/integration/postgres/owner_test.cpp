// Take-overs, zombies, ledger tables and who may make them: protocol, section 2.
#include <fmt/format.h>
#include <future>
#include <pqxx/pqxx>
#include <set>

#include "integration/postgres/rig.hpp"
#include "support/process.hpp"

using namespace semel;
using namespace semel::test;

TEST_CASE("taking over from an owner that stopped in good order ends no stranger's session") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  {
    Writer before(database.options(), "a");
    before.start();
    before.sink->leave(std::nullopt);
  }
  REQUIRE(database.number("SELECT count(*) FROM semel_owners WHERE application_name = ''") == 1);
  // As psql has one, and most programs have none.
  pqxx::connection stranger(database.options().dsn + "?application_name=");
  Writer heir(database.options(), "b");
  must(heir.sink->take_over("cluster"));
  pqxx::nontransaction still_there(stranger);
  CHECK(still_there.exec("SELECT 1").size() == 1);
}

TEST_CASE("a zombie in the middle of COPY that holds a unique key does not hold up its heir") {
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY)");
  Writer zombie(database.options(), "a");
  zombie.start();
  REQUIRE_FALSE(must(zombie.begin(zombie.task(0, 20'000))));
  must(zombie.write(0, 20'000, id_only));  // more than 64 KiB: its rows are in the index
  REQUIRE(eventually([&] {
    return database.number(
               "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND "
               "mode = 'RowExclusiveLock'") == 1;
  }));

  Writer heir(database.options(), "b");
  const auto taken = must(heir.sink->take_over("cluster"));
  CHECK(taken.previous_owner == zombie.owner.description);
  CHECK(taken.notes.empty());
  heir.epoch = taken.epoch;
  heir.time = zombie.time;
  CHECK(heir.store(0, 20'000, id_only).rows == 20'000);

  const auto late = zombie.commit();
  REQUIRE_FALSE(late);
  CHECK((late.error().kind == ErrorKind::unavailable || late.error().kind == ErrorKind::in_doubt));
  zombie.session->abort();
  CHECK(zombie.resolve(zombie.task(0, 20'000)).owner == heir.owner.id);
  CHECK(refused(zombie.run(zombie.task(20'000, 20'010), id_only)).ledger.epoch == heir.epoch);
  CHECK(database.number("SELECT count(*) FROM t") == 20'000);
}

TEST_CASE("a predecessor's session that sits on the owner's row is ended") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer first(database.options(), "a");
  first.start();
  pqxx::connection stuck(database.dsn + "?application_name=semel/pipe/out/frozen");
  pqxx::work transaction(stuck);
  transaction.exec("SELECT * FROM semel_owners FOR UPDATE");
  Writer second(database.options(), "b");
  second.start();
  CHECK(second.epoch > first.epoch);
  CHECK_THROWS(transaction.exec("SELECT 1"));
}

TEST_CASE("sessions of other pipelines are left alone") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const auto options = database.options();
  const auto other =
      must(postgres::make_sink(options, {"pipeline", "out", "c-0000-4000", "another"}));
  must(other->take_over("cluster"));
  Writer first(options, "a");
  first.start();
  Writer second(options, "b");
  second.start();
  CHECK(database.number("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE "
                        "'semel/pipeline/out/%'") == 1);
}

TEST_CASE("two owners that take turns never store a record twice") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer a(database.options(), "a");
  Writer b(database.options(), "b");
  a.start();
  Offset at = 0;
  for (int turn = 0; turn < 6; ++turn) {
    auto& owner = turn % 2 == 0 ? a : b;
    auto& other = turn % 2 == 0 ? b : a;
    owner.start();
    owner.time = std::max(owner.time, other.time);
    owner.session.reset();
    owner.store(at, at + 10, id_only);
    other.session.reset();
    const auto late = other.run(other.task(at, at + 10), id_only);
    if (late) CHECK(refused(late).ledger.owner == owner.owner.id);
    at += 10;
  }
  CHECK(database.number("SELECT count(*) FROM t") == at);
  CHECK(database.number("SELECT count(DISTINCT id) FROM t") == at);
}

TEST_CASE("many that start at once make the ledger tables once, and one of them owns the output") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  constexpr int count = 8;
  std::vector<std::unique_ptr<Sink>> sinks;
  for (int i = 0; i < count; ++i) {
    sinks.push_back(must(postgres::make_sink(
        database.options(), {"pipe", "out", fmt::format("{:08}-4000", i), std::to_string(i)})));
  }
  std::vector<std::future<Result<TakenOver>>> all_taken;
  for (auto& sink : sinks) {
    all_taken.push_back(std::async(std::launch::async, [&] {
      auto taken = sink->take_over("cluster");
      // Another one may have ended this session: that is no answer yet.
      while (!taken && taken.error().kind == ErrorKind::unavailable) {
        taken = sink->take_over("cluster");
      }
      return taken;
    }));
  }
  std::set<std::int64_t> epochs;
  for (auto& taken : all_taken) epochs.insert(must(taken.get()).epoch);
  CHECK(epochs.size() == count);
  CHECK(database.number("SELECT count(*) FROM semel_owners") == 1);
  CHECK(database.number("SELECT epoch FROM semel_owners") == *epochs.rbegin());
}

TEST_CASE(
    "a role that may not create tables uses those that exist, and is told what to do if none do") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const auto role = unique_name("writer");
  database.sql(
      fmt::format("CREATE ROLE {0} LOGIN; GRANT USAGE ON SCHEMA public TO {0}; "
                  "GRANT INSERT ON t TO {0}",
                  role));
  auto options = database.options();
  options.dsn += "?user=" + role;
  {
    const auto sink = must(postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"}));
    const auto taken = sink->take_over("cluster");
    REQUIRE_FALSE(taken);
    CHECK(taken.error().kind == ErrorKind::fatal);
    CHECK(taken.error().cause == Cause::sink);
    CHECK_THAT(taken.error().message, Catch::Contains("semel sql"));
  }
  database.sql(postgres::ledger_ddl(options));
  database.sql(postgres::ledger_ddl(options));  // twice: it changes nothing
  {
    // Not even whether the pipeline is in this ledger can be seen.
    const auto sink = postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"});
    REQUIRE_FALSE(sink);
    CHECK(sink.error().kind == ErrorKind::fatal);
    CHECK_THAT(sink.error().message, Catch::Contains("GRANT USAGE on its schema and SELECT"));
  }
  // The comments are the grants: without their dashes they are all that is needed.
  auto ddl = postgres::ledger_ddl(options);
  std::string grants;
  for (auto at = ddl.find("-- GRANT"); at != std::string::npos; at = ddl.find("-- GRANT", at + 1)) {
    grants += ddl.substr(at + 3, ddl.find('\n', at) - at - 3);
  }
  for (auto at = grants.find("semel_role"); at != std::string::npos;
       at = grants.find("semel_role")) {
    grants.replace(at, 10, role);
  }
  database.sql(grants);
  Writer writer(options, "a");
  writer.start();
  writer.store(0, 10, id_only);
  must(writer.sink->trim());
  must(must(postgres::open_ledger(options, "pipe", "out"))->reset(true));
  CHECK(database.number("SELECT count(*) FROM t") == 10);
}

TEST_CASE("ledger.create = false makes no tables") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  options.create_ledger = false;
  const auto sink = must(postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"}));
  const auto taken = sink->take_over("cluster");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::fatal);
  CHECK(database.value("SELECT to_regclass('semel_owners')").empty());
  const auto ledger = postgres::open_ledger(options, "pipe", "out");
  REQUIRE_FALSE(ledger);
  CHECK(ledger.error().cause == Cause::sink);
}

TEST_CASE(
    "a predecessor of another role that may not be ended is told, and does not stop the heir") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer first(database.options(), "a");
  first.start();
  const auto role = unique_name("heir");
  database.sql(
      fmt::format("CREATE ROLE {0} LOGIN; GRANT USAGE ON SCHEMA public TO {0}; "
                  "GRANT ALL ON ALL TABLES IN SCHEMA public TO {0}",
                  role));
  auto options = database.options();
  options.dsn += "?user=" + role;
  Writer heir(options, "b");
  const auto taken = must(heir.sink->take_over("cluster"));
  REQUIRE(taken.notes.size() == 1);
  CHECK_THAT(taken.notes[0], Catch::Contains("pg_signal_backend"));
  heir.epoch = taken.epoch;
  heir.store(0, 10, id_only);
  CHECK(refused(first.run(first.task(10, 20), id_only)).ledger.owner == heir.owner.id);
}

TEST_CASE("trimming removes the old beginning of the chain and keeps each partition's newest row") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  for (Offset at = 0; at < 50; at += 10) writer.store(at, at + 10, id_only);
  const auto age = [&](const std::string& where) {
    database.sql("UPDATE semel_commits SET committed_at = now() - interval '30 days' WHERE " +
                 where);
  };
  age("until_offset <= 20 OR from_offset = 40");  // a clock that jumped: the newest looks old
  must(writer.sink->trim());
  CHECK(database.value("SELECT string_agg(from_offset || '-' || until_offset, ' ' ORDER BY "
                       "batch_time) FROM semel_commits") == "20-30 30-40 40-50");
  age("true");
  must(writer.sink->trim());
  CHECK(database.value("SELECT string_agg(from_offset || '-' || until_offset, ' ') FROM "
                       "semel_commits") == "40-50");
  CHECK(must(writer.sink->take_over("cluster")).highest_batch_time.ms == writer.time);
}

TEST_CASE("the ledger may live in a schema of its own, under any name") {
  Database database;
  database.sql(
      "CREATE SCHEMA \"Sales\"; CREATE TABLE \"Sales\".\"Or\"\"ders\" (\"Id\" bigint, \"a b\" "
      "text)");
  auto options = database.options("Sales.Or\"ders");
  options.ledger_schema = "Semel's";
  options.owners_table = "Owners";
  options.commits_table = "Com\"mits";
  Writer writer(options, "a");
  writer.start();
  writer.store(0, 10, [](Offset o) { return fmt::format(R"({{"Id": {}, "a b": "x"}})", o); });
  CHECK(database.number("SELECT count(*) FROM \"Sales\".\"Or\"\"ders\" WHERE \"Id\" < 10 AND "
                        "\"a b\" = 'x'") == 10);
  CHECK(refused(writer.run(writer.task(0, 10), [](Offset) { return "{}"; })).ledger.until == 10);
  CHECK(moves_of(*must(postgres::open_ledger(options, "pipe", "out"))).size() == 2);
  Writer heir(options, "b");
  heir.start();
  CHECK(heir.epoch == writer.epoch + 1);
}

TEST_CASE("an epoch that repeats after a failover is not enough: the owner is compared too") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  writer.store(0, 10, id_only);
  database.sql(
      "UPDATE semel_owners SET owner = 'other'; UPDATE semel_progress SET owner = 'other'");
  const auto answer = refused(writer.run(writer.task(10, 20), id_only));
  CHECK(answer.ledger.owner == "other");
  CHECK(answer.ledger.epoch == writer.epoch);
  CHECK(std::holds_alternative<Refused>(
      must(writer.sink->enter(std::vector{Progress{.tp = {"new", 0}}}))));
  CHECK(database.number("SELECT count(*) FROM t") == 10);
  CHECK(database.number("SELECT count(*) FROM semel_progress") == 1);
}

TEST_CASE("a partition is entered under the owner's lock: who is being fenced enters nothing") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  pqxx::connection psql(database.dsn);
  pqxx::work take_over(psql);
  take_over.exec("UPDATE semel_owners SET epoch = epoch + 1, owner = 'other'");
  auto entered = std::async(std::launch::async, [&] {
    return writer.sink->enter(std::vector{Progress{.tp = {"new", 0}}});
  });
  REQUIRE(eventually([&] {
    return database.number(
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
               "AND application_name LIKE 'semel/pipe/%'") == 1;
  }));
  take_over.commit();
  CHECK(std::holds_alternative<Refused>(must(entered.get())));
  CHECK(database.number("SELECT count(*) FROM semel_progress") == 1);
}

TEST_CASE("a session that a zombie opens after it was fenced holds no locks") {
  // Its heir has looked for sessions to end already: nobody would end this one.
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY)");
  Writer zombie(database.options(), "a");
  zombie.start();
  Writer heir(database.options(), "b");
  heir.start();
  const auto written = zombie.run(zombie.task(0, 50'000), id_only);
  REQUIRE_FALSE(written);
  CHECK(written.error().kind == ErrorKind::in_doubt);
  CHECK(database.number("SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
                        "WHERE c.relname = 't' AND l.mode = 'RowExclusiveLock'") == 0);
  heir.store(0, 10, id_only);
  CHECK(database.number("SELECT count(*) FROM t") == 10);
}

TEST_CASE("whoever was fenced does not even come to the table") {
  // What a trigger locks before the first row could hold the new owner up.
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint); CREATE SEQUENCE looked;"
      "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
      "nextval(''looked''); RETURN NULL; END';"
      "CREATE TRIGGER look BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION look()");
  Writer zombie(database.options(), "a");
  zombie.start();
  Writer heir(database.options(), "b");
  heir.start();
  CHECK(refused(zombie.run(zombie.task(0, 10), id_only)).ledger.epoch == heir.epoch);
  CHECK(database.value("SELECT is_called FROM looked") == "f");
  heir.store(0, 10, id_only);
  CHECK(database.value("SELECT is_called FROM looked") == "t");
}

TEST_CASE("a take-over ends an earlier one of the same process whose answer was lost") {
  // Executed later, it would fence its own owner, or whoever took over since.
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  const auto name = database.value(
      "SELECT max(application_name) FROM pg_stat_activity WHERE application_name LIKE "
      "'semel/pipe/%'");
  pqxx::connection earlier(database.dsn);
  pqxx::work under_way(earlier);
  under_way.exec("SET LOCAL application_name = " + under_way.quote(name));
  under_way.exec("UPDATE semel_owners SET epoch = epoch + 1");
  const auto taken = must(writer.sink->take_over("cluster"));
  CHECK(taken.epoch == writer.epoch + 1);
  CHECK_THROWS_AS(under_way.commit(), pqxx::failure);
  CHECK(database.number("SELECT epoch FROM semel_owners") == taken.epoch);
}
