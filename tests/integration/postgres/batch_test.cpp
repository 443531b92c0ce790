// Several ranges of one batch in one transaction, where a real server differs from a mutex: lost
// replies, counts of rows, triggers, deferred constraints, tables that change. The rules that hold
// for every sink are in tests/contract.
#include <fmt/format.h>
#include <array>

#include "integration/postgres/rig.hpp"
#include "postgres/table/guard.hpp"
#include "support/tcp_proxy.hpp"

using namespace semel;
using namespace semel::test;

namespace {

const std::string ends_with_this = "RELEASE SAVEPOINT semel;SET CONSTRAINTS";

/// A process that owns three partitions, and commits ten offsets of each at a time.
struct BatchWriter {
  using Values = std::function<std::string(std::size_t, Offset)>;

  BatchWriter(const postgres::Options& opts, const std::string& who)
      : options(opts),
        owner{"pipe", "out", who + "-0000-4000-8000-000000000000", "process " + who},
        sink(must(postgres::make_sink(options, owner))) {
    epoch = must(sink->take_over("cluster")).epoch;
    std::vector<Progress> starts;
    for (int p = 0; p < 3; ++p) starts.push_back({.tp = {"clicks", p}, .until = 0});
    must(sink->enter(starts));
    session = must(sink->open_session());
  }

  std::vector<Task> tasks(Offset from, std::size_t count = 3) {
    time += 1'000;
    std::vector<Task> all;
    for (std::size_t p = 0; p < count; ++p) {
      all.push_back({.time = {time},
                     .range = {{"clicks", static_cast<std::int32_t>(p)}, from, from + 10},
                     .epoch = epoch});
    }
    return all;
  }

  Result<CommitResult> run(const std::vector<Task>& tasks, const Values& values = row) {
    auto begun = session->begin(tasks);
    if (!begun) return tl::unexpected(begun.error());
    if (*begun) return **begun;
    std::vector<RangeEnd> ends;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const auto& range = tasks[i].range;
      std::vector<std::string> texts;
      for (auto o = range.from; o < range.until; ++o) texts.push_back(values(i, o));
      std::vector<Record> records;
      for (auto o = range.from; o < range.until; ++o) {
        records.push_back({.offset = o, .value = texts[static_cast<std::size_t>(o - range.from)]});
      }
      if (auto written = session->write(i, records); !written) {
        return tl::unexpected(written.error());
      }
      ends.push_back({mark_of(records.back())});
    }
    return session->commit(ends);
  }

  static std::string row(std::size_t partition, Offset offset) {
    return fmt::format(R"({{"id": {}, "p": {}}})", offset, partition);
  }

  postgres::Options options;
  Owner owner;
  std::unique_ptr<Sink> sink;
  std::unique_ptr<SinkSession> session;
  std::int64_t epoch = -1;
  std::int64_t time = 1'000;
};

/// What the writer's own statements are made from.
struct SharedWith : postgres::Shared {
  explicit SharedWith(const BatchWriter& writer) {
    options = writer.options;
    owner = writer.owner;
    tables = postgres::ledger_tables(writer.options, "public");
  }
};

std::vector<Task> isolate(std::vector<Task> tasks) {
  for (auto& task : tasks) task.isolate = true;
  return tasks;
}

}  // namespace

TEST_CASE("a lost reply to the commit of several ranges is resolved by the ledger of each") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, p bigint, UNIQUE (id, p))");
  TcpProxy proxy(PostgresServer::shared().port());
  auto options = database.options();
  options.dsn = fmt::format("postgresql://postgres@127.0.0.1:{}/{}", proxy.port(),
                            database.value("SELECT current_database()"));
  BatchWriter writer(options, "a");
  const auto tasks = writer.tasks(0);
  const bool arrived = GENERATE(true, false);
  proxy.lose(arrived ? TcpProxy::Loss::reply : TcpProxy::Loss::request, ends_with_this);
  const auto result = writer.run(tasks);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::in_doubt);
  writer.session->abort();
  for (const auto& entry : must(writer.sink->resolve(tasks))) {
    CHECK(entry.until == (arrived ? 10 : 0));
    CHECK(entry.owner == writer.owner.id);
  }
  CHECK(database.number("SELECT count(*) FROM t") == (arrived ? 30 : 0));
  if (!arrived) all_committed(writer.run(tasks));
  all_committed(writer.run(writer.tasks(10)));
  CHECK(database.number("SELECT count(*) FROM t") == 60);
}

