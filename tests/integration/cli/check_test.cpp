// semel check.
#include <fmt/format.h>
#include <cstring>
#include <filesystem>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;

TEST_CASE("check finds a good pipeline in order and changes nothing") {
  if (!kafka_available()) return;
  Setup setup(3);
  setup.produce(7);
  const auto result = setup.run("check");
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK_FALSE(has(result.out, "✗"));
  CHECK(has(result.out, fmt::format("✓ topic {}: 3 partitions", setup.topic())));
  CHECK(has(result.out, "7 records from there to the ends"));
  CHECK(has(result.out, "✓ state directory"));
  CHECK(result.err.empty());
  CHECK_FALSE(std::filesystem::exists(setup.state_dir()));
  CHECK(setup.value("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'semel%'") == "0");
}

TEST_CASE("check goes through all areas and exits with the code of the first that fails") {
  if (!kafka_available()) return;
  Setup setup;
  write_file(setup.path("a-file"), "");
  const std::string state = "state_dir=" + setup.path("a-file");
  const std::string table = "sink.postgres.table=nowhere";

  const auto all = setup.run("check", {"--set", nobody(), "--set", table, "--set", state});
  INFO(all.out << all.err);
  CHECK(all.code == 3);
  CHECK(has(all.out, "✗ Kafka at"));
  CHECK(has(all.out, "✗ table \"nowhere\""));
  CHECK(has(all.out, "✗ state directory"));
  CHECK(setup.run("check", {"--set", table, "--set", state}).code == 4);
  CHECK(setup.run("check", {"--set", state}).code == 8);
}

TEST_CASE("check reads a record of each topic: seeing a topic is not the right to read it") {
  if (!kafka_available()) return;
  Setup setup;
  SECTION("with records") {
    setup.produce(3);
  }
  SECTION("empty") {}
  CHECK(setup.run("check").code == 0);
  KafkaServer::shared().deny_reading(setup.topic());
  // The broker tells its handlers of the new right a moment later.
  const auto refused = [&] {
    const auto result = setup.run("check");
    return result.code == 3 && has(result.out, "✗") && has(result.out, setup.topic());
  };
  CHECK(eventually(refused));
}

TEST_CASE("check refuses another cluster behind the address, as run does") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(1);
  drain(setup);
  setup.sql("UPDATE semel_owners SET cluster_id = 'of-yesterday'");
  const auto check = setup.run("check");
  const auto run = setup.run("run", {"--once"});
  CHECK(has(check.out, "belongs to Kafka cluster of-yesterday"));
  CHECK(has(run.err, "belongs to Kafka cluster of-yesterday"));
  CHECK(check.code == run.code);
  // Whoever is at work in the right cluster is not disturbed.
  CHECK(setup.value("SELECT epoch FROM semel_owners") == "1");
}

TEST_CASE("check tries the state directory, and leaves it as it was") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(1);
  const auto deep = "state_dir=" + setup.path("a/b/c");
  CHECK(setup.run("check", {"--set", deep}).code == 0);
  CHECK_FALSE(std::filesystem::exists(setup.path("a")));
  const auto name = "state_dir=" + setup.path(std::string(300, 'x'));
  const auto refused = setup.run("check", {"--set", name});
  CHECK(refused.code == 8);
  CHECK(has(refused.out, "✗ state directory"));
  CHECK(setup.run("run", {"--once", "--set", name}).code == 8);

  // A plan log that run would not read.
  drain(setup);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(setup.state_dir())) {
    if (entry.path().filename().string().starts_with("MANIFEST")) write_file(entry.path(), "?");
  }
  CHECK(setup.run("check").code == 8);
  CHECK(setup.run("run", {"--once"}).code == 8);
  // Whoever cannot go on fences nobody.
  CHECK(setup.run("run", {"--once", "--set", name}).code == 8);
  CHECK(setup.value("SELECT epoch FROM semel_owners") == "1");
}

