// semel dead-letters: what was set aside comes back once, whatever happens meanwhile.
#include <fmt/format.h>

#include <csignal>
#include <random>
#include <thread>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

/// A pipeline of the setup's topic into another sink.
std::string configured(const Setup& setup, const std::string& sink) {
  auto file = setup.path("other.toml");
  write_file(file, fmt::format("name = \"other\"\nstate_dir = \"{}\"\n[source.kafka]\nbrokers = "
                               "\"{}\"\ntopics = [\"{}\"]\n{}",
                               setup.state_dir(), KafkaServer::shared().bootstrap_servers(),
                               setup.topic(), sink));
  return file;
}

long long letters_left(const Setup& setup) {
  return std::stoll(setup.value("SELECT count(*) FROM semel_dead_letters"));
}

/// As Kafka has them, with key, headers and timestamp.
void produce_with_headers(const Setup& setup, const std::string& value) {
  KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
  producer.produce(
      setup.topic(), 0, "k\x01", value,
      {{"trace", "t-1"}, {"bytes", std::string("\xff\x00", 2)}, {"none", std::nullopt}},
      1'700'000'000'123);
  producer.flush();
}

}  // namespace

TEST_CASE("dead letters are listed, shown, and come back as the records that they were") {
  if (!kafka_available()) return;
  Setup setup;
  setup.sql(
      "ALTER TABLE events ADD k bytea, ADD h text, ADD at timestamptz, ADD o bigint, ADD b bytea");
  const auto mapped =
      "sink.postgres.columns={k=\"@key\",h=\"@headers.trace\",at=\"@timestamp\",o=\"@offset\",b=\"@"
      "headers."
      "bytes\"}";
  setup.produce(2);
  produce_with_headers(setup, R"({"id": "three", "name": "c"})");
  setup.produce_value("no JSON");
  REQUIRE(setup.run("run", {"--once", "--set", mapped}).code == 0);
  REQUIRE(letters_left(setup) == 2);

  const auto listed = setup.run("dead-letters", {"list"});
  CHECK(listed.code == 0);
  CHECK(has(listed.out, "2 dead letters in all"));
  CHECK(has(listed.out, "22P02"));
  const auto shown = setup.run("dead-letters", {"show", "--column", "id"});
  CHECK(has(shown.out, R"(value   {"id": "three", "name": "c"})"));
  CHECK(has(shown.out, "trace"));
  CHECK_FALSE(has(shown.out, "no JSON"));

  // As they are, none fits; nothing has changed, and the exit code says so.
  const auto nothing = setup.run("dead-letters", {"redrive", "--set", mapped});
  INFO(nothing.out << nothing.err);
  CHECK(nothing.code == 7);
  CHECK(has(nothing.out, "0 dead letters became rows, 2 stay"));
  CHECK(letters_left(setup) == 2);

  setup.sql("ALTER TABLE events ALTER id TYPE text");
  const auto tried = setup.run("dead-letters", {"redrive", "--dry-run", "--set", mapped});
  CHECK(has(tried.out, "dry run, nothing is changed: 1 dead letter became rows, 1 stay"));
  CHECK(letters_left(setup) == 2);
  const auto back = setup.run("dead-letters", {"redrive", "--set", mapped});
  INFO(back.out << back.err);
  CHECK(back.code == 7);
  CHECK(letters_left(setup) == 1);
  CHECK(setup.value(
            "SELECT concat_ws(' ', name, k, h, extract(epoch FROM at) * 1000, o, b) FROM events "
            "WHERE id = 'three'") == "c \\x6b01 t-1 1700000000123.000000 2 \\xff00");
  CHECK(has(setup.run("status", {}).out, "dead letters 1"));
  CHECK(setup.run("verify", {}).code == 0);
}

TEST_CASE("dropping dead letters wants to be told which") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce_value("no JSON");
  setup.produce(1);
  setup.produce_value(R"({"id": "x"})");
  drain(setup);
  REQUIRE(letters_left(setup) == 2);
  const auto vague = setup.run("dead-letters", {"drop"});
  CHECK(vague.code == 2);
  CHECK(has(vague.err, "--all"));
  CHECK(setup.run("dead-letters", {"drop", "--column", "id", "--dry-run"}).code == 0);
  CHECK(letters_left(setup) == 2);
  CHECK(has(setup.run("dead-letters", {"drop", "--column", "id"}).out, "1 dead letter dropped"));
  CHECK(has(setup.run("dead-letters", {"drop", "--since", "2030-01-01"}).out, "0 dead letters"));
  CHECK(has(setup.run("dead-letters", {"drop", "--all"}).out, "1 dead letter dropped"));
  const auto no_time = setup.run("dead-letters", {"list", "--since", "no time"});
  CHECK(no_time.code == 2);
  CHECK(has(no_time.err, "--since"));
  CHECK(has(setup.run("dead-letters", {"list"}).out, "no dead letters"));
}

