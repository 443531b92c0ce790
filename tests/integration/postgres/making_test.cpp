// Tables that semel makes and widens, of what records have.
#include <fmt/format.h>
#include <thread>

#include "integration/postgres/upserts.hpp"

using namespace semel;
using namespace semel::test;

namespace {

History made_values(const std::vector<std::string>& all) {
  History history;
  for (const auto& value : all) history.push_back({std::nullopt, value});
  return history;
}

postgres::Options creating(const Database& database, const std::string& table = "t") {
  auto options = database.options(table);
  options.create = true;
  options.evolve = postgres::Evolve::add;
  return options;
}

std::string columns_of(const Database& database, const std::string& table = "t") {
  return database.value(fmt::format(
      "SELECT coalesce(string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN "
      "attnotnull THEN ' not null' ELSE '' END, ', ' ORDER BY attnum), '') FROM pg_attribute WHERE "
      "attrelid = to_regclass('{}') AND attnum > 0 AND NOT attisdropped",
      table));
}

std::string rows_as_json(const Database& database, const std::string& table = "t") {
  return database.value(
      fmt::format("SELECT coalesce(string_agg(to_jsonb(t)::text, ' ' ORDER BY to_jsonb(t)::text), "
                  "'') FROM {} t",
                  table));
}

}  // namespace

TEST_CASE("a missing table is made of the first records, and their rows are in it") {
  Database database;
  Writer writer(creating(database), "a");
  writer.start();
  const auto counts = put_range(
      writer, made_values({R"({"id": 1, "name": "a", "ok": true, "more": {"x": [1]}})",
                           R"({"id": 9007199254740993.5, "name": 2, "extra": null})", "{broken"}));
  CHECK(columns_of(database) == "id numeric, name text, ok boolean, more jsonb");
  CHECK(counts.rows == 2);
  CHECK(counts.dead_letters == 1);
  CHECK(rows_as_json(database) ==
        R"({"id": 1, "ok": true, "more": {"x": [1]}, "name": "a"} )"
        R"({"id": 9007199254740993.5, "ok": null, "more": null, "name": "2"})");
}

TEST_CASE("members that come later get a column, and no record is without them") {
  const bool isolate = GENERATE(false, true);
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY)");
  Writer writer(creating(database), "a");
  writer.start();
  const auto log = made_values({R"({"id": 1})", R"({"id": 2, "later": "x"})", R"({"id": 2})",
                                R"({"id": 3, "later": null, "other": [1]})", R"({"id": 4})"});
  auto counts = put_range(writer, log, 0, 1);
  CHECK(counts.unknown_fields == 0);
  counts = put_range(writer, log, 1, 4, isolate);
  CHECK(counts.rows == 2);
  CHECK(counts.dead_letters == 1);
  CHECK(counts.unknown_fields == 0);
  put_range(writer, log, 4, 5);
  CHECK(columns_of(database) == "id bigint not null, later text, other jsonb");
  CHECK(database.value("SELECT string_agg(id || coalesce(later, '-') || coalesce(other::text, "
                       "'-'), ' ' ORDER BY id) FROM t") == "1-- 2x- 3-[1] 4--");
}

TEST_CASE("a table for upserts is made with its key, its mark of removal and columns of rules") {
  Database database;
  auto options = creating(database);
  options.write = postgres::Write::upsert;
  options.key = {"id"};
  options.columns = {{"id", "@key.id"}, {"at", "$.at"}, {"place", "@offset"}};
  options.columns["at"].unit = record::Unit::milliseconds;
  options.policy.tombstones = record::Tombstones::remove;
  options.marks_removed = "gone";
  options.types = {{"id", "bigint"}};
  Writer writer(options, "a");
  writer.start();
  History log{{R"({"id": 1})", std::nullopt},
              {R"({"id": 1})", R"({"at": 1000, "v": "a"})"},
              {R"({"id": 2})", R"({"at": 2000, "v": "b"})"},
              {R"({"id": 1})", std::nullopt}};
  put_range(writer, log);
  CHECK(columns_of(database) ==
        "at timestamp with time zone, id bigint not null, place bigint, v text, gone timestamp "
        "with time zone");
  CHECK(database.value("SELECT string_agg(id || v || extract(epoch FROM at)::int || (gone IS NOT "
                       "NULL), ' ' ORDER BY id) FROM t") == "1a1true 2b2false");
}