TEST_CASE(
    "the server demands as many moved rows as ranges; a guard that forgives one doubles rows") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, p bigint)");
  BatchWriter writer(database.options(), "a");
  auto tasks = writer.tasks(0);
  // One of the three was planned anew and committed by itself, before the late transaction of all
  // comes: not under the same batch time, where the key of the history would refuse as well.
  all_committed(writer.run({writer.tasks(0)[1]}));
  SharedWith shared(writer);
  auto connection = must(postgres::Connection::open(writer.options, "test", shared.interrupter));
  const std::array moves{postgres::Advance{.task = tasks.data()},
                         postgres::Advance{.task = &tasks[1]},
                         postgres::Advance{.task = &tasks[2]}};
  auto guard = postgres::advance_batch_statement(shared, moves);
  const auto late = [&] {
    return connection->exchange(postgres::begin_message(shared) +
                                ";INSERT INTO t SELECT i, 1 FROM generate_series(0, 9) i;" +
                                postgres::final_message(guard));
  };
  const auto refused = late();
  REQUIRE(refused.error);
  CHECK(postgres::is_refusal(*refused.error, shared.tables));
  connection->roll_back();
  CHECK(database.number("SELECT count(*) FROM t") == 10);
  CHECK(database.number("SELECT sum(until_offset) FROM semel_progress") == 10);

  const std::string counted = "= (SELECT count(*) FROM task)";
  REQUIRE(guard.find(counted) != std::string::npos);
  guard.replace(guard.find(counted), counted.size(), "+ 1 >= (SELECT count(*) FROM task)");
  CHECK(late().last_tag() == "COMMIT");
  CHECK(database.number("SELECT count(*) FROM t") == 20);
}

TEST_CASE("a batch reads its own partitions of the ledger, and not all of the pipeline's") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, p bigint)");
  BatchWriter writer(database.options(), "a");
  // As soon as they were entered: nobody has gathered statistics of them.
  database.sql("ALTER TABLE semel_progress SET (autovacuum_enabled = off)");
  database.sql(
      "INSERT INTO semel_progress (pipeline, output, topic, \"partition\", until_offset, epoch, "
      "owner, batch_time, moved_at) SELECT pipeline, output, topic, g, until_offset, epoch, owner, "
      "batch_time, moved_at FROM semel_progress, generate_series(3, 4999) AS g WHERE \"partition\" "
      "= 0");
  const auto tasks = writer.tasks(0);
  const std::array moves{postgres::Advance{.task = tasks.data()},
                         postgres::Advance{.task = &tasks[1]},
                         postgres::Advance{.task = &tasks[2]}};
  SharedWith shared(writer);
  const auto guard = postgres::advance_batch_statement(shared, moves);
  auto connection = must(postgres::Connection::open(writer.options, "test", shared.interrupter));
  const auto told = connection->exchange("EXPLAIN " + guard);
  REQUIRE(told.ok());
  std::string plan;
  for (int line = 0; line < told.table(0).size(); ++line)
    plan += told.table(0).text(line, 0) + "\n";
  INFO(plan);
  // Locked, then moved; each by the whole key.
  std::size_t by_key = 0;
  for (std::size_t at = 0;
       (at = plan.find("Index Cond: ((pipeline = ", at)) != std::string::npos;) {
    const auto line = plan.substr(at, plan.find('\n', at) - at);
    CHECK_THAT(line, Catch::Contains("topic = ") && Catch::Contains("partition = "));
    ++by_key;
    at += line.size();
  }
  CHECK(by_key == 2);
  CHECK_THAT(plan, !Catch::Contains("Seq Scan on semel_progress"));
}

TEST_CASE("rows that a trigger does not store are counted for each range of a batch") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint, p bigint); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql "
      "AS "
      "'BEGIN IF NEW.p = 1 AND NEW.id % 10 < 4 THEN RETURN NULL; END IF; RETURN NEW; END'; CREATE "
      "TRIGGER skips BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()");
  BatchWriter writer(database.options(), "a");
  const auto tasks = writer.tasks(0);
  // How many the server stored, it says of a whole COPY: found out once, and then asked for each.
  const auto first = writer.run(tasks);
  REQUIRE_FALSE(first);
  CHECK(first.error().kind == ErrorKind::bad_data);
  writer.session->abort();
  CHECK(database.number("SELECT count(*) FROM t") == 0);
  const auto check = [](const std::vector<Committed>& counts) {
    REQUIRE(counts.size() == 3);
    CHECK(counts[0].rows == 10);
    CHECK(counts[0].suppressed == 0);
    CHECK(counts[1].rows == 6);
    CHECK(counts[1].suppressed == 4);
    CHECK(counts[2].rows == 10);
  };
  check(all_committed(writer.run(isolate(tasks))));
  check(all_committed(writer.run(writer.tasks(10))));
  CHECK(database.number("SELECT count(*) FROM t") == 52);
  CHECK(database.number("SELECT sum(suppressed) FROM semel_commits WHERE \"partition\" = 1") == 8);
}

