// What `semel check` says of a database is what `semel run` meets there.
#include <fmt/format.h>
#include <algorithm>
#include <regex>

#include "integration/postgres/rig.hpp"
#include "support/process.hpp"

using namespace semel;
using namespace semel::test;

namespace {

std::string failures(const std::vector<Finding>& findings) {
  std::string text;
  for (const auto& finding : findings) {
    if (!finding.ok) text += finding.what + ": " + finding.remedy + "\n";
  }
  return text;
}

/// The error with which a pipeline would end; empty where it stores its rows.
std::string run_refusal(const postgres::Options& options) {
  auto sink = postgres::make_sink(options, {"pipe", "out", "a-0000-4000", "a"});
  if (!sink) return sink.error().message;
  auto taken = (*sink)->take_over("cluster");
  if (!taken) return taken.error().message;
  const Progress start{.tp = Writer::tp};
  if (auto entered = (*sink)->enter(std::span(&start, 1)); !entered) return entered.error().message;
  auto session = (*sink)->open_session();
  if (!session) return session.error().message;
  Task task{.time = {1'000}, .range = {Writer::tp, 0, 2}, .epoch = taken->epoch};
  if (auto begun = (*session)->begin({&task, 1}); !begun) return begun.error().message;
  // The second is a dead letter.
  const std::vector<Record> records{{.offset = 0, .value = "{\"id\": 1}"},
                                    {.offset = 1, .value = "no"}};
  if (auto written = (*session)->write(0, records); !written) return written.error().message;
  const RangeEnd end{mark_of(records.back())};
  auto result = (*session)->commit({&end, 1});
  return result ? "" : result.error().message;
}

/// A role that may log in and nothing else, and options for it.
struct Role {
  explicit Role(const Database& database) : name(unique_name("pipe")), options(database.options()) {
    database.sql(fmt::format("CREATE ROLE {} LOGIN", name));
    options.dsn += "?user=" + name;
  }
  std::string name;
  postgres::Options options;
};

/// What `semel sql` prints as comments, run for the role.
void grant_what_is_printed(const Database& database, const Role& role) {
  auto sql = postgres::ledger_ddl(role.options);
  sql = std::regex_replace(sql, std::regex("-- (GRANT|DO) "), "$1 ");
  sql = std::regex_replace(sql, std::regex("semel_role"), role.name);
  database.sql(sql);
}

/// A pipeline that check finds in order, until something is changed.
struct Pipeline {
  Pipeline() : role(database) {
    database.sql(
        "CREATE SCHEMA apart; CREATE TABLE apart.t (id bigint, note text); "
        "CREATE TABLE t (id bigint, note text)");
    role.options.table = "public.t";
    grant_what_is_printed(database, role);
    REQUIRE(failures(postgres::check(role.options)).empty());
  }
  /// By somebody who may; ROLE is the pipeline's.
  void change(const std::string& sql) const {
    database.sql(std::regex_replace(sql, std::regex("ROLE"), role.name));
  }
  /// By check, in such words, and by a run; check leaves nothing behind.
  void expect_refused(const std::string& expected) const {
    const auto numbers = database.value(
        "SELECT string_agg(sequencename || coalesce(last_value::text, '-'), ',') FROM "
        "pg_sequences");
    const auto found = failures(postgres::check(role.options));
    CHECK_THAT(found, Catch::Contains(expected));
    CHECK(database.value("SELECT string_agg(sequencename || coalesce(last_value::text, '-'), ',') "
                         "FROM pg_sequences") == numbers);
    const auto refusal = run_refusal(role.options);
    INFO(found);
    CHECK_FALSE(refusal.empty());
  }

  Database database;
  Role role;
};

}  // namespace

TEST_CASE("check finds a good database good, and changes nothing") {
  Database database;
  database.sql("CREATE TABLE t (id bigint NOT NULL, at timestamptz DEFAULT now(), i interval)");
  const auto findings = postgres::check(database.options());
  CHECK(failures(findings).empty());
  const auto mentions = [&](const std::string& text) {
    return std::ranges::any_of(findings, [&](const auto& finding) {
      return finding.what.find(text) != std::string::npos;
    });
  };
  CHECK(mentions("login as postgres"));
  CHECK(mentions("primary"));
  CHECK(mentions("\"id\" (bigint)"));
  CHECK(mentions("\"at\" (timestamp with time zone)"));
  CHECK(mentions("will be made"));
  CHECK(database.value("SELECT to_regclass('semel_owners')").empty());
}

TEST_CASE("check names what is wrong, with a remedy") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  std::string expected;
  SECTION("login") {
    options.dsn = "postgresql://postgres:hunter2@127.0.0.1:1/x";
    expected = "login";
  }
  SECTION("table") {
    options.table = "nothing";
    expected = "\"nothing\"";
  }
  SECTION("mapping") {
    options.columns = {{"nothing", "@offset"}};
    expected = "nothing";
  }
  SECTION("ledger tables") {
    options.create_ledger = false;
    expected = "semel sql";
  }
  SECTION("ledger privileges") {
    const auto role = unique_name("role");
    database.sql(postgres::ledger_ddl(options));
    database.sql(
        fmt::format("CREATE ROLE {0} LOGIN; GRANT USAGE ON SCHEMA public TO {0}; "
                    "GRANT INSERT ON t TO {0}; "
                    "GRANT SELECT ON semel_owners TO {0}",
                    role));
    options.dsn += "?user=" + role;
    expected = "UPDATE on semel_owners";
  }
  const auto text = failures(postgres::check(options));
  CHECK_THAT(text, Catch::Contains(expected));
  CHECK(text.find("hunter2") == std::string::npos);
}

TEST_CASE("whatever a pipeline would be refused, check refuses, and nothing stays of it") {
  Pipeline pipeline;
  std::string expected = "permission denied";
  SECTION("a view that takes no COPY") {
    pipeline.change(
        "ALTER TABLE t RENAME TO behind; CREATE VIEW t AS SELECT * FROM behind; "
        "GRANT INSERT ON t TO ROLE");
    expected = "INSTEAD OF INSERT trigger";
  }
  SECTION("a materialised view") {
    pipeline.change(
        "ALTER TABLE t RENAME TO behind; CREATE MATERIALIZED VIEW t AS SELECT * FROM behind");
    expected = "is a materialized view";
  }
  SECTION("a sequence behind a default") {
    pipeline.change("ALTER TABLE t ADD n bigserial");
    expected = "sequence t_n_seq";
  }
  SECTION("a function behind a default") {
    pipeline.change(
        "CREATE FUNCTION number_of_my_own() RETURNS bigint VOLATILE LANGUAGE sql AS 'SELECT 1';"
        "REVOKE EXECUTE ON FUNCTION number_of_my_own FROM PUBLIC;"
        "ALTER TABLE t ADD n bigint DEFAULT number_of_my_own()");
    expected = "function number_of_my_own";
  }
  SECTION("the schema of the table") {
    pipeline.change("GRANT INSERT ON apart.t TO ROLE");
    pipeline.role.options.table = "apart.t";
    expected = "schema apart";
  }
  SECTION("a column") {
    pipeline.change("REVOKE INSERT ON t FROM ROLE; GRANT INSERT (id) ON t TO ROLE");
  }
  SECTION("row-level security") {
    pipeline.change("ALTER TABLE t ENABLE ROW LEVEL SECURITY");
    expected = "row-level security";
  }
  SECTION("a trigger for each statement") {
    pipeline.change(
        "CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE 'closed for today' USING ERRCODE = 'XX123'; END$$; "
        "CREATE TRIGGER closed BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION closed()");
    expected = "closed for today";
  }
  pipeline.expect_refused(expected);
}

TEST_CASE("whatever a pipeline's ledger or mapping would be refused, check refuses") {
  Pipeline pipeline;
  std::string expected = "permission denied";
  SECTION("a ledger table that is not as it was made") {
    pipeline.change("ALTER TABLE semel_progress RENAME last_checksum TO checksum");
    expected = "last_checksum";
  }
  SECTION("a table for dead letters that is not as it was made") {
    pipeline.change("ALTER TABLE semel_dead_letters DROP reason");
    expected = "reason";
  }
  SECTION("making the ledger's tables") {
    pipeline.change(
        "DROP TABLE semel_owners, semel_progress, semel_commits, semel_dead_letters; "
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    expected = "cannot be made";
  }
  SECTION("a mapping that is no path") {
    pipeline.role.options.columns = {{"id", "$.a["}};
    expected = "$.a[";
  }
  pipeline.expect_refused(expected);
}

TEST_CASE("what a pipeline is not refused, check does not refuse") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  SECTION("a view with a trigger") {
    database.sql(
        "CREATE VIEW v AS SELECT * FROM t; CREATE FUNCTION into_t() RETURNS trigger LANGUAGE "
        "plpgsql "
        "AS $$BEGIN INSERT INTO t VALUES (NEW.id); RETURN NEW; END$$; CREATE TRIGGER into_t "
        "INSTEAD "
        "OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION into_t()");
    options.table = "v";
  }
  SECTION("a role that reads only unless it is told otherwise") {
    Role role(database);
    grant_what_is_printed(database, role);
    database.sql(fmt::format("ALTER ROLE {} SET default_transaction_read_only = on", role.name));
    options = role.options;
  }
  CHECK(failures(postgres::check(options)).empty());
  CHECK(run_refusal(options).empty());
}

TEST_CASE("the rights that semel sql prints are all that a pipeline needs") {
  Database database;
  database.sql(
      "CREATE SCHEMA shop; CREATE SCHEMA books; "
      "CREATE TABLE shop.t (n bigserial, id bigint, at timestamptz DEFAULT now())");
  Role role(database);
  role.options.table = "shop.t";
  role.options.ledger_schema = "books";
  CHECK_FALSE(failures(postgres::check(role.options)).empty());
  grant_what_is_printed(database, role);
  CHECK(failures(postgres::check(role.options)).empty());
  CHECK(run_refusal(role.options).empty());
  CHECK(database.number("SELECT count(*) FROM shop.t WHERE n = 1 AND id = 1") == 1);
  CHECK(database.number("SELECT count(*) FROM books.semel_dead_letters") == 1);
}

TEST_CASE("who owns the schema of the ledger needs no right to make schemas") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const Role role(database);
  database.sql(fmt::format("CREATE SCHEMA \"it's\" AUTHORIZATION {}", role.name));
  auto options = role.options;
  options.ledger_schema = "it's";
  database.sql(fmt::format("SET ROLE {};{}", role.name, postgres::ledger_ddl(options)));
  CHECK(database.number("SELECT count(*) FROM \"it's\".semel_owners") == 0);
}