TEST_CASE("a range without any row makes no table, and the next one does") {
  Database database;
  Writer writer(creating(database), "a");
  writer.start();
  const auto log = made_values({"{broken", "[]", R"({"id": 1})"});
  auto counts = put_range(writer, log, 0, 2);
  CHECK(counts.dead_letters == 2);
  CHECK(columns_of(database).empty());
  counts = put_range(writer, log, 2, 3);
  CHECK(counts.rows == 1);
  CHECK(columns_of(database) == "id numeric");
}

TEST_CASE("several tables are made of one record, each of its own members") {
  Database database;
  auto options = creating(database, "");
  options.tables.resize(2);
  options.tables[0].table = "orders";
  options.tables[1].table = "items";
  options.tables[1].path = "$.items";
  options.tables[1].columns = {{"order_id", "@value.id"}, {"line", "@index"}};
  Writer writer(options, "a");
  writer.start();
  const auto log = made_values(
      {R"({"id": 1, "status": "new", "items": [{"sku": "a"}, {"sku": "b"}]})",
       R"({"id": 2, "status": "new", "note": "x", "items": [{"sku": "c", "gift": true}]})"});
  put_range(writer, log, 0, 1);
  CHECK(columns_of(database, "orders") == "id numeric, status text");
  CHECK(columns_of(database, "items") == "line integer, order_id numeric, sku text");
  const auto counts = put_range(writer, log, 1, 2);
  CHECK(counts.unknown_fields == 0);
  CHECK(columns_of(database, "orders") == "id numeric, status text, note text");
  CHECK(columns_of(database, "items") == "line integer, order_id numeric, sku text, gift boolean");
  CHECK(rows_as_json(database, "items") ==
        R"({"sku": "a", "gift": null, "line": 0, "order_id": 1} )"
        R"({"sku": "b", "gift": null, "line": 1, "order_id": 1} )"
        R"({"sku": "c", "gift": true, "line": 0, "order_id": 2})");
}

TEST_CASE("a table for each topic is made, and none that a record names") {
  Database database;
  auto options = creating(database, "from_{0}");
  Writer writer(options, "a");
  writer.start();
  put_range(writer, made_values({R"({"id": 1})"}));
  const auto table = "from_" + Writer::tp.topic;
  CHECK(columns_of(database, "\"" + table + "\"") == "id numeric");

  Database other;
  auto by_record = creating(other, "kind_{0}");
  by_record.route.from = "$.kind";
  Writer second(by_record, "b");
  second.start();
  const auto counts = put_range(second, made_values({R"({"id": 1, "kind": "x"})"}));
  CHECK(counts.dead_letters == 1);
  CHECK(columns_of(other, "kind_x").empty());
}

