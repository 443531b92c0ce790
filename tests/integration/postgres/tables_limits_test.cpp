// Several tables where somebody else decides: what records say, names, roles, rights, and one table
// under two names.
#include <fmt/format.h>

#include "integration/postgres/upserts.hpp"
#include "postgres/letters/letters.hpp"

using namespace semel;
using namespace semel::test;

namespace {

History log_of(const std::vector<std::string>& all) {
  History history;
  for (const auto& value : all) history.push_back({std::nullopt, value});
  return history;
}

postgres::Options by_type(const Database& database, const std::string& table = "{0}") {
  auto options = database.options(table);
  options.route.from = "$.type";
  return options;
}

postgres::Options listed(const std::string& table, const std::string& path = "") {
  postgres::Options one;
  one.table = table;
  one.path = path;
  return one;
}

Redriven redriven(const Writer& writer) {
  auto box = must(postgres::open_dead_letters(writer.options, writer.owner));
  // Of these, some upsert without a version.
  return must(box->redrive({}, {.overwrite = true}));
}

}  // namespace

TEST_CASE("what a record says is no way into a ledger, neither at once nor by a redrive") {
  Database database;
  database.sql("CREATE TABLE orders (id bigint); CREATE SCHEMA other");
  // Another pipeline's ledger, in the schema that names are looked for in.
  const auto victim = must(postgres::make_sink(
      database.options("orders"), {"victim", "out", "b-0000-4000-8000-000000000000", "b"}));
  must(victim->take_over("cluster"));
  auto options = by_type(database);
  options.ledger_schema = "other";
  Writer writer(options, "a");
  writer.start();
  const auto counts = put_range(
      writer,
      log_of({R"({"type": "orders", "id": 1})",
              R"({"type": "semel_progress", "pipeline": "x", "output": "y", "topic": "t"})",
              R"({"type": "semel_dead_letters", "pipeline": "x", "output": "y", "topic": "t"})"}));
  CHECK(counts.rows == 1);
  CHECK(counts.dead_letters == 2);
  CHECK(redriven(writer).bad == 2);
  CHECK(database.number("SELECT count(*) FROM public.semel_dead_letters") == 0);
  CHECK(database.number("SELECT count(*) FROM public.semel_progress WHERE pipeline = 'x'") == 0);
}

TEST_CASE("one table under two names is one table, and of a key the last record is the row") {
  Database database;
  database.sql("CREATE TABLE orders (id bigint PRIMARY KEY, n int)");
  auto options = by_type(database);
  options.route.to = {{"old", "orders"}, {"older", "public.orders"}};
  options.write = postgres::Write::upsert;
  Writer writer(options, "a");
  writer.start();
  put_range(
      writer,
      log_of({R"({"type": "orders", "id": 1, "n": 0})", R"({"type": "old", "id": 1, "n": 1})",
              R"({"type": "orders", "id": 2, "n": 5})", R"({"type": "older", "id": 2, "n": 6})",
              R"({"type": "old", "id": 1, "n": 2})"}));
  CHECK(database.value("SELECT string_agg(id || '=' || n, ' ' ORDER BY id) FROM orders") ==
        "1=2 2=6");
}

TEST_CASE("two of the tables that are one are refused where one goes by its key") {
  Database database;
  database.sql("CREATE TABLE t (id bigint PRIMARY KEY, v int)");
  auto options = database.options("");
  options.tables = {listed("t"), listed("public.t", "$.items")};
  options.tables[1].write = postgres::Write::upsert;
  CHECK(refusal_of(options).find("is written by two of") != std::string::npos);
  options.tables[1].write = postgres::Write::append;
  Writer writer(options, "a");
  writer.start();
  put_range(writer, log_of({R"({"id": 1, "v": 1, "items": [{"id": 2}, {"id": 3}]})"}));
  CHECK(database.number("SELECT count(*) FROM t") == 3);
}

TEST_CASE("a table that changed under many bad records is read again before they are judged") {
  const bool several = GENERATE(false, true);
  Database database;
  database.sql("CREATE TABLE t (id bigint, v int); CREATE TABLE u (id bigint)");
  auto options = database.options(several ? "" : "t");
  if (several) options.tables = {listed("t"), listed("u")};
  options.policy.bad_share_min_records = 5;
  Writer writer(options, "a");
  writer.start();
  History log;
  for (int i = 0; i < 40; ++i) {
    log.push_back(
        {std::nullopt, fmt::format(R"({{"id": {}, "v": {}}})", i, i < 20 ? "1" : "\"text\"")});
  }
  CHECK(put_range(writer, log, 0, 20).rows == 20);
  database.sql("ALTER TABLE t ALTER v TYPE text");
  CHECK(put_range(writer, log, 20, 40).rows == 20);
  CHECK(database.number("SELECT count(*) FROM t WHERE v = 'text'") == 20);
}

TEST_CASE("a record that names what takes no rows is set aside, and stops nobody") {
  Database database(Database::Kind::own);
  const auto role = "writer_of_tables";
  database.sql(fmt::format(
      "DROP ROLE IF EXISTS {0}; CREATE ROLE {0} LOGIN; GRANT ALL ON SCHEMA public TO {0};"
      "CREATE TABLE good (id bigint); GRANT ALL ON good TO {0}; CREATE TABLE secret (id bigint);"
      "CREATE VIEW two AS SELECT a.id FROM good a, good b; GRANT ALL ON two TO {0};"
      "CREATE TABLE guarded (id bigint); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; GRANT ALL "
      "ON guarded TO {0}",
      role));
  auto options = by_type(database);
  options.dsn =
      fmt::format("postgresql://{}@127.0.0.1:{}/{}", role, PostgresServer::shared().port(),
                  database.value("SELECT current_database()"));
  Writer writer(options, "a");
  writer.start();
  const auto log = log_of({R"({"type": "good", "id": 1})", R"({"type": "secret", "id": 2})",
                           R"({"type": "two", "id": 3})", R"({"type": "guarded", "id": 4})",
                           R"({"type": "pg_class", "id": 5})", R"({"type": {"a": 1}, "id": 6})",
                           R"({"type": "good", "id": 7})"});
  const auto counts = put_range(writer, log);
  CHECK(counts.rows == 2);
  CHECK(counts.dead_letters == 5);
  // Those that stay keep nobody else from coming back.
  database.sql(fmt::format("GRANT ALL ON secret TO {}", role));
  const auto again = redriven(writer);
  CHECK(again.rows == 1);
  CHECK(again.bad == 4);
  database.sql(fmt::format("DROP OWNED BY {0}; DROP ROLE {0}", role));
}

