// One ledger per pipeline, by whatever way its role comes to it.
#include <fmt/format.h>
#include <pqxx/pqxx>

#include "integration/postgres/rig.hpp"
#include "support/process.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// A role that may make ledgers everywhere, as many applications' roles may.
std::string maker(const Database& database) {
  const auto role = unique_name("app");
  database.sql(
      fmt::format("CREATE ROLE {0} LOGIN; GRANT ALL ON SCHEMA public TO {0}; GRANT CREATE "
                  "ON DATABASE {1} TO {0}; GRANT ALL ON t TO {0}",
                  role, database.value("SELECT quote_ident(current_database())")));
  return role;
}

postgres::Options as(const Database& database, const std::string& role,
                     const std::string& more = "") {
  auto options = database.options("public.t");
  options.dsn += "?user=" + role + more;
  return options;
}

std::string place_refusal(const postgres::Options& options) {
  const auto sink = postgres::make_sink(options, {"pipe", "out", "z-0000-4000", "z"});
  REQUIRE_FALSE(sink);
  CHECK(sink.error().kind == ErrorKind::fatal);
  std::string found;
  for (const auto& finding : postgres::check(options, {"pipe", "out", "", ""})) {
    if (!finding.ok) found += finding.remedy;
  }
  CHECK_THAT(found, Catch::Contains(sink.error().message));
  return sink.error().message;
}

long long ledgers(const Database& database) {
  return database.number("SELECT count(*) FROM pg_class WHERE relname = 'semel_owners'");
}

}  // namespace

TEST_CASE("a ledger is found again whatever becomes of the search path") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const auto role = maker(database);
  auto options = as(database, role);
  {
    Writer first(options, "a");
    first.start();
    first.store(0, 10, id_only);
  }
  SECTION("a schema named like the role") {
    database.sql(fmt::format("CREATE SCHEMA {0} AUTHORIZATION {0}", role));
  }
  SECTION("a path of the role, with the schema further down") {
    database.sql(
        fmt::format("CREATE SCHEMA other AUTHORIZATION {0}; ALTER ROLE {0} SET "
                    "search_path = other, public",
                    role));
  }
  SECTION("a path of the database, without the schema") {
    database.sql(
        fmt::format("CREATE SCHEMA other AUTHORIZATION {0}; DO $$BEGIN EXECUTE "
                    "format('ALTER ROLE {0} IN DATABASE %I SET search_path = other', "
                    "current_database()); END$$",
                    role));
  }
  SECTION("a path in the connection string") {
    database.sql(fmt::format("CREATE SCHEMA other AUTHORIZATION {0}", role));
    options.dsn += "&options=-csearch_path%3Dother";
  }
  SECTION("other names of the ledger's tables are another ledger, and refused") {
    options.owners_table = "owners";
    options.progress_table = "progress";
    CHECK_THAT(place_refusal(options), Catch::Contains("\"public\".\"semel_owners\""));
    options = as(database, role);
  }
  SECTION("a schema that is configured now is another ledger, and refused") {
    options.ledger_schema = "elsewhere";
    CHECK_THAT(place_refusal(options), Catch::Contains("\"public\".\"semel_owners\""));
    options = as(database, role);
  }
  Writer second(options, "b");
  const auto taken = must(second.sink->take_over("cluster"));
  REQUIRE(taken.progress.size() == 1);
  CHECK(taken.progress[0].until == 10);
  CHECK(ledgers(database) == 1);
  CHECK(must(must(postgres::open_ledger(options, "pipe", "out"))->progress()).size() == 1);
}

TEST_CASE("a ledger that a role may not read is not taken for none") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer first(database.options("public.t"), "a");
  first.start();
  first.store(0, 10, id_only);
  const auto role = maker(database);
  database.sql(fmt::format("CREATE SCHEMA {0} AUTHORIZATION {0}", role));
  CHECK_THAT(place_refusal(as(database, role)),
             Catch::Contains("\"public\".\"semel_owners\"") && Catch::Contains("GRANT"));
  CHECK(ledgers(database) == 1);
}