TEST_CASE("a redrive over newer rows of upsert has to be meant") {
  if (!kafka_available()) return;
  Setup setup;
  setup.sql("ALTER TABLE events ADD PRIMARY KEY (id)");
  const std::vector<std::string> upsert{"--set", "sink.postgres.write=upsert"};
  const auto with = [&](std::vector<std::string> args) {
    args.insert(args.end(), upsert.begin(), upsert.end());
    return args;
  };
  setup.produce_value(R"({"id": 1, "name": {"old": 1}})");
  setup.sql("ALTER TABLE events ALTER name TYPE int USING NULL");
  setup.produce_value(R"({"id": 1, "name": 2})");
  REQUIRE(setup.run("run", with({"--once"})).code == 0);
  REQUIRE(letters_left(setup) == 1);
  setup.sql("ALTER TABLE events ALTER name TYPE text");
  const auto refused = setup.run("dead-letters", with({"redrive"}));
  CHECK(refused.code == 2);
  CHECK(has(refused.err, "--overwrite"));
  CHECK(setup.value("SELECT name FROM events") == "2");
  CHECK(setup.run("dead-letters", with({"redrive", "--overwrite"})).code == 0);
  CHECK(setup.value("SELECT name FROM events") == R"({"old": 1})");
}

TEST_CASE("a redrive into a list of tables is refused where one of them has no version") {
  if (!kafka_available()) return;
  Setup setup;
  setup.sql(
      "DROP TABLE events; CREATE TABLE orders (id bigint PRIMARY KEY, status text, at date, v int);"
      "CREATE TABLE items (order_id bigint, line int, sku text, PRIMARY KEY (order_id, line))");
  const auto file = [&](const std::string& format, const std::string& version) {
    write_file(
        setup.file(),
        fmt::format("name = \"{0}\"\nstate_dir = \"{1}\"\n[source.kafka]\nbrokers = "
                    "\"{2}\"\ntopics = [\"{0}\"]\n[sink.postgres]\ndsn = \"{3}\"\n"
                    "[[sink.postgres.tables]]\ntable = \"orders\"\nwrite = \"upsert\"\n"
                    "{5}columns = {{ at = {{ format = \"{4}\" }} }}\n"
                    "[[sink.postgres.tables]]\ntable = \"items\"\nwrite = \"upsert\"\n"
                    "path = \"$.items\"\ncolumns = {{ order_id = \"@value.id\", line = "
                    "\"@index\" }}\n",
                    setup.topic(), setup.state_dir(), KafkaServer::shared().bootstrap_servers(),
                    setup.dsn(), format, version));
  };
  file("%F", "");
  setup.produce_value(
      R"({"id": 1, "status": "old", "at": "31/12/2025", "v": 1, "items": [{"sku": "old"}]})");
  setup.produce_value(
      R"({"id": 1, "status": "new", "at": "2026-01-01", "v": 2, "items": [{"sku": "new"}]})");
  drain(setup);
  REQUIRE(letters_left(setup) == 1);
  for (const auto* version : {"", "version = \"v\"\n"}) {
    file("%d/%m/%Y", version);
    const auto refused = setup.run("dead-letters", {"redrive"});
    INFO(refused.out << refused.err);
    CHECK(refused.code == 2);
    CHECK(has(refused.err, "--overwrite"));
  }
  CHECK(setup.value("SELECT status || sku FROM orders, items") == "newnew");
  file("%d/%m/%Y", "");
  CHECK(setup.run("dead-letters", {"redrive", "--overwrite"}).code == 0);
  CHECK(setup.value("SELECT status || sku FROM orders, items") == "oldold");
}

TEST_CASE("a redrive tells members without a column, and leaves letters whose columns evolve") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce_value(R"({"id": "x", "name": "a", "color": "red"})");
  drain(setup);
  setup.sql("ALTER TABLE events ALTER id TYPE text");
  const auto stays = setup.run("dead-letters", {"redrive", "--set", "sink.postgres.evolve=add"});
  INFO(stays.out << stays.err);
  CHECK(stays.code == 7);
  CHECK(has(stays.out, "\"color\""));
  CHECK(letters_left(setup) == 1);
  const auto told = setup.run("dead-letters", {"redrive"});
  CHECK(told.code == 0);
  CHECK(has(told.out, "1 member without a column left out, the first: color"));
  CHECK(letters_left(setup) == 0);
}

