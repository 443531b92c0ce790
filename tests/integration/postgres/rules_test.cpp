// Rules of columns, from records to rows and dead letters.
#include <fmt/format.h>

#include "integration/postgres/upserts.hpp"

using namespace semel;
using namespace semel::test;

namespace {

record::ColumnRule counted_in(record::Unit unit, std::vector<std::string> from = {}) {
  record::ColumnRule rule;
  rule.unit = unit;
  rule.from = std::move(from);
  return rule;
}

std::string dead_of(const Database& database) {
  return database.value(
      "SELECT coalesce(string_agg(concat_ws(' ', \"offset\", sqlstate, reason), '; ' ORDER BY "
      "\"offset\"), '') FROM semel_dead_letters");
}

}  // namespace

TEST_CASE("a date column takes days or milliseconds, as its rule says") {
  const History log{{std::nullopt, R"({"id":1,"d":1710064800000})"},
                    {std::nullopt, R"({"id":2,"d":19792})"}};
  {
    Database database;
    database.sql("CREATE TABLE t (id int, d date)");
    auto options = database.options();
    options.columns["d"] = counted_in(record::Unit::days);
    Writer writer(options, "a");
    writer.start();
    CHECK(put_range(writer, log).dead_letters == 1);
    CHECK(rows_of_t(database, "id, d") == "(2,2024-03-10)");
    CHECK_THAT(dead_of(database), Catch::StartsWith("0 22008 column \"d\" (date): "));
  }
  Database database;
  database.sql("CREATE TABLE t (id int, d date)");
  auto options = database.options();
  options.columns["d"] = counted_in(record::Unit::milliseconds);
  Writer writer(options, "a");
  writer.start();
  CHECK(put_range(writer, log).rows == 2);
  CHECK(rows_of_t(database, "id, d") == "(1,2024-03-10) (2,1970-01-01)");
}

TEST_CASE("columns of a key have rules, and a row that goes needs no others") {
  Database database;
  database.sql("CREATE TABLE t (day date, shop text, v date, PRIMARY KEY (day, shop))");
  auto options = upserting(database);
  options.policy.tombstones = record::Tombstones::remove;
  options.policy.removes_from = "$.gone";
  options.policy.removes_if = {"true"};
  options.columns["day"] = counted_in(record::Unit::days, {"@key.day", "@headers.day"});
  options.columns["shop"].constant = record::Constant{record::Kind::string, "s7"};
  options.columns["v"].format = "%d/%m/%Y";
  Writer writer(options, "a");
  writer.start();
  const History log{{R"({"day": 19792})", R"({"v": "01/02/2024"})"},
                    {R"({"day": 19793})", R"({"v": "02/02/2024"})"},
                    {R"({"day": 19792})", R"({"v": "03/02/2024"})"},
                    {R"({"day": "no"})", R"({"v": "04/02/2024"})"},
                    {R"({"day": 19794})", R"({"v": "05/02/2024"})"},
                    {R"({"day": 19793})", std::nullopt},
                    {R"({"day": 19794})", R"({"v": "?", "gone": true})"}};
  const auto counts = put_range(writer, log);
  CHECK(counts.dead_letters == 1);
  CHECK(database.value("SELECT string_agg(t::text, ' ') FROM t") == "(2024-03-10,s7,2024-02-03)");
  CHECK(dead_of(database) ==
        "3 22P02 column \"day\" (date): \"no\" is no number (unit = \"days\")");
}

TEST_CASE("a default of a rule is stored where the table's would be, or nothing would") {
  Database database;
  database.sql(
      "CREATE TABLE t (id int, a text NOT NULL, b text DEFAULT 'table', c bigint GENERATED ALWAYS "
      "AS IDENTITY, d text DEFAULT gen_random_uuid()::text)");
  auto options = database.options();
  options.columns["a"].if_absent = record::Constant{record::Kind::string, "rule"};
  options.columns["b"].null_is_absent = true;
  options.columns["d"].if_absent = record::Constant{record::Kind::number, "4"};
  Writer writer(options, "a");
  writer.start();
  const History log{{std::nullopt, R"({"id":1})"},
                    {std::nullopt, R"({"id":2,"a":"x","b":null,"d":null})"},
                    {std::nullopt, R"({"id":3,"a":null})"}};
  CHECK(put_range(writer, log).dead_letters == 1);
  CHECK(rows_of_t(database, "id, a, b, d") == "(1,rule,table,4) (2,x,table,)");
}