TEST_CASE("a pipeline that stands in two ledgers goes on from neither") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const auto options = database.options("public.t");
  {
    Writer writer(options, "a");
    writer.start();
    writer.store(0, 10, id_only);
  }
  // As a semel of before made a second one, when a schema appeared on its path.
  database.sql("CREATE SCHEMA other");
  for (const std::string table : {"owners", "progress", "commits", "dead_letters"}) {
    database.sql(
        fmt::format("CREATE TABLE other.semel_{0} (LIKE public.semel_{0} INCLUDING ALL); "
                    "INSERT INTO other.semel_{0} SELECT * FROM public.semel_{0}",
                    table));
  }
  const auto ledger = postgres::open_ledger(options, "pipe", "out");
  REQUIRE_FALSE(ledger);
  for (const auto& message : {place_refusal(options), ledger.error().message}) {
    CHECK_THAT(message, Catch::Contains("\"public\".\"semel_owners\"") &&
                            Catch::Contains("\"other\".\"semel_owners\""));
  }
}

TEST_CASE("two that start first at once by different paths do not both go on") {
  Database database;
  database.sql("CREATE TABLE t (id bigint); CREATE SCHEMA other");
  auto options = database.options("public.t");
  const auto one = must(postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"}));
  options.dsn += "?options=-csearch_path%3Dother";
  const auto other = must(postgres::make_sink(options, {"pipe", "out", "b-0000-4000", "b"}));
  must(one->take_over("cluster"));
  const auto late = other->take_over("cluster");
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == ErrorKind::fatal);
  CHECK_THAT(late.error().message, Catch::Contains("two ledgers"));
  other->leave(late.error().message);
  must(one->enter(std::vector{Progress{.tp = {"clicks", 0}}}));
  one->leave(std::nullopt);
  // Nothing came into the other one, and it says that nobody runs on it.
  must(postgres::make_sink(database.options("public.t"), {"pipe", "out", "c-0000-4000", "c"}));
}

TEST_CASE(
    "pipelines of one name in schemas that are configured feed a table each, and not the same") {
  Database database;
  database.sql(
      "CREATE SCHEMA staging; CREATE SCHEMA live; CREATE TABLE staging.t (id bigint); CREATE TABLE "
      "live.t (id bigint)");
  auto staging = database.options("staging.t");
  staging.ledger_schema = "staging";
  auto live = database.options("live.t");
  live.ledger_schema = "live";
  Writer one(staging, "a");
  one.start();
  Writer other(live, "b");
  other.start();
  // Strangers: neither ended the other's sessions.
  one.store(0, 10, id_only);
  other.store(0, 10, id_only);
  CHECK(database.number("SELECT count(DISTINCT substring(application_name FROM '.*/')) FROM "
                        "pg_stat_activity WHERE application_name LIKE 'semel/pipe/%'") == 2);
  live.table = "staging.t";
  live.accept_changed_table = true;
  CHECK_THAT(postgres::make_sink(live, {"pipe", "out", "c-0000-4000", "c"}).error().message,
             Catch::Contains("two ledgers"));
}