TEST_CASE("a schema of the ledger that does not exist is said to be made") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  options.ledger_schema = "nosuch";
  CHECK(std::ranges::any_of(postgres::check(options), [](const Finding& finding) {
    return finding.ok && finding.what.find("nosuch, which does not exist") != std::string::npos;
  }));
  database.sql(postgres::ledger_ddl(options));
  CHECK(database.number("SELECT count(*) FROM nosuch.semel_owners") == 0);
}

TEST_CASE("a sample shows rows as they would be stored, and what is refused, and stores nothing") {
  Database database;
  database.sql(
      "CREATE TABLE t (n bigserial, id bigint CHECK (id < 100), at timestamptz DEFAULT "
      "'2024-01-01 00:00Z', j jsonb, PRIMARY KEY (id))");
  const std::vector<std::string> values{
      R"({"id": 1, "j": {"a": "b"}})",                    // a row
      R"({"id": 2, "at": "2024-05-01T12:00:00+02:00"})",  // a row
      R"({"id": "x"})",                                   // the encoder refuses it
      R"({"id": 100})",                                   // the server does: CHECK
      R"({"id": 1})",                                     // the server does: the key is there
  };
  const auto sampled = postgres::sample(database.options(), [&](const TakeRecords& take) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Record record{.offset = static_cast<Offset>(i), .value = values[i]};
      take(Writer::tp, std::span(&record, 1));
    }
    const Record tombstone{.offset = 5};
    take(Writer::tp, std::span(&tombstone, 1));
    return Result<void>{};
  });
  REQUIRE(sampled);
  REQUIRE(sampled->size() == 6);
  using Fate = SampledRecord::Fate;
  const auto& first = (*sampled)[0];
  CHECK(first.fate == Fate::row);
  CHECK(first.defaults == std::vector<std::string>{"n"});
  using Values = std::vector<std::pair<std::string, std::optional<std::string>>>;
  CHECK(first.values ==
        Values{{"id", "1"}, {"at", "2024-01-01 00:00:00+00"}, {"j", R"({"a": "b"})"}});
  CHECK((*sampled)[1].values[1].second.value_or("").starts_with("2024-05-01 10:00:00"));
  CHECK_FALSE((*sampled)[1].values[2].second);
  CHECK((*sampled)[2].fate == Fate::refused);
  CHECK_THAT((*sampled)[2].reason, Catch::Contains("\"id\""));
  CHECK((*sampled)[3].fate == Fate::refused);
  CHECK_THAT((*sampled)[3].reason, Catch::Contains("t_id_check"));
  CHECK((*sampled)[4].fate == Fate::refused);
  CHECK_THAT((*sampled)[4].reason, Catch::Contains("t_pkey"));
  CHECK((*sampled)[5].fate == Fate::ignored);
  CHECK(database.number("SELECT count(*) FROM t") == 0);
  CHECK(database.value("SELECT to_regclass('semel_owners')").empty());
}

