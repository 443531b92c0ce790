// A ledger that has lost what it knew of a pipeline is no ledger that never knew it.
#include "core/history.hpp"
#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// Every name of the ledger, and how often the output was taken over.
std::string state_of(const Database& database) {
  return database.value(
      "SELECT coalesce(string_agg(n.nspname || '.' || c.relname, ' ' ORDER BY c.oid), '') FROM "
      "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname LIKE 'semel%' AND "
      "c.relkind = 'r'");
}

void store_three(const Database& database) {
  Writer writer(database.options(), "a");
  writer.start();
  writer.store(0, 3, id_only);
  must(writer.sink->enter(std::vector{Progress{.tp = {"clicks", 1}, .until = 7}}));
  writer.sink->leave(std::nullopt);
}

/// What a start is refused with; `check` says the same, and neither changes anything.
std::string refusal(const Database& database, const postgres::Options& options) {
  const auto before = state_of(database);
  auto sink = must(postgres::make_sink(options, {"pipe", "out", "z-0000-4000", "z"}));
  const auto taken = sink->take_over("cluster");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::fatal);
  CHECK(taken.error().cause == Cause::sink);
  std::string found;
  for (const auto& finding : postgres::check(options, {"pipe", "out", "", ""})) {
    if (!finding.ok) found += finding.remedy;
  }
  CHECK_THAT(found, Catch::Contains(taken.error().message));
  CHECK(state_of(database) == before);
  return taken.error().message;
}

bool is_proven(Ledger& ledger) {
  core::HistoryCheck check;
  const auto progress = must(ledger.history([&](auto moves) {
    for (const auto& move : moves) check.add(move);
  }));
  return core::proven(check.finish(progress));
}

}  // namespace

TEST_CASE("a ledger that has lost a table or a position is refused, and nothing begins anew") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  store_three(database);
  auto options = database.options();
  struct Loss {
    const char* what;
    const char* told;
    bool has_positions;  ///< all the same
  };
  const auto lost = GENERATE(values<Loss>({
      {"DROP TABLE semel_progress", "semel_progress", false},
      {"TRUNCATE semel_progress", "clicks[0] ends at 3, and its position is gone", false},
      // The path leads elsewhere, too.
      {"TRUNCATE semel_progress; CREATE SCHEMA other",
       "clicks[0] ends at 3, and its position is gone", false},
      {"DELETE FROM semel_progress WHERE \"partition\" = 0",
       "clicks[0] ends at 3, and its position is gone", false},
      {"UPDATE semel_progress SET until_offset = 1 WHERE \"partition\" = 0",
       "clicks[0] ends at 3, and its position is 1", false},
      {"TRUNCATE semel_owners", "no owner", false},
      {"DROP TABLE semel_owners", "semel_owners", false},
      {"DROP TABLE semel_commits", "semel_commits", false},
  }));
  INFO(lost.what);
  database.sql(lost.what);
  if (database.value("SELECT to_regnamespace('other') IS NOT NULL") == "t") {
    options = database.options("public.t");
    options.dsn += "?options=-csearch_path%3Dother";
  }
  const auto message = refusal(database, options);
  CHECK_THAT(message, Catch::Contains(lost.told) && Catch::Contains("semel offsets FILE set") &&
                          Catch::Contains("semel offsets FILE reset"));

  // What it says helps.
  if (message.find("semel sql") != std::string::npos) database.sql(postgres::ledger_ddl(options));
  SECTION("going on where the history ends") {
    const auto ledger = must(postgres::open_ledger(options, "pipe", "out"));
    if (!lost.has_positions) {
      must(ledger->set(std::vector{Progress{.tp = {"clicks", 0}, .until = 3},
                                   Progress{.tp = {"clicks", 1}, .until = 7}},
                       false));
    }
    CHECK(is_proven(*ledger));
    Writer next(options, "c");
    next.start();
    next.store(3, 5, id_only);
    CHECK(is_proven(*ledger));
    CHECK(database.number("SELECT count(DISTINCT id) FROM t") == 5);
    CHECK(database.number("SELECT count(*) FROM t") == 5);
  }
  SECTION("reading everything again") {
    const auto ledger = must(postgres::open_ledger(options, "pipe", "out"));
    must(ledger->reset(false));
    Writer next(options, "c");
    next.start();
    next.store(0, 3, id_only);
    CHECK(is_proven(*ledger));
  }
}

TEST_CASE("a table of dead letters that is gone, or has another name by now, is made") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  store_three(database);
  auto options = database.options();
  SECTION("gone") {
    database.sql("DROP TABLE semel_dead_letters");
  }
  SECTION("renamed in the configuration") {
    options.dead_letters_table = "refused_rows";
  }
  Writer writer(options, "b");
  writer.start();
  writer.store(3, 5, id_only);
  CHECK(database.number("SELECT count(*) FROM t") == 5);
  CHECK(database.number("SELECT count(*) FROM " + options.dead_letters_table) == 0);
}

TEST_CASE("a ledger that lacks what it never had, or forgot on purpose, is whole") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const auto options = database.options();
  SECTION("taken over, and nothing entered") {
    must(must(postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"}))
             ->take_over("cluster"));
  }
  SECTION("another pipeline's") {
    store_three(database);
    database.sql(
        "UPDATE semel_owners SET pipeline = 'other'; UPDATE semel_commits SET pipeline = "
        "'other'; DROP TABLE semel_progress");
  }
  SECTION("reset, twice") {
    store_three(database);
    const auto ledger = must(postgres::open_ledger(options, "pipe", "out"));
    must(ledger->reset(false));
    must(ledger->reset(false));
    CHECK(is_proven(*ledger));
  }
  SECTION("a history that somebody has emptied") {
    store_three(database);
    database.sql("TRUNCATE semel_commits");
  }
  for (const auto& finding : postgres::check(options, {"pipe", "out", "", ""})) {
    INFO(finding.what << " " << finding.remedy);
    CHECK(finding.ok);
  }
  Writer next(options, "c");
  next.start();
  next.store(database.number("SELECT until_offset FROM semel_progress WHERE pipeline = 'pipe' AND "
                             "\"partition\" = 0"),
             10, id_only);
}