TEST_CASE("rows that are held for deferred constraints are counted for the range they are of") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint, p bigint); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql "
      "AS 'BEGIN IF NEW.p = 0 THEN RETURN NULL; END IF; RETURN NEW; END'; CREATE TRIGGER skips "
      "BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE FUNCTION g() RETURNS trigger "
      "LANGUAGE plpgsql AS 'BEGIN IF NEW.p = 2 AND NEW.id = 3 THEN RAISE ''not this one'' USING "
      "ERRCODE = ''check_violation''; END IF; RETURN NULL; END'; CREATE CONSTRAINT TRIGGER late "
      "AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION g()");
  BatchWriter writer(database.options(), "a");
  const auto tasks = isolate(writer.tasks(0));
  auto result = writer.run(tasks);
  // Each row is taken, all together are not: once more, and together.
  REQUIRE_FALSE(result);
  writer.session->abort();
  const auto counts = all_committed(writer.run(tasks));
  REQUIRE(counts.size() == 3);
  CHECK(counts[0].rows == 0);
  CHECK(counts[0].suppressed == 10);
  CHECK(counts[1].rows == 10);
  CHECK(counts[1].suppressed == 0);
  CHECK(counts[2].rows == 9);
  CHECK(counts[2].suppressed == 0);
  CHECK(counts[2].dead_letters == 1);
  CHECK(database.number("SELECT count(*) FROM t WHERE p = 1") == 10);
  CHECK(database.number("SELECT count(*) FROM t WHERE p = 2") == 9);
}

TEST_CASE(
    "a row that the server refuses fails the batch, and isolating tasks set it aside in place") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, p bigint, CHECK (p <> 1 OR id <> 7))");
  BatchWriter writer(database.options(), "a");
  const auto tasks = writer.tasks(0);
  const auto failed = writer.run(tasks);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind == ErrorKind::bad_data);
  writer.session->abort();
  const auto counts = all_committed(writer.run(isolate(tasks)));
  CHECK(counts[0].rows == 10);
  CHECK(counts[1].rows == 9);
  CHECK(counts[1].dead_letters == 1);
  CHECK(counts[2].dead_letters == 0);
  CHECK(database.value("SELECT \"partition\" || '/' || \"offset\" FROM semel_dead_letters") ==
        "1/7");
}

TEST_CASE("what deferred constraints refuse is judged over the whole batch") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint, p bigint, PRIMARY KEY (p, id), up bigint, FOREIGN KEY (up, id) "
      "REFERENCES t (p, id) DEFERRABLE INITIALLY DEFERRED)");
  BatchWriter writer(database.options(), "a");
  const auto tasks = writer.tasks(0);
  // Each row of a partition needs its parent in the next one; one has none.
  const auto values = [](std::size_t partition, Offset offset) {
    if (partition == 2) return BatchWriter::row(partition, offset == 3 ? 103 : offset);
    return fmt::format(R"({{"id": {}, "p": {}, "up": {}}})", offset, partition, partition + 1);
  };
  auto result = writer.run(tasks, values);
  for (int attempt = 0; !result && attempt < 3; ++attempt) {
    writer.session->abort();
    result = writer.run(isolate(tasks), values);
  }
  const auto counts = all_committed(result);
  CHECK(counts[2].rows == 10);
  CHECK(counts[0].rows + counts[1].rows + counts[0].dead_letters + counts[1].dead_letters == 20);
  CHECK(counts[1].dead_letters == 1);
  CHECK(database.value("SELECT string_agg(\"partition\" || '/' || \"offset\", ' ' ORDER BY 1) FROM "
                       "semel_dead_letters") == "0/3 1/3");
}

TEST_CASE("a table that changes before the guard refuses the batch, and nothing of it is written") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, p bigint)");
  BatchWriter writer(database.options(), "a");
  all_committed(writer.run(writer.tasks(0)));  // the columns are known by now
  database.sql("ALTER TABLE t ALTER COLUMN id TYPE double precision");
  const auto tasks = writer.tasks(10);
  const auto result = writer.run(tasks);
  REQUIRE_FALSE(result);
  CHECK(result.error().kind == ErrorKind::retriable);
  writer.session->abort();
  CHECK(database.number("SELECT count(*) FROM t") == 30);
  all_committed(writer.run(tasks));
  CHECK(database.number("SELECT max(id) FROM t") == 19);
}

TEST_CASE("a batch is one transaction of the database") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, p bigint)");
  BatchWriter writer(database.options(), "a");
  for (Offset from = 0; from < 50; from += 10) all_committed(writer.run(writer.tasks(from)));
  CHECK(database.number("SELECT count(DISTINCT xmin::text) FROM t") == 5);
  CHECK(database.number("SELECT count(DISTINCT xmin::text) FROM semel_commits WHERE kind = "
                        "'commit'") == 5);
}