TEST_CASE("a sample asks deferred constraints at its end, and blames only rows that fail there") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint PRIMARY KEY, parent bigint REFERENCES t DEFERRABLE "
      "INITIALLY DEFERRED)");
  const auto fates = [&](const std::vector<std::string>& values) {
    const auto sampled = must(postgres::sample(database.options(), [&](const TakeRecords& take) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        const Record record{.offset = static_cast<Offset>(i), .value = values[i]};
        take(Writer::tp, std::span(&record, 1));
      }
      return Result<void>{};
    }));
    std::string text;
    for (const auto& one : sampled) {
      text += one.fate == SampledRecord::Fate::row ? "row " : "refused ";
    }
    return text;
  };
  CHECK(fates({R"({"id": 1, "parent": 2})", R"({"id": 2})"}) == "row row ");
  CHECK(fates({R"({"id": 1})", R"({"id": 2, "parent": 9})"}) == "row refused ");
  CHECK(database.number("SELECT count(*) FROM t") == 0);
}

TEST_CASE("a table that somebody has locked is told as such by check, and soon") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  const Process locked({.argv = {"psql", "-X", database.dsn, "-c",
                                 "BEGIN; LOCK t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)"}});
  REQUIRE(eventually([&] {
    return database.value(
               "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND "
               "relation = 't'::regclass") == "1";
  }));
  CHECK_THAT(failures(postgres::check(database.options())), Catch::Contains("holds a lock"));
  // Asleep, it does not notice that its client is gone.
  CHECK(eventually([&] {
    return database.value(
               "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
               "application_name = 'psql' AND datname = current_database()") == "0";
  }));
}