TEST_CASE("sessions have one name for one ledger, by whatever way it was found") {
  Database database;
  database.sql("CREATE SCHEMA other; CREATE TABLE other.t (id bigint)");
  auto found = database.options("other.t");
  auto configured = found;
  configured.ledger_schema = "other";
  found.dsn += "?options=-csearch_path%3Dother";
  Writer zombie(configured, "a");
  zombie.start();
  REQUIRE_FALSE(must(zombie.begin(zombie.task(0, 20'000))));
  must(zombie.write(0, 20'000, id_only));
  Writer heir(found, "b");
  CHECK(must(heir.sink->take_over("cluster")).notes.empty());
  CHECK(database.number("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE "
                        "'semel/pipe/%/a'") == 0);
}

TEST_CASE("another table needs a word, and a change of topics or mapping is said") {
  Database database;
  database.sql("CREATE TABLE t (id bigint); CREATE TABLE u (id bigint)");
  {
    Writer first(database.options(), "a");
    first.start();
    first.store(0, 10, id_only);
  }
  auto options = database.options("u");
  CHECK_THAT(place_refusal(options), Catch::Contains("\"public\".\"t\"") &&
                                         Catch::Contains("\"public\".\"u\"") &&
                                         Catch::Contains("--accept-changed-table"));
  CHECK(database.value("SELECT target FROM semel_owners") == "\"public\".\"t\"");
  SECTION("accepted") {
    options.accept_changed_table = true;
    Writer second(options, "b");
    CHECK(must(second.sink->take_over("cluster")).notes.size() == 1);
    CHECK(database.value("SELECT target FROM semel_owners") == "\"public\".\"u\"");
  }
  SECTION("read again from the start") {
    must(must(postgres::open_ledger(options, "pipe", "out"))->reset(true));
    must(postgres::make_sink(options, {"pipe", "out", "b-0000-4000", "b"}));
  }
  SECTION("it was only renamed") {
    database.sql("DROP TABLE u; ALTER TABLE t RENAME TO u");
    Writer second(options, "b");
    CHECK_THAT(must(second.sink->take_over("cluster")).notes.at(0), Catch::Contains("table"));
  }
  SECTION("made anew under the same name") {
    database.sql("DROP TABLE t; CREATE TABLE t (id bigint)");
    Writer second(database.options(), "b");
    const auto note = must(second.sink->take_over("cluster")).notes.at(0);
    // A database that was restored from a dump looks the same, and holds the rows.
    CHECK_THAT(note, Catch::Contains("made anew, or the database was restored") &&
                         Catch::Contains("Where the rows of before are not in it"));
  }
  SECTION("topics and mapping") {
    options = database.options();
    options.columns = {{"id", "$.number"}};
    const Owner owner{.pipeline = "pipe", .output = "out", .id = "b-0000-4000", .reads = "clicks"};
    must(must(postgres::make_sink(options, owner))->take_over("cluster"));
    auto other = owner;
    other.reads = "clicks, orders";
    const auto notes =
        must(must(postgres::make_sink(database.options(), other))->take_over("cluster")).notes;
    REQUIRE(notes.size() == 2);
    CHECK_THAT(notes[0], Catch::Contains("topics") && Catch::Contains("clicks, orders"));
    CHECK_THAT(notes[1], Catch::Contains("mapping") && Catch::Contains("$.number"));
  }
}

TEST_CASE("whether an owner is alive follows from its own heartbeat") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const Owner slow{.pipeline = "pipe",
                   .output = "out",
                   .id = "a-0000-4000",
                   .description = "slow",
                   .heartbeat_ms = 60'000};
  const auto sink = must(postgres::make_sink(database.options(), slow));
  must(sink->take_over("cluster"));
  must(sink->enter(std::vector{Progress{.tp = {"clicks", 0}}}));
  const auto ledger = must(postgres::open_ledger(database.options(), "pipe", "out"));
  const std::vector there{Progress{.tp = {"clicks", 0}, .until = 5}};
  database.sql("UPDATE semel_owners SET seen_at = now() - interval '100 seconds'");
  CHECK(must(ledger->owner())->state == OwnerState::running);
  CHECK(must(ledger->owner())->heartbeat_ms == 60'000);
  CHECK_FALSE(ledger->set(there, false));
  database.sql("UPDATE semel_owners SET seen_at = now() - interval '301 seconds'");
  CHECK(must(ledger->owner())->state == OwnerState::silent);
  must(ledger->set(there, false));
  CHECK(must(ledger->owner())->state == OwnerState::stopped);
}

TEST_CASE("trimming goes piece by piece, and leaves no gap on the way") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  writer.store(0, 1, id_only);
  database.sql(
      "INSERT INTO semel_commits SELECT 'pipe', 'out', 'clicks', 0, 10000 + n, 1, n, n + 1, "
      "'commit', 1, 0, NULL, now() - interval '30 days' FROM generate_series(1, 450) n");
  database.sql("UPDATE semel_commits SET committed_at = now() - interval '30 days'");
  const auto left = [&] { return database.number("SELECT count(*) FROM semel_commits"); };
  const auto before = left();
  CHECK(must(writer.sink->trim()));
  CHECK(left() < before);
  CHECK(left() > 1);
  CHECK(database.number(
            "SELECT count(*) FROM (SELECT from_offset, lag(until_offset) OVER (ORDER BY "
            "batch_time) AS before FROM semel_commits) c WHERE before <> from_offset") == 0);
  int pieces = 1;
  while (must(writer.sink->trim())) ++pieces;
  CHECK(pieces > 1);
  CHECK(database.value("SELECT string_agg(until_offset::text, ' ') FROM semel_commits") == "451");
}