TEST_CASE("what a rule can never do is refused at the start, with setting, column and type") {
  Database database;
  database.sql("CREATE TABLE t (id int, s text, d date, n int[])");
  const auto refused_with = [&](const char* column, const record::ColumnRule& rule) {
    auto options = database.options();
    options.columns[column] = rule;
    return refusal_of(options);
  };
  CHECK(refused_with("s", counted_in(record::Unit::days)) ==
        "sink.postgres.columns, column \"s\": a unit is of dates and times, and the column is of "
        "type text");
  record::ColumnRule rule;
  rule.if_absent = record::Constant{record::Kind::string, "soon"};
  CHECK_THAT(refused_with("d", rule),
             Catch::StartsWith("sink.postgres.columns, column \"d\" (date): default = \"soon\" "));
  rule = {};
  rule.constant = record::Constant{record::Kind::boolean, "true"};
  CHECK_THAT(refused_with("id", rule),
             Catch::StartsWith("sink.postgres.columns, column \"id\" (integer): value = true "));
}

TEST_CASE("a constant that only the server can read is asked for at the start") {
  Database database;
  database.sql(
      "DROP TYPE IF EXISTS mood CASCADE; DROP DOMAIN IF EXISTS short CASCADE; CREATE TYPE mood AS "
      "ENUM ('sad', 'ok'); CREATE DOMAIN short AS text CHECK (length(value) < 3);"
      "CREATE TABLE t (id int, m mood, s short, a inet, n text, r int4range)");
  const auto with = [&](const char* column, const std::string& text) {
    auto options = database.options();
    options.columns[column].from = {"$.none"};
    options.columns[column].if_absent = record::Constant{record::Kind::string, text};
    return options;
  };
  CHECK_THAT(refusal_of(with("m", "sadd")), Catch::Contains("\"m\"") && Catch::Contains("sadd"));
  CHECK_THAT(refusal_of(with("s", "long")), Catch::Contains("\"s\""));
  CHECK_THAT(refusal_of(with("a", "300.1.1.1")), Catch::Contains("\"a\""));
  CHECK_THAT(refusal_of(with("r", "[5,1)")), Catch::Contains("\"r\""));
  CHECK_THAT(refusal_of(with("n", std::string("a\0b", 3))), Catch::Contains("NUL"));
  CHECK(postgres::make_sink(with("m", "sad"), {"pipe", "out", "x", "x"}));
  CHECK(postgres::make_sink(with("s", "a"), {"pipe", "out", "x", "x"}));
  database.sql("DROP TABLE t; DROP TYPE mood; DROP DOMAIN short");
}

TEST_CASE("members in another case fill their columns where the sink is told so") {
  Database database;
  database.sql("CREATE TABLE t (id int, \"orderTotal\" numeric, order_note text)");
  auto options = database.options();
  options.policy.names = record::Names::snake_case;
  options.policy.nul = record::Nul::strip;
  Writer writer(options, "a");
  writer.start();
  const History log{{std::nullopt, R"({"ID":1,"OrderTotal":1.5,"orderNote":"a\u0000b"})"},
                    {std::nullopt, R"({"id":2,"order_total":2.5,"order_note":"c"})"}};
  CHECK(put_range(writer, log).rows == 2);
  CHECK(rows_of_t(database, "id, \"orderTotal\", order_note") == "(1,1.5,ab) (2,2.5,c)");
}

TEST_CASE("records of three shapes fill the same columns") {
  Database database;
  database.sql("CREATE TABLE t (id int, name text)");
  auto options = database.options();
  options.columns["id"].from = {"$.payload.id", "$.after.id", "$.ID"};
  options.columns["name"].from = {"$.payload.name", "$.after.name", "$.NAME"};
  Writer writer(options, "a");
  writer.start();
  const History log{
      {std::nullopt, R"({"schema":{"type":"struct","fields":[]},"payload":{"id":1,"name":"a"}})"},
      {std::nullopt, R"({"before":null,"after":{"id":2,"name":"b"},"op":"c"})"},
      {std::nullopt, R"({"ID":3,"NAME":"c"})"}};
  CHECK(put_range(writer, log).rows == 3);
  CHECK(rows_of_t(database, "id, name") == "(1,a) (2,b) (3,c)");
}

TEST_CASE("NaN and the infinities of a lenient producer are those of floats and of numeric") {
  Database database;
  database.sql("CREATE TABLE t (id int, f float8, g float4, n numeric, j jsonb)");
  auto options = database.options();
  options.policy.accepts_nan = true;
  Writer writer(options, "a");
  writer.start();
  const History log{{std::nullopt, R"({"id":1,"f":NaN,"g":-Infinity,"n":Infinity})"},
                    {std::nullopt, R"({"id":2,"f":1.5,"other":[NaN]})"},
                    {std::nullopt, R"({"id":NaN})"},
                    {std::nullopt, R"({"id":4,"j":{"a":NaN}})"}};
  CHECK(put_range(writer, log).dead_letters == 2);
  CHECK(rows_of_t(database, "id, f, g, n") == "(1,NaN,-Infinity,Infinity) (2,1.5,,)");
  CHECK_THAT(dead_of(database),
             Catch::StartsWith("2 22P02 column \"id\" (integer): ") &&
                 Catch::Contains("; 3 22P02 NaN or Infinity is inside of what is wanted as JSON"));
}