TEST_CASE("check --sample shows the rows that the next records would become") {
  if (!kafka_available()) return;
  Setup setup(2);
  setup.produce(2, 0);
  drain(setup);
  setup.produce_value(R"({"id": 7, "name": "a\u001b[31mred"})");
  setup.produce_value(R"({"id": "x"})");
  setup.produce(1, 1);
  setup.produce_value(R"({"id": 8, "name": "a \"b\" id=9"})");
  const auto result = setup.run("check", {"--sample", "10"});
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  // What was stored is not shown again, and a terminal is not told what to do.
  CHECK(has(result.out, fmt::format("✓ {}[0] offset 2: id=7 name=a\\x1b[31mred\n", setup.topic())));
  CHECK(has(result.out, fmt::format("✗ {}[0] offset 3: ", setup.topic())));
  CHECK(has(result.out,
            fmt::format("✓ {}[0] offset 4: id=8 name=\"a \\\"b\\\" id=9\"\n", setup.topic())));
  CHECK(has(result.out, fmt::format("✓ {}[1] offset 0: id=2 name=n2\n", setup.topic())));
  CHECK(has(result.out, "column name: filled in 3 of 3 rows"));
  CHECK(has(result.out, "4 records: 3 rows, 1 refused, 0 ignored; nothing was written"));
  CHECK_FALSE(has(result.out, "offset 1:"));
  CHECK(setup.value("SELECT count(*) FROM events") == "2");
  CHECK(setup.value("SELECT count(*) FROM semel_dead_letters") == "0");
  CHECK(setup.run("check", {"--sample", "1", "--set", "sink.postgres.on_bad_record=stop"}).code ==
        0);
  CHECK(setup.run("check", {"--sample", "2", "--set", "sink.postgres.on_bad_record=stop"}).code ==
        7);
  CHECK(setup.run("check", {"--sample", "0"}).code == 2);
}

TEST_CASE("check --sample shows what is stored, and what triggers leave out") {
  if (!kafka_available()) return;
  Setup setup;
  setup.sql(
      "ALTER TABLE events ADD n numeric(6,2), ADD t timestamptz(0), ADD a int[], ADD j jsonb;"
      "CREATE FUNCTION even() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN IF NEW.id % 2 = 0 THEN RETURN NULL; END IF; RETURN NEW; END';"
      "CREATE TRIGGER even BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION even()");
  setup.produce_value(
      R"({"id": 1, "name": "it's \\ a\ttab", "n": 12.345, "t": "2026-01-31T10:20:30.6Z",
                          "a": ["1", 2], "j": {"b":1,   "a":"\u0001"}})");
  setup.produce_value(R"({"id": 2})");
  setup.produce_value(R"({"id": 3, "n": 1e3})");
  const auto result = setup.run("check", {"--sample", "10"});
  INFO(result.out << result.err);
  CHECK(has(result.out,
            "3 records: 2 rows, 0 refused, 0 ignored, 1 suppressed by triggers; nothing"));
  CHECK(has(result.out, "offset 1: suppressed, a trigger returned NULL\n"));
  drain(setup);
  // As PostgreSQL itself spells what it has stored.
  const auto stored = setup.value(
      "SET timezone = 'UTC'; SELECT format('n=%s t=%s a=%s', n, '\"' || t || '\"', a) FROM events "
      "WHERE id = 1");
  CHECK(has(result.out, " n=12.35 "));
  CHECK(has(result.out, stored));
  CHECK(has(result.out, " n=1000.00 "));
}

TEST_CASE("check shows the configuration in effect without passwords") {
  if (!kafka_available()) return;
  Setup setup;
  const auto result =
      setup.run("check", {"--show-config", "--set",
                          "sink.postgres.dsn=host=127.0.0.1 port=1 password=hunter2", "--set",
                          "source.kafka.librdkafka.sasl.password=hunter2"});
  CHECK(result.code == 4);
  CHECK(has(result.out, "dsn = \"host=127.0.0.1 port=1 password=***\""));
  CHECK(has(result.out, "\"sasl.password\" = \"***\""));
  CHECK(has(result.out, "interval = "));
  CHECK(has(result.out, "state_dir = \"" + setup.state_dir()));
  CHECK(has(result.out, "group_id = \"" + setup.topic() + "\""));
  CHECK_FALSE(has(result.out + result.err, "hunter2"));
}

TEST_CASE("check refuses another table as run does, unless that is accepted") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(2);
  drain(setup);
  setup.sql("CREATE TABLE other (id bigint, name text)");
  const std::string other = "sink.postgres.table=other";
  const auto refused = setup.run("check", {"--set", other});
  CHECK(refused.code == 2);
  CHECK(has(refused.out, "--accept-changed-table"));
  CHECK(setup.run("check", {"--accept-changed-table", "--set", other}).code == 0);
  CHECK(setup.run("run", {"--once", "--set", other}).code == 2);
  setup.produce(3);
  CHECK(setup.run("run", {"--once", "--accept-changed-table", "--set", other}).code == 0);
  CHECK(setup.value("SELECT count(*) FROM other") == "3");
}