TEST_CASE("a redrive takes no letter whose table, or column, is yet to be made") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce_value(R"({"id": "x", "name": "a"})");
  drain(setup);
  REQUIRE(letters_left(setup) == 1);
  const std::vector<std::string> column{"redrive", "--set", "sink.postgres.evolve=add", "--set",
                                        "sink.postgres.columns={id=\"$.name\",new=\"$.id\"}"};
  const auto lacks = setup.run("dead-letters", column);
  INFO(lacks.out << lacks.err);
  CHECK(lacks.code != 0);
  CHECK(has(lacks.err, "new"));
  setup.sql("DROP TABLE events");
  const auto gone = setup.run("dead-letters", {"redrive", "--set", "sink.postgres.create=true"});
  CHECK(gone.code == 4);
  CHECK(has(gone.err, "does not exist"));
  CHECK(letters_left(setup) == 1);
}

TEST_CASE("with a version, a letter takes the place of an older row only") {
  if (!kafka_available()) return;
  Setup setup;
  setup.sql("ALTER TABLE events ADD PRIMARY KEY (id), ADD v int, ALTER name TYPE varchar(3)");
  const auto with = [&](std::vector<std::string> args) {
    for (const auto* set :
         {"sink.postgres.write=upsert", "sink.postgres.version=v",
          "sink.postgres.deletes.when=$.op", "sink.postgres.deletes.is=[\"d\"]"}) {
      args.insert(args.end(), {"--set", set});
    }
    return args;
  };
  setup.produce_value(R"({"id": 1, "name": "older", "v": 5})");
  setup.produce_value(R"({"id": 1, "name": "new", "v": 5})");
  setup.produce_value(R"({"id": 2, "name": "newer", "v": 6})");
  setup.produce_value(R"({"id": 2, "name": "old", "v": 5})");
  // A removal that its reference refuses.
  setup.sql("CREATE TABLE holds (id bigint REFERENCES events)");
  REQUIRE(setup.run("run", with({"--once"})).code == 0);
  setup.sql("INSERT INTO holds VALUES (1)");
  setup.produce_value(R"({"id": 1, "op": "d"})");
  setup.produce_value(R"({"id": 3, "name": "x", "v": 1})");
  REQUIRE(setup.run("run", with({"--once"})).code == 0);
  REQUIRE(letters_left(setup) == 3);
  setup.sql("ALTER TABLE events ALTER name TYPE text; DELETE FROM holds");
  const auto back = setup.run("dead-letters", with({"redrive"}));
  INFO(back.out << back.err);
  CHECK(back.code == 7);
  CHECK(has(back.out, "--overwrite"));
  CHECK(letters_left(setup) == 1);
  CHECK(setup.value("SELECT string_agg(id || name, ' ' ORDER BY id) FROM events") ==
        "1new 2newer 3x");
  CHECK(setup.run("dead-letters", with({"redrive", "--overwrite"})).code == 0);
  CHECK(setup.value("SELECT count(*) FROM events WHERE id = 1") == "0");
}

TEST_CASE("fifty kills during redrives lose nothing and double nothing") {
  if (!kafka_available()) return;
  Setup setup;
  constexpr int bad = 20'000;
  {
    KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
    for (int i = 0; i < bad; ++i) {
      producer.produce(setup.topic(), 0, std::nullopt,
                       R"({"id": "x)" + std::to_string(i) + R"(", "name": "n"})");
      if (i % 100 == 0) {
        producer.produce(setup.topic(), 0, std::nullopt, R"({"id": )" + std::to_string(i) + "}");
      }
    }
    producer.flush();
  }
  drain(setup);
  REQUIRE(letters_left(setup) == bad);
  setup.sql("ALTER TABLE events ALTER id TYPE text");
  std::mt19937 random(20261127);
  int kills = 0;
  // Two at once, too: whoever comes second finds the letters gone.
  for (; kills < 50 && letters_left(setup) > 1'000; ++kills) {
    auto one = setup.start("dead-letters", {"redrive", "--until", std::to_string(bad)});
    auto other = setup.start("dead-letters", {"redrive", "--until", std::to_string(bad)});
    std::this_thread::sleep_for(std::chrono::microseconds(20'000 + random() % 60'000));
    one.kill();
    other.kill();
  }
  INFO(kills << " kills");
  CHECK(kills > 5);
  const auto last = setup.run("dead-letters", {"redrive"});
  INFO(last.out << last.err);
  CHECK(last.code == 0);
  CHECK(letters_left(setup) == 0);
  CHECK(setup.value(
            "SELECT concat_ws(' ', count(*), count(DISTINCT id)) FROM events WHERE id LIKE 'x%'") ==
        "20000 20000");
}

