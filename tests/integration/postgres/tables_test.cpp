// Several tables: which ones a record's rows go to, all of them in one transaction with the ledger.
#include <fmt/format.h>

#include "integration/postgres/upserts.hpp"

using namespace semel;
using namespace semel::test;

namespace {

History values(const std::vector<std::string>& all) {
  History history;
  for (const auto& value : all) history.push_back({std::nullopt, value});
  return history;
}

postgres::Options a_table(const std::string& name) {
  postgres::Options table;
  table.table = name;
  return table;
}

/// Orders, and their items in a table that refers to them.
postgres::Options orders_and_items(const Database& database,
                                   postgres::Write write = postgres::Write::append) {
  database.sql(
      "CREATE TABLE orders (id bigint PRIMARY KEY, status text, CHECK (status <> 'never'));"
      "CREATE TABLE items (order_id bigint REFERENCES orders, line int, sku text NOT NULL, "
      "PRIMARY KEY (order_id, line), CHECK (sku <> 'bad'))");
  auto options = database.options("");
  options.tables = {a_table("orders"), a_table("items")};
  options.tables[1].path = "$.items";
  options.tables[1].columns = {{"order_id", "@value.id"}, {"line", "@index"}};
  for (auto& table : options.tables) table.write = write;
  return options;
}

std::string orders(const Database& database) {
  return database.value(
      "SELECT coalesce(string_agg(id || ' ' || status, ', ' ORDER BY id), '') FROM orders");
}

std::string items(const Database& database) {
  return database.value(
      "SELECT coalesce(string_agg(order_id || '/' || line || ' ' || sku, ', ' ORDER BY order_id, "
      "line), '') FROM items");
}

}  // namespace