TEST_CASE("several that make the same table at once make it once, and lose nothing") {
  Database database(Database::Kind::own);
  constexpr int writers = 4;
  std::vector<std::thread> threads;
  std::vector<std::string> problems(writers);
  for (int i = 0; i < writers; ++i) {
    threads.emplace_back([&, i] {
      auto options = creating(database);
      auto owner = Owner{
          .pipeline = fmt::format("pipe{}", i), .output = "out", .id = "x", .description = "x"};
      auto sink = postgres::make_sink(options, owner);
      if (!sink) {
        problems[static_cast<std::size_t>(i)] = sink.error().message;
        return;
      }
      auto taken = (*sink)->take_over("cluster");
      const std::vector<Progress> starts{{.tp = Writer::tp, .until = 0}};
      auto entered = (*sink)->enter(starts);
      auto session = (*sink)->open_session();
      if (!taken || !entered || !session) {
        problems[static_cast<std::size_t>(i)] = "it does not start";
        return;
      }
      Task task{.time = {1'000},
                .range = {Writer::tp, 0, 1},
                .epoch = taken->epoch,
                .moved_by = BatchTime{0}};
      const auto value = fmt::format(R"({{"id": {}, "m{}": "x"}})", i, i);
      std::string last;
      for (int attempt = 0; attempt < 20; ++attempt) {
        auto begun = (*session)->begin({&task, 1});
        if (!begun) {
          last = begun.error().message;
          continue;
        }
        const Record record{.offset = 0, .timestamp_ms = 1, .value = value};
        auto written = (*session)->write(0, {&record, 1});
        const RangeEnd end{.last = RecordMark{0, 1, 0}};
        auto done = written ? (*session)->commit({&end, 1})
                            : Result<CommitResult>(tl::unexpected(written.error()));
        if (done) return;
        last = done.error().message;
        (*session)->abort();
      }
      problems[static_cast<std::size_t>(i)] = last;
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& problem : problems) CHECK(problem.empty());
  CHECK(database.number("SELECT count(*) FROM t") == writers);
  CHECK(database.value("SELECT concat(count(m0), count(m1), count(m2), count(m3)) FROM t") ==
        "1111");
}

TEST_CASE(
    "what keeps a table from being made is said, and a role without rights is told by check") {
  Database database;
  auto options = creating(database);
  options.write = postgres::Write::upsert;
  Writer writer(options, "a");
  writer.start();
  const auto task = writer.task(0, 1);
  const auto refused = writer.run(task, [](Offset) { return std::string(R"({"v": 1})"); });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::fatal);
  CHECK_THAT(refused.error().message, Catch::Contains("sink.postgres.key"));

  auto once = creating(database);
  once.delivery = Delivery::at_most_once;
  CHECK_THAT(refusal_of(once), Catch::Contains("at_most_once"));

  const auto findings = postgres::check(creating(database, "nowhere.t"));
  const auto found = std::ranges::find_if(findings, [](const auto& one) { return !one.ok; });
  REQUIRE(found != findings.end());
  CHECK_THAT(found->remedy, Catch::Contains("CREATE SCHEMA"));
}

TEST_CASE("the statements for a sample are those that are run, and nothing is made by looking") {
  Database database;
  const auto options = creating(database);
  const std::string value = R"({"id": 1, "name": "a"})";
  const RecordFeed feed = [&](const TakeRecords& take) -> Result<void> {
    const Record record{.offset = 0, .timestamp_ms = 1, .value = value};
    take(Writer::tp, {&record, 1});
    return {};
  };
  const auto sql = must(postgres::table_sql(options, feed));
  CHECK(sql == "CREATE TABLE IF NOT EXISTS \"t\" (\n  \"id\" numeric,\n  \"name\" text\n);\n");
  CHECK(columns_of(database).empty());
  const auto sampled = must(postgres::sample(options, feed));
  REQUIRE(sampled.size() == 1);
  CHECK(sampled[0].fate == SampledRecord::Fate::unmade);
  database.sql(sql);
  CHECK(must(postgres::table_sql(options, feed)).empty());
  CHECK(must(postgres::sample(options, feed)).at(0).values.size() == 2);
}

TEST_CASE("a column that a rule maps and the table lacks is added, a computed one stays an error") {
  Database database;
  database.sql("CREATE TABLE t (id bigint, twice bigint GENERATED ALWAYS AS (id * 2) STORED)");
  auto options = creating(database);
  options.columns = {{"id", "$.id"}, {"city", "$.address.city"}};
  Writer writer(options, "a");
  writer.start();
  const auto counts =
      put_range(writer, made_values({R"({"id": 1, "address": {"city": "Bern"}, "twice": 3})"}));
  CHECK(counts.rows == 1);
  CHECK(columns_of(database) == "id bigint, twice bigint, city text");
  CHECK(database.value("SELECT city || twice FROM t") == "Bern2");
  // The member that the table computes is asked for once, and is no reason to read ranges twice.
  CHECK(counts.unknown_fields == 1);
  options.columns["twice"] = "$.twice";
  CHECK_THAT(refusal_of(options), Catch::Contains("twice"));
}

TEST_CASE("a member that was null at first gets its column, and so does one of a table made anew") {
  Database database;
  Writer writer(creating(database), "a");
  writer.start();
  const auto log =
      made_values({R"({"id": 1})", R"({"id": 2, "a": 1, "x": null})", R"({"id": 3, "x": 5})",
                   R"({"id": 4, "a": 7})", R"({"id": 5, "a": 8})"});
  for (Offset at = 0; at < 3; ++at) put_range(writer, log, at, at + 1);
  CHECK(columns_of(database) == "id numeric, a numeric, x numeric");
  CHECK(database.value("SELECT x FROM t WHERE id = 3") == "5");
  database.sql("DROP TABLE t");
  put_range(writer, made_values({"", "", "", R"({"id": 4})", R"({"id": 5, "a": 8})"}), 3, 4);
  put_range(writer, log, 4, 5);
  CHECK(database.value("SELECT string_agg(concat(id, a), ' ' ORDER BY id) FROM t") == "4 58");
  database.sql("ALTER TABLE t DROP COLUMN a");
  put_range(writer, made_values({"", "", "", "", "", R"({"id": 6, "a": 9})"}), 5, 6);
  CHECK(database.value("SELECT a FROM t WHERE id = 6") == "9");
}

TEST_CASE("names and numbers of columns that the server refuses are left out, and rows go on") {
  Database database(Database::Kind::own);
  database.sql(
      "CREATE DATABASE narrow ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
  auto options = creating(database);
  options.dsn = PostgresServer::shared().dsn("narrow");
  Writer writer(options, "a");
  writer.start();
  auto counts = put_range(writer, made_values({R"({"id": 1, "\u65e5\u672c": 2, "\u00e9": 3})"}));
  CHECK(counts.rows == 1);
  CHECK(PostgresServer::value(options.dsn,
                              "SELECT count(*) FROM pg_attribute WHERE attrelid = "
                              "'t'::regclass AND attnum > 0") == "2");
  writer.session.reset();
  writer.sink.reset();
  PostgresServer::execute(database.dsn, "DROP DATABASE narrow WITH (FORCE)");

  Database wide;
  Writer second(creating(wide), "b");
  second.start();
  const auto members = [](const std::string& name, int count) {
    std::string value = "{\"id\": 1";
    for (int i = 0; i < count; ++i) value += fmt::format(", \"{}{}\": 1", name, i);
    return value + "}";
  };
  const auto log = made_values({members("a", 900), members("b", 900), members("c", 1'100)});
  for (Offset i = 0; i < 3; ++i) CHECK(put_range(second, log, i, i + 1).rows == 1);
  CHECK(wide.number("SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > "
                    "0") == 1'600);
}

TEST_CASE("without evolve a table that others have made is left as it is") {
  Database database;
  auto options = creating(database);
  options.evolve = postgres::Evolve::none;
  Writer writer(options, "a");
  writer.start();
  auto task = writer.task(0, 1);
  REQUIRE(writer.begin(task));
  const Record record{.offset = 0, .timestamp_ms = 1, .value = R"({"id": 1, "mine": 2})"};
  REQUIRE(writer.in_session().write(0, {&record, 1}));
  database.sql("CREATE TABLE t (id bigint)");
  CHECK_FALSE(writer.commit());
  writer.in_session().abort();
  const auto counts = put_range(writer, made_values({R"({"id": 1, "mine": 2})"}));
  CHECK(counts.unknown_fields == 1);
  CHECK(columns_of(database) == "id bigint");
}

TEST_CASE("columns are called as the configuration spells them, whatever names folds") {
  Database database;
  auto options = creating(database);
  options.policy.names = record::Names::snake_case;
  options.write = postgres::Write::upsert;
  options.key = {"orderId"};
  options.types = {{"orderId", "bigint"}};
  options.columns["createdAt"].unit = record::Unit::milliseconds;
  Writer writer(options, "a");
  writer.start();
  const auto log = made_values({R"({"orderId": 1, "createdAt": 1000, "someThing": "x"})",
                                R"({"order_id": 1, "created_at": 2000, "some_thing": "y"})"});
  put_range(writer, log, 0, 1);
  put_range(writer, log, 1, 2);
  CHECK(columns_of(database) ==
        "createdAt timestamp with time zone, orderId bigint not null, some_thing text");
  CHECK(database.value("SELECT concat(\"orderId\", extract(epoch FROM \"createdAt\")::int, "
                       "some_thing) FROM t") == "12y");
}

TEST_CASE("records that say nothing of a table are set aside, and the table comes with the next") {
  Database database;
  auto options = creating(database);
  Writer writer(options, "a");
  writer.start();
  auto counts = put_range(
      writer, made_values({"{}", R"({"id": null})", R"({"id": 1})", R"({"id": null})"}), 0, 2);
  CHECK(counts.dead_letters == 2);
  counts = put_range(
      writer, made_values({"{}", R"({"id": null})", R"({"id": 1})", R"({"id": null})"}), 2, 4);
  CHECK(counts.rows == 2);

  Database keyed_ones;
  options = creating(keyed_ones);
  options.write = postgres::Write::upsert;
  options.key = {"id"};
  Writer second(options, "b");
  second.start();
  counts = put_range(second, made_values({R"({"v": 1})", R"({"id": 1, "v": 2})"}));
  CHECK(counts.rows == 1);
  CHECK(counts.dead_letters == 1);
  CHECK(keyed_ones.value("SELECT column_name FROM semel_dead_letters") == "id");
}