TEST_CASE("a role with one connection finds tables that records name") {
  Database database(Database::Kind::own);
  database.sql(
      "DROP ROLE IF EXISTS only_one; CREATE ROLE only_one LOGIN CONNECTION LIMIT 1; GRANT ALL ON "
      "SCHEMA public TO only_one; CREATE TABLE ev_a (id bigint); CREATE TABLE ev_b (id bigint); "
      "GRANT ALL ON ev_a, ev_b TO only_one");
  auto options = by_type(database, "ev_{0}");
  options.dsn =
      fmt::format("postgresql://only_one@127.0.0.1:{}/{}", PostgresServer::shared().port(),
                  database.value("SELECT current_database()"));
  Writer writer(options, "a");
  writer.start();
  const auto counts =
      put_range(writer, log_of({R"({"type": "a", "id": 1})", R"({"type": "b", "id": 2})"}));
  CHECK(counts.rows == 2);
  writer.session.reset();
  writer.sink.reset();
  database.sql("DROP OWNED BY only_one; DROP ROLE only_one");
}

TEST_CASE("members that only others ask for are known: of elements, of deletes, of redrives") {
  Database database;
  database.sql(
      "CREATE TABLE p (id bigint PRIMARY KEY); CREATE TABLE a (pid bigint, sku text); CREATE TABLE "
      "b "
      "(pid bigint, price int CHECK (price < 5))");
  auto options = database.options("");
  options.tables = {listed("p"), listed("a", "$.items"), listed("b", "$.items")};
  options.tables[0].write = postgres::Write::upsert;
  options.tables[0].policy.removes_from = "$.op";
  options.tables[0].policy.removes_if = {"d"};
  for (const auto i : {1U, 2U}) options.tables[i].columns = {{"pid", "@value.id"}};
  options.policy.unknown_fields = record::UnknownFields::dead_letter;
  Writer writer(options, "a");
  writer.start();
  const auto counts =
      put_range(writer, log_of({R"({"id": 1, "op": "c", "items": [{"sku": "x", "price": 3}]})",
                                R"({"id": 2, "op": "c", "items": [{"sku": "y", "price": 9}]})"}));
  CHECK(counts.rows == 1);
  CHECK(counts.dead_letters == 1);
  database.sql("ALTER TABLE b DROP CONSTRAINT b_price_check");
  CHECK(redriven(writer).rows == 1);
  CHECK(database.number("SELECT count(*) FROM a NATURAL JOIN b") == 2);
}

TEST_CASE("a bad record takes no other with it that refers to a later one") {
  Database database;
  database.sql(
      "CREATE TABLE p (id bigint PRIMARY KEY); CREATE TABLE c (id bigint, pid bigint REFERENCES "
      "p)");
  auto options = database.options("");
  options.tables = {listed(""), listed("")};
  options.tables[0].route = {.from = "$.t", .to = {{"p", "p"}}, .pattern = ""};
  options.tables[1].route = {.from = "$.t", .to = {{"c", "c"}}, .pattern = ""};
  Writer writer(options, "a");
  writer.start();
  const auto counts = put_range(
      writer, log_of({R"({"t": "p", "id": 1})", R"({"t": "c", "id": 10, "pid": 1})",
                      R"({"t": "c", "id": 11, "pid": 2})", R"({"t": "p", "id": 2})",
                      R"({"t": "c", "id": 12, "pid": 99})", R"({"t": "c", "id": 13, "pid": 1})"}));
  CHECK(counts.dead_letters == 1);
  CHECK(database.value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM c") == "10 11 13");
}

TEST_CASE("a brace that is written twice is one, whoever asks for the table") {
  Database database;
  database.sql("CREATE TABLE \"a{b\" (id bigint); CREATE TABLE r (id bigint)");
  auto options = database.options("a{{b");
  if (GENERATE(false, true)) {
    options.route.from = "$.type";
    options.route.to = {{"r", "r"}};
  }
  Writer writer(options, "a");
  writer.start();
  CHECK(put_range(writer, log_of({R"({"type": "x", "id": 1})"})).rows == 1);
  CHECK(database.number("SELECT count(*) FROM \"a{b\"") == 1);
}

TEST_CASE("a list of one table is that table, and the order of a list is no other target") {
  Database database;
  database.sql("CREATE TABLE t (id bigint); CREATE TABLE u (id bigint)");
  auto options = database.options("t");
  {
    Writer writer(options, "a");
    writer.start();
    put_range(writer, log_of({R"({"id": 1})"}));
  }
  options.table.clear();
  options.tables = {listed("t")};
  Writer(options, "b").start();
  options.tables = {listed("t"), listed("u")};
  CHECK(refusal_of(options).find("--accept-changed-table") != std::string::npos);
  options.accept_changed_table = true;
  Writer(options, "c").start();
  options.accept_changed_table = false;
  options.tables = {listed("u"), listed("t")};
  Writer(options, "d").start();
}