TEST_CASE("letters in SQLite come back, and fifty kills lose nothing and double nothing") {
  if (!kafka_available()) return;
  Setup setup;
  const auto database = setup.path("shop.db");
  const auto sqlite = [&](const std::string& statement) {
    const auto done = run({.argv = {"sqlite3", "-cmd", ".timeout 20000", database, statement}});
    INFO(done.err);
    CHECK(done.code == 0);
    return done.out;
  };
  sqlite("CREATE TABLE events (id INTEGER UNIQUE, name TEXT) STRICT");
  const auto file = configured(
      setup, fmt::format("[sink.sqlite]\nfile = \"{}\"\ntable = \"events\"\n", database));
  constexpr int bad = 20'000;
  {
    KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
    for (int i = 0; i < bad; ++i) {
      producer.produce(setup.topic(), 0, std::nullopt, fmt::format(R"({{"id": "x{}"}})", i));
      if (i % 50 == 0) producer.produce(setup.topic(), 0, {}, fmt::format(R"({{"id": {}}})", i));
    }
    producer.flush();
  }
  const auto drained = run_semel({"run", file, "--once"});
  INFO(drained.err);
  REQUIRE(drained.code == 0);
  const auto left = [&] { return std::stoll(sqlite("SELECT count(*) FROM semel_dead_letters")); };
  REQUIRE(left() == bad);
  CHECK(has(run_semel({"dead-letters", file, "list"}).out, "20,000 dead letters in all"));
  CHECK(has(run_semel({"dead-letters", file, "show", "--limit", "1"}).out,
            "value   {\"id\": \"x0\"}"));
  CHECK(run_semel({"dead-letters", file, "redrive"}).code == 7);
  sqlite(
      "ALTER TABLE events RENAME TO old; CREATE TABLE events (id ANY UNIQUE, name TEXT) STRICT; "
      "INSERT INTO events SELECT * FROM old; DROP TABLE old");
  std::mt19937 random(20261127);
  int kills = 0;
  for (; kills < 50 && left() > 1'000; ++kills) {
    Process one({.argv = {SEMEL_BINARY, "dead-letters", file, "redrive"}});
    Process other({.argv = {SEMEL_BINARY, "dead-letters", file, "redrive"}});
    std::this_thread::sleep_for(std::chrono::microseconds(10'000 + random() % 60'000));
    one.kill();
    other.kill();
  }
  INFO(kills << " kills");
  CHECK(kills > 5);
  const auto last = run_semel({"dead-letters", file, "redrive"});
  INFO(last.out << last.err);
  CHECK(last.code == 0);
  CHECK(left() == 0);
  CHECK(sqlite("SELECT count(*), count(DISTINCT id) FROM events WHERE id LIKE 'x%'") ==
        "20000|20000\n");
  CHECK(run_semel({"verify", file}).code == 0);
}

TEST_CASE("letters of RocksDB may be older than their keys' rows, so bringing them back is meant") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(3);
  {
    KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
    producer.produce(setup.topic(), 0, "k", R"({"id": 1})");
    producer.flush();
  }
  const auto file =
      configured(setup, fmt::format("[sink.rocksdb]\ndirectory = \"{}\"\ntable = \"events\"\n",
                                    setup.path("events.rocks")));
  // One of them has a key.
  REQUIRE(run_semel({"run", file, "--once"}).code == 0);
  CHECK(has(run_semel({"dead-letters", file, "list"}).out, "3 dead letters in all"));
  const std::vector<std::string> mend{"--set", "sink.rocksdb.columns={key=\"$.id\"}"};
  const auto with = [&](std::vector<std::string> args) {
    args.insert(args.begin() + 1, file);
    args.insert(args.end(), mend.begin(), mend.end());
    return run_semel(std::move(args));
  };
  const auto refused = with({"dead-letters", "redrive"});
  CHECK(refused.code != 0);
  CHECK(has(refused.err, "Say --overwrite"));
  const auto done = with({"dead-letters", "redrive", "--overwrite"});
  INFO(done.out << done.err);
  CHECK(done.code == 0);
  CHECK(has(done.out, "3 dead letters became rows, 0 stay"));
  CHECK(has(run_semel({"dead-letters", file, "list"}).out, "no dead letters"));
}
