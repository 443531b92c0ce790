// Values of other formats than JSON, on their way into a table.
#include "formats/formats.hpp"

#include "integration/postgres/rig.hpp"
#include "support/far_format.hpp"

using namespace semel;
using namespace semel::test;

TEST_CASE("records that cannot be read now are an outage: no dead letter, and stored later") {
  Database database;
  database.sql("CREATE TABLE t (body text)");
  std::atomic<bool> away = true;
  auto options = database.options();
  options.format = std::make_shared<FarFormat>(away);
  options.policy.on_bad_record = record::OnBadRecord::dead_letter;
  Writer writer(options, "a");
  writer.start();
  auto task = writer.task(0, 3);
  SECTION("streaming") {}
  SECTION("isolating") {
    task.isolate = true;
  }
  SECTION("as a last resort") {
    task.isolate = task.last_resort = true;
  }
  const auto values = [](Offset offset) { return "v" + std::to_string(offset); };
  const auto failed = writer.run(task, values);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind == ErrorKind::unavailable);
  CHECK(failed.error().message == "the registry does not answer");
  CHECK(database.number("SELECT count(*) FROM t") == 0);
  CHECK(database.number("SELECT count(*) FROM semel_dead_letters") == 0);
  away = false;
  CHECK(committed(writer.run(task, values)).rows == 3);
  CHECK(database.value("SELECT string_agg(body, ' ' ORDER BY body) FROM t") == "v0 v1 v2");
}

TEST_CASE("a sample of records that cannot be read now says why") {
  Database database;
  database.sql("CREATE TABLE t (body text)");
  const std::atomic<bool> away = true;
  auto options = database.options();
  options.format = std::make_shared<FarFormat>(away);
  const auto sampled = postgres::sample(options, [](const auto& take) -> Result<void> {
    const Record record{.offset = 0, .value = "v"};
    take({"clicks", 0}, {&record, 1});
    return {};
  });
  REQUIRE_FALSE(sampled);
  CHECK(sampled.error().message == "the registry does not answer");
}

TEST_CASE("raw values are stored beside what the record says of itself") {
  Database database;
  database.sql(
      "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, at bigint, body bytea, note text "
      "DEFAULT 'none')");
  auto options = database.options();
  options.format = formats::raw();
  options.columns = {{"at", "@offset"}, {"body", "$"}};
  Writer writer(options, "a");
  writer.start();
  const auto counts = writer.store(0, 3, [](Offset offset) {
    return offset == 1 ? std::string("\0\xff{", 3) : "v" + std::to_string(offset);
  });
  CHECK(counts.rows == 3);
  CHECK(counts.unknown_fields == 0);
  CHECK(database.value("SELECT string_agg(concat_ws(',', id, at, body, note), ' ' ORDER BY id) "
                       "FROM t") == "1,0,\\x7630,none 2,1,\\x00ff7b,none 3,2,\\x7632,none");
}