TEST_CASE("a record with an array is a row and its items, in the order of the tables") {
  Database database;
  Writer writer(orders_and_items(database), "a");
  writer.start();
  const auto counts = put_range(
      writer, values({R"({"id": 1, "status": "new", "items": [{"sku": "a"}, {"sku": "b"}]})",
                      R"({"id": 2, "status": "new", "items": []})", R"({"id": 3, "status": "new"})",
                      R"({"id": 4, "status": "new", "items":
                      [{"sku": "c"}]})"}));
  // Records are counted: what stands in the history adds up to the offsets.
  CHECK(counts.rows == 4);
  CHECK(counts.suppressed == 0);
  CHECK(counts.unknown_fields == 0);
  CHECK(orders(database) == "1 new, 2 new, 3 new, 4 new");
  CHECK(items(database) == "1/0 a, 1/1 b, 4/0 c");
}

TEST_CASE("a record of which one row is refused has none, and is set aside whole") {
  Database database;
  Writer writer(orders_and_items(database), "a");
  writer.start();
  const auto log = values({R"({"id": 1, "status": "new", "items": [{"sku": "a"}]})",
                           R"({"id": 2, "status": "new", "items": [{"sku": "b"}, {"sku": "bad"}]})",
                           R"({"id": 3, "status": "never", "items": [{"sku": "c"}]})",
                           R"({"id": 4, "status": "new", "items": [{"sku": "d"}, {"other": 1}]})",
                           R"({"id": 5, "status": "new", "items": [{"sku": "e"}]})",
                           R"({"id": 1, "status": "again", "items": [{"sku": "f"}]})"});
  const auto counts = put_range(writer, log);
  CHECK(counts.rows == 2);
  CHECK(counts.dead_letters == 4);
  CHECK(orders(database) == "1 new, 5 new");
  CHECK(items(database) == "1/0 a, 5/0 e");
  CHECK(database.value("SELECT string_agg(\"offset\" || ' ' || sqlstate, ', ' ORDER BY "
                       "\"offset\") FROM semel_dead_letters") ==
        "1 23514, 2 23514, 3 42703, 5 23505");
  CHECK(database.value("SELECT reason FROM semel_dead_letters WHERE \"offset\" = 3")
            .find("element 1 of $.items") != std::string::npos);
}

TEST_CASE("items of an order that is upserted are upserted, whatever the ranges") {
  const auto pieces = GENERATE(1, 2, 3);
  Database database;
  Writer writer(orders_and_items(database, postgres::Write::upsert), "a");
  writer.start();
  const auto log = values({R"({"id": 1, "status": "new", "items": [{"sku": "a"}, {"sku": "b"}]})",
                           R"({"id": 2, "status": "new", "items": [{"sku": "c"}]})",
                           R"({"id": 1, "status": "paid", "items": [{"sku": "a2"}, {"sku": "b"}]})",
                           R"({"id": 2, "status": "sent"})",
                           R"({"id": 1, "status": "sent", "items": [{"sku": "a3"}]})",
                           R"({"id": 3, "status": "bad one", "items": [{"sku": "bad"}]})"});
  const auto size = static_cast<Offset>(log.size());
  Committed all;
  for (Offset from = 0; from < size; from += size / pieces) {
    const auto counts = put_range(writer, log, from, from + size / pieces);
    all.rows += counts.rows;
    all.suppressed += counts.suppressed;
    all.dead_letters += counts.dead_letters;
  }
  CHECK(orders(database) == "1 sent, 2 sent");
  CHECK(items(database) == "1/0 a3, 1/1 b, 2/0 c");
  CHECK(all.dead_letters == 1);
  CHECK(all.rows + all.suppressed == 5);
}

TEST_CASE("many items are stored behind their orders, range by range, and each once") {
  Database database;
  auto options = orders_and_items(database);
  options.tables[1].columns["line"] = "@index";
  Writer writer(options, "a");
  writer.start();
  History log;
  for (int i = 0; i < 3'000; ++i) {
    log.push_back(
        {std::nullopt, fmt::format(R"({{"id": {}, "status": "s{}", "items": [{{"sku": "{}"}}, )"
                                   R"({{"sku": "b"}}, {{"sku": "c"}}]}})",
                                   i, std::string(40, 'x'), std::string(60, 'y'))});
  }
  CHECK(put_range(writer, log).rows == 3'000);
  CHECK(database.number("SELECT count(*) FROM orders") == 3'000);
  CHECK(database.number("SELECT count(*) FROM items") == 9'000);
}

TEST_CASE("what a record says decides on its table, and one that names none is set aside") {
  Database database;
  database.sql(
      "CREATE TABLE events_a (id bigint, type text); CREATE TABLE \"events_B.c\" (id bigint); "
      "CREATE TABLE refunds (id bigint)");
  auto options = database.options("events_{0}");
  options.route.from = "$.type";
  options.route.to = {{"refund", "refunds"}};
  Writer writer(options, "a");
  writer.start();
  const auto counts = put_range(
      writer, values({R"({"id": 1, "type": "a"})", R"({"id": 2, "type": "B.c"})",
                      R"({"id": 3, "type": "refund"})", R"({"id": 4, "type": "nothing"})",
                      R"({"id": 5})", R"({"id": 6, "type": null})", R"({"id": 7, "type": "a"})",
                      R"({"id": 8, "type": "owners\" (x); DROP TABLE refunds; --"})",
                      R"({"id": 9, "type": ""})",
                      fmt::format(R"({{"id": 10, "type": "{}"}})", std::string(70, 'a'))}));
  CHECK(counts.rows == 4);
  CHECK(counts.dead_letters == 6);
  CHECK(counts.unknown_fields == 0);
  CHECK(database.value("SELECT string_agg(id || type, ' ' ORDER BY id) FROM events_a") == "1a 7a");
  CHECK(database.number("SELECT id FROM \"events_B.c\"") == 2);
  CHECK(database.number("SELECT id FROM refunds") == 3);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters WHERE sqlstate = '42P01'") == 6);
}

TEST_CASE("no record writes into the ledger, whatever it says") {
  Database database;
  database.sql("CREATE TABLE semel_t (id bigint)");
  auto options = database.options("semel_{0}");
  options.route.from = "$.type";
  Writer writer(options, "a");
  writer.start();
  const auto counts =
      put_range(writer, values({R"({"id": 1, "type": "t"})", R"({"id": 2, "type": "commits"})",
                                R"({"id": 2, "type": "dead_letters"})"}));
  CHECK(counts.rows == 1);
  CHECK(counts.dead_letters == 2);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 2);
}

TEST_CASE("a table that changes while others are written is read again, and no row is lost") {
  Database database;
  Writer writer(orders_and_items(database), "a");
  writer.start();
  put_range(writer, values({R"({"id": 1, "status": "new", "items": [{"sku": "a"}]})"}));
  database.sql("ALTER TABLE items ADD note text DEFAULT 'none'");
  const auto log =
      values({"", R"({"id": 2, "status": "new", "items": [{"sku": "b", "note": "n"}]})",
              R"({"id": 3, "status": "new", "items": [{"sku": "c"}]})"});
  CHECK(put_range(writer, log, 1, 3).rows == 2);
  CHECK(database.value("SELECT string_agg(sku || note, ' ' ORDER BY sku) FROM items") ==
        "anone bn cnone");
}

TEST_CASE("defaults of each table are evaluated in the transaction that uses it") {
  Database database;
  database.sql(
      "CREATE TABLE log_a (id bigint, at timestamptz DEFAULT now(), x text DEFAULT 'x' || 1, s "
      "serial); CREATE TABLE log_b (LIKE log_a INCLUDING DEFAULTS)");
  auto options = database.options("log_{0}");
  options.route.from = "$.to";
  Writer writer(options, "a");
  writer.start();
  for (const bool isolate : {false, true}) {
    const Offset from = isolate ? 4 : 0;
    put_range(writer,
              values({R"({"id": 1, "to": "a"})", R"({"id": 2, "to": "b"})",
                      R"({"id": 3, "to": "a"})", R"({"id": 4, "to": "b", "s": 100})",
                      R"({"id": 1, "to": "a"})", R"({"id": 2, "to": "b"})",
                      R"({"id": 3, "to": "a"})", R"({"id": 4, "to": "b", "s": 100})"}),
              from, from + 4, isolate);
  }
  CHECK(database.number("SELECT count(*) FROM log_a WHERE at IS NOT NULL AND x = 'x1' AND s > 0") ==
        4);
  CHECK(database.number("SELECT count(*) FROM log_b WHERE at IS NOT NULL AND x = 'x1' AND s > 0") ==
        4);
  // now() is the transaction's, for both.
  CHECK(database.number("SELECT count(DISTINCT at) FROM (SELECT at FROM log_a UNION ALL SELECT at "
                        "FROM log_b) l") == 2);
}

TEST_CASE("a member is unknown where none of several tables has a column for it") {
  Database database;
  auto options = orders_and_items(database);
  options.policy.unknown_fields = record::UnknownFields::dead_letter;
  Writer writer(options, "a");
  writer.start();
  const auto counts = put_range(
      writer, values({R"({"id": 1, "status": "new", "items": [{"sku": "a"}]})",
                      R"({"id": 2, "status": "new", "colour": 1, "items": [{"sku": "b"}]})",
                      R"({"id": 3, "status": "new", "items": [{"sku": "c", "colour": 1}]})"}));
  CHECK(counts.rows == 1);
  CHECK(counts.dead_letters == 2);
  CHECK(items(database) == "1/0 a");
}

TEST_CASE("tables that do not fit are refused when starting, each by its name") {
  Database database;
  auto options = orders_and_items(database);
  options.tables[1].table = "itemz";
  CHECK(refusal_of(options).find("\"itemz\" does not exist") != std::string::npos);
  options.tables[1].table = "items";
  options.tables[1].columns["colour"] = "$.colour";
  CHECK(refusal_of(options).find("colour") != std::string::npos);
  auto by_group = database.options("mirror_{1}");
  CHECK(refusal_of(by_group).find("topic_pattern has 0 groups") != std::string::npos);
}

TEST_CASE("deferred constraints between tables are asked for all rows of a range together") {
  Database database;
  database.sql(
      "CREATE TABLE orders (id bigint PRIMARY KEY, status text);"
      "CREATE TABLE items (order_id bigint REFERENCES orders DEFERRABLE INITIALLY DEFERRED, line "
      "int, sku text)");
  auto options = database.options("");
  // The items come first, and refer to what comes later.
  options.tables = {a_table("items"), a_table("orders")};
  options.tables[0].path = "$.items";
  options.tables[0].columns = {{"order_id", "$.of"}, {"line", "@index"}};
  Writer writer(options, "a");
  writer.start();
  const auto counts =
      put_range(writer, values({R"({"id": 1, "status": "a", "items": [{"sku": "x", "of": 3}]})",
                                R"({"id": 2, "status": "b", "items": [{"sku": "y", "of": 99}]})",
                                R"({"id": 3, "status": "c", "items": [{"sku": "z", "of": 1}]})"}));
  CHECK(counts.rows == 2);
  CHECK(counts.dead_letters == 1);
  CHECK(orders(database) == "1 a, 3 c");
  CHECK(items(database) == "1/0 z, 3/0 x");
}
