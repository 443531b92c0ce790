// Relations that a crash empties or another server commits are refused, where more was promised.
#include <fmt/format.h>

#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

std::string refusal(const postgres::Options& options) {
  const auto sink = postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"});
  REQUIRE_FALSE(sink);
  CHECK(sink.error().kind == ErrorKind::fatal);
  CHECK(sink.error().cause == Cause::sink);
  std::string found;
  for (const auto& finding : postgres::check(options)) {
    if (!finding.ok) found += finding.remedy;
  }
  CHECK_THAT(found, Catch::Contains(sink.error().message));
  return sink.error().message;
}

}  // namespace

TEST_CASE("a table that cannot hold the promise is refused, with what it could hold") {
  Database database;
  std::string part = "\"public\".\"t\"";
  std::string holds = "at_most_once";
  SECTION("unlogged") {
    database.sql("CREATE UNLOGGED TABLE t (id bigint)");
  }
  SECTION("a partition of a partition") {
    database.sql(
        "CREATE TABLE t (id bigint, day int) PARTITION BY LIST (day); CREATE TABLE t_1 PARTITION "
        "OF t FOR VALUES IN (1); CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2) PARTITION BY "
        "RANGE (id); CREATE UNLOGGED TABLE t_2_a PARTITION OF t_2 FOR VALUES FROM (0) TO (9)");
    part = "partition public.t_2_a";
  }
  SECTION("what a view over a view is made of") {
    database.sql(
        "CREATE UNLOGGED TABLE base (id bigint); CREATE VIEW middle AS SELECT * FROM base; CREATE "
        "VIEW t AS SELECT * FROM middle");
    part = "table public.base";
  }
  SECTION("foreign") {
    database.sql(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN "
        "TABLE t (id bigint) SERVER s");
    holds = "at_least_once";
  }
  SECTION("a foreign partition") {
    database.sql(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE TABLE t (id "
        "bigint) PARTITION BY LIST (id); CREATE FOREIGN TABLE t_1 PARTITION OF t FOR VALUES IN (1) "
        "SERVER s");
    part = "partition public.t_1";
    holds = "at_least_once";
  }
  auto options = database.options();
  CHECK_THAT(refusal(options), Catch::Contains(part) && Catch::Contains("\"" + holds + "\""));
  options.delivery = postgres::Delivery::at_least_once;
  if (holds == "at_least_once") {
    must(postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"}));
  } else {
    CHECK_THAT(refusal(options), Catch::Contains("\"at_most_once\""));
  }
  options.delivery = postgres::Delivery::at_most_once;
  must(postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"}));
  database.sql("DROP FOREIGN DATA WRAPPER IF EXISTS w CASCADE");
}

TEST_CASE("a table that stops holding the promise while rows are written is noticed") {
  Database database;
  database.sql("CREATE TABLE t (id bigint) PARTITION BY RANGE (id); CREATE TABLE u (id bigint)");
  database.sql("CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (100)");
  const auto table = GENERATE("t", "u");
  Writer writer(database.options(table), "a");
  writer.start();
  writer.store(0, 10, id_only);
  const bool partitioned = std::string(table) == "t";
  if (partitioned) {
    // What changes nothing of the promise disturbs nobody.
    database.sql("CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (100) TO (200)");
    writer.store(10, 20, id_only);
    database.sql("CREATE UNLOGGED TABLE t_3 PARTITION OF t FOR VALUES FROM (200) TO (300)");
  } else {
    database.sql("ALTER TABLE u SET UNLOGGED");
  }
  const auto at = partitioned ? 20 : 10;
  const auto task = writer.task(at, at + 10);
  const auto first = writer.run(task, id_only);
  REQUIRE_FALSE(first);
  CHECK(first.error().kind == ErrorKind::retriable);
  writer.in_session().abort();
  const auto second = writer.run(task, id_only);
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::fatal);
  CHECK_THAT(second.error().message, Catch::Contains("unlogged"));
  CHECK(database.number(fmt::format("SELECT count(*) FROM {}", table)) == at);
  CHECK(database.number("SELECT until_offset FROM semel_progress") == at);
}

TEST_CASE("a ledger that a crash would empty is refused") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  database.sql(postgres::ledger_ddl(database.options()));
  database.sql("ALTER TABLE semel_progress SET UNLOGGED");
  const auto sink =
      must(postgres::make_sink(database.options(), {"pipe", "out", "a-0000-4000", "a"}));
  const auto taken = sink->take_over("cluster");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::fatal);
  CHECK_THAT(taken.error().message, Catch::Contains("public.semel_progress") &&
                                        Catch::Contains("SET LOGGED") &&
                                        Catch::Contains("at_least_once"));
  std::string found;
  for (const auto& finding : postgres::check(database.options())) {
    if (!finding.ok) found += finding.remedy;
  }
  CHECK_THAT(found, Catch::Contains(taken.error().message));
  auto options = database.options();
  options.delivery = postgres::Delivery::at_least_once;
  must(must(postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"}))
           ->take_over("cluster"));
}
