// An output that is home of what streams remember, beside what the contract asks of each.
#include <algorithm>

#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// A batch of one record that changes one key; absent: the key goes.
void change(Writer& writer, Offset at, std::string_view key,
            std::optional<std::string_view> value) {
  const auto task = writer.task(at, at + 1);
  REQUIRE_FALSE(must(writer.begin(task)));
  must(writer.write(at, at + 1, id_only));
  const StateRow row{key, value};
  must(writer.session->change_state(
      {.version = {task.time, 7}, .rows = std::span(&row, 1), .all = false}));
  committed(writer.commit());
}

void start_at_home(Writer& writer) {
  REQUIRE(writer.sink->become_home());
  writer.start();
}

}  // namespace

TEST_CASE("an output whose ledger is of before becomes home, and gets the tables for it") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer before(database.options(), "a");
  before.start();
  before.store(0, 1, id_only);
  database.sql("DROP TABLE semel_state, semel_state_versions");
  Writer same(database.options(), "b");
  same.start();
  same.store(1, 2, id_only);
  CHECK(database.value("SELECT to_regclass('semel_state')").empty());
  Writer writer(database.options(), "c");
  start_at_home(writer);
  change(writer, 2, "k", "v");
  CHECK(database.value("SELECT convert_from(key, 'UTF8') || convert_from(value, 'UTF8') FROM "
                       "semel_state WHERE key <> ''") == "kv");
  CHECK(database.number("SELECT count(*) FROM t") == 3);
}

TEST_CASE("where a role may not make the tables of a state, that is said with what makes them") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer before(database.options(), "a");
  before.start();
  database.sql("DROP TABLE semel_state, semel_state_versions");
  auto options = database.options();
  options.create_ledger = false;
  Writer writer(options, "b");
  REQUIRE(writer.sink->become_home());
  const auto taken = writer.sink->take_over("cluster");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::fatal);
  CHECK_THAT(taken.error().message, Catch::Contains("semel_state") && Catch::Contains("semel sql"));
  database.sql(postgres::ledger_ddl(options));
  start_at_home(writer);
  change(writer, 0, "k", "v");
}

TEST_CASE("trimming removes old versions of a state, and the keys that only they knew") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  start_at_home(writer);
  change(writer, 0, "a", "1");
  change(writer, 1, "b", "1");
  change(writer, 2, "a", std::nullopt);
  change(writer, 3, "b", std::nullopt);
  change(writer, 4, "c", "1");
  database.sql(
      "UPDATE semel_state_versions SET committed_at = now() - interval '30 days' WHERE batch_time "
      "IN (SELECT batch_time FROM semel_state_versions ORDER BY 1 LIMIT 2)");
  CHECK_FALSE(must(writer.sink->trim()));
  CHECK(database.number("SELECT count(*) FROM semel_state_versions") == 3);
  // Whoever is at the oldest version that stays is told of b, and knows nothing of a.
  CHECK(database.value("SELECT string_agg(convert_from(key, 'UTF8'), ' ' ORDER BY key) FROM "
                       "semel_state WHERE key <> ''") == "b c");
}

TEST_CASE("a table of rows that was made anew has not the state that its versions tell of") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  start_at_home(writer);
  change(writer, 0, "k", "v");
  const auto nothing = [](const StateRead&, std::span<const StateRow>) { return Result<void>(); };
  const auto there = must(writer.sink->read_state({}, nothing)).version;
  CHECK(there.name == 7);
  database.sql("DROP TABLE semel_state");
  Writer next(database.options(), "b");
  start_at_home(next);
  CHECK(must(next.sink->read_state(there, nothing)).version == StateVersion());
}

TEST_CASE("large values of a state are read some at a time") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  start_at_home(writer);
  change(writer, 0, "k", "v");
  // Of a hundred thousand bytes each.
  database.sql(
      "INSERT INTO semel_state (pipeline, output, key, value, batch_time) SELECT pipeline, output, "
      "decode(lpad(n::text, 6, '0'), 'escape'), decode(repeat('x', 100000), 'escape'), batch_time "
      "FROM semel_state, generate_series(1, 400) AS n WHERE key = 'k'");
  std::size_t rows = 0;
  std::size_t most = 0;
  must(writer.sink->read_state(
      {}, [&](const StateRead&, std::span<const StateRow> some) -> Result<void> {
        std::size_t bytes = 0;
        for (const auto& row : some) bytes += row.value->size();
        rows += some.size();
        most = std::max(most, bytes);
        return {};
      }));
  CHECK(rows == 401);
  CHECK(most < 11'000'000);
}
