// semel replay: a stretch of the past is loaded once, beside the pipeline, whatever happens.
#include <fmt/format.h>

#include <csignal>
#include <random>
#include <thread>

#include "integration/cli/setup.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

void wait_for(const Setup& setup, const std::string& query, const std::string& expected) {
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (setup.value(query) != expected && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(20ms);
  }
  REQUIRE(setup.value(query) == expected);
}

std::string at(const Setup& setup, int partition, int offset) {
  return fmt::format("{}:{}={}", setup.topic(), partition, offset);
}

/// A table beside `events`, as it is.
void add_table(const Setup& setup, const std::string& name) {
  setup.sql("CREATE TABLE " + name + " (id bigint NOT NULL, name text)");
}

std::string ids(const Setup& setup, const std::string& table) {
  return setup.value("SELECT concat_ws(' ', count(*), count(DISTINCT id), min(id), max(id)) FROM " +
                     table);
}

/// How far the replay is.
int loaded(const Setup& setup) {
  return std::stoi(setup.value(
      "SELECT CASE WHEN to_regclass('semel_progress') IS NULL THEN 0 ELSE (SELECT "
      "coalesce(sum(until_offset), 0) FROM semel_progress WHERE pipeline LIKE '%~mend') END"));
}

}  // namespace

TEST_CASE("a replay loads its stretch beside the live pipeline, which goes on as it was") {
  if (!kafka_available()) return;
  Setup setup;
  add_table(setup, "again");
  setup.produce(100);
  auto live = setup.start("run");
  wait_for(setup, "SELECT count(*) FROM events", "100");
  const auto owner = setup.value("SELECT epoch || owner FROM semel_owners");

  const std::vector<std::string> args{"--from", at(setup, 0, 10), "--until", at(setup, 0, 60),
                                      "--into", "again",          "--name",  "mend"};
  const auto done = setup.run("replay", args);
  INFO(done.out << done.err);
  CHECK(done.code == 0);
  CHECK(has(done.out, "50 records in"));
  CHECK(has(done.out, "replay mend is done"));
  CHECK(ids(setup, "again") == "50 50 10 59");
  CHECK(ids(setup, "events") == "100 100 0 99");

  setup.produce(5);
  wait_for(setup, "SELECT count(*) FROM events", "105");
  CHECK(setup.value("SELECT epoch || owner FROM semel_owners WHERE pipeline NOT LIKE '%~%'") ==
        owner);
  CHECK(live.running());

  const auto again = setup.run("replay", args);
  CHECK(again.code == 0);
  CHECK(has(again.out, "it is done already"));
  CHECK(ids(setup, "again") == "50 50 10 59");

  const auto proof = setup.run("verify", {"--replay", "mend"});
  CHECK(proof.code == 0);
  CHECK(has(proof.out, "Proven"));
  const auto status = setup.run("status", {"--replay", "mend"});
  CHECK(has(status.out, "pipeline " + setup.topic() + "~replay~mend"));
  CHECK(has(status.out, "lag 0"));

  // Under the same name something else is asked for.
  const auto other = setup.run(
      "replay", {"--from", "earliest", "--until", "latest", "--into", "again", "--name", "mend"});
  CHECK(other.code == 2);
  CHECK(has(other.err, "another --name"));

  CHECK(setup.run("replay", {"--forget", "--name", "mend"}).code == 0);
  CHECK(setup.value("SELECT count(*) FROM semel_owners WHERE pipeline LIKE '%~%'") == "0");
  CHECK(setup.value("SELECT count(*) FROM semel_commits WHERE pipeline LIKE '%~%'") == "0");
  live.signal(SIGTERM);
  CHECK(live.wait(30s).has_value());
}

TEST_CASE(
    "a replay of topics that were found by a pattern goes into the tables that its groups name") {
  if (!kafka_available()) return;
  Setup setup;
  const auto group = setup.topic().substr(setup.topic().find('_') + 1);
  setup.sql(fmt::format("CREATE TABLE \"of_{}\" (id bigint, name text)", group));
  setup.produce(20);
  const std::vector<std::string> mirror{
      "--set", "source.kafka.topics=[]",
      "--set", fmt::format("source.kafka.topic_pattern=events_({})", group),
      "--set", "sink.postgres.table=of_{1}"};
  const auto with = [&](std::vector<std::string> args) {
    args.insert(args.end(), mirror.begin(), mirror.end());
    return args;
  };
  const auto ran = setup.run("run", with({"--once"}));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const auto done =
      setup.run("replay", with({"--from", at(setup, 0, 5), "--until", at(setup, 0, 15), "--yes"}));
  INFO(done.out << done.err);
  CHECK(done.code == 0);
  CHECK(ids(setup, fmt::format("\"of_{}\"", group)) == "30 20 0 19");
  const auto into =
      setup.run("replay", {"--from", at(setup, 0, 5), "--until", at(setup, 0, 15), "--into",
                           "events", "--set", "sink.postgres.routes={x=\"events\"}"});
  CHECK(into.code == 2);
  CHECK(has(into.err, "--into names one table"));
}

TEST_CASE("the end of a replay is the end that it had when it began") {
  if (!kafka_available()) return;
  Setup setup(2);
  add_table(setup, "again");
  setup.produce(30, 0);
  const std::vector<std::string> args{"--from", "earliest", "--until",     "latest",
                                      "--into", "again",    "--log-level", "warn"};
  REQUIRE(setup.run("replay", args).code == 0);
  setup.produce(30, 0);
  setup.produce(30, 1);
  const auto again = setup.run("replay", args);
  INFO(again.out << again.err);
  CHECK(again.code == 0);
  CHECK(has(again.out, "it is done already"));
  CHECK(ids(setup, "again") == "30 30 0 29");
  // What is behind it is a replay of its own; the pipeline has not been started at all.
  REQUIRE(setup
              .run("replay", {"--from", "earliest", "--until", at(setup, 0, 40), "--into", "again",
                              "--yes", "--name", "first"})
              .code == 0);
  CHECK(setup.run("replay", {"--after", "first", "--until", "latest", "--into", "again"}).code ==
        2);
  CHECK(setup.run("replay", {"--after", "first", "--until", at(setup, 0, 60), "--into", "again"})
            .code == 0);
  CHECK(setup.value("SELECT count(*) FROM again") == "90");
}

TEST_CASE("a replay into the table that the pipeline fills has to be meant") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  drain(setup);
  const std::vector<std::string> args{"--from", "earliest", "--until", "committed"};
  const auto vague = setup.run("replay", args);
  INFO(vague.out << vague.err);
  CHECK(vague.code == 2);
  CHECK(has(vague.err, "being there twice"));
  CHECK(has(vague.err, "--into"));
  CHECK(setup.value("SELECT count(*) FROM semel_owners") == "1");
  setup.sql("CREATE UNIQUE INDEX ON events (id)");
  CHECK(has(setup.run("replay", args).err, "bad record"));
  setup.sql("DELETE FROM events WHERE id > 4");
  auto meant = args;
  meant.insert(meant.end(), {"--yes", "--name", "meant"});
  const auto done = setup.run("replay", meant);
  INFO(done.out << done.err);
  CHECK(done.code == 0);
  CHECK(ids(setup, "events") == "10 10 0 9");
  CHECK(setup.value("SELECT count(*) FROM semel_dead_letters WHERE pipeline LIKE '%~meant'") ==
        "5");
  // What it could not store is not thrown away with it.
  const auto kept = setup.run("replay", {"--forget", "--name", "meant"});
  CHECK(kept.code == 2);
  CHECK(has(kept.err, "dead letter"));
  CHECK(has(setup.run("dead-letters", {"drop", "--all", "--replay", "meant"}).out, "5 dead"));
  CHECK(setup.run("replay", {"--forget", "--name", "meant"}).code == 0);
  CHECK(setup.run("verify", {}).code == 0);
}

TEST_CASE(
    "letters of a replay into another table are looked at, brought back, and never forgotten") {
  if (!kafka_available()) return;
  Setup setup;
  add_table(setup, "again");
  setup.produce(3);
  drain(setup);
  setup.sql("ALTER TABLE again ADD CHECK (id <> 1)");
  const std::vector<std::string> args{"--from", "earliest", "--until", "committed",
                                      "--into", "again",    "--name",  "mend"};
  REQUIRE(setup.run("replay", args).code == 0);
  CHECK(ids(setup, "again") == "2 2 0 2");
  // The file names the live table; the letters are of the other one.
  const auto kept = setup.run("replay", {"--forget", "--name", "mend"});
  INFO(kept.out << kept.err);
  CHECK(kept.code == 2);
  CHECK(has(kept.err, "dead-letters " + setup.file() + " list --replay mend"));
  const auto listed = setup.run("dead-letters", {"list", "--replay", "mend"});
  CHECK(listed.code == 0);
  CHECK(has(listed.out, "1 dead letter in all"));
  CHECK(has(listed.out, "redrive --replay mend"));
  setup.sql("ALTER TABLE again DROP CONSTRAINT again_id_check");
  const auto elsewhere = setup.run("dead-letters", {"redrive", "--replay", "mend"});
  CHECK(elsewhere.code == 2);
  CHECK(has(elsewhere.err, "sink.postgres.table=TABLE"));
  CHECK(setup
            .run("dead-letters",
                 {"redrive", "--replay", "mend", "--set", "sink.postgres.table=again"})
            .code == 0);
  CHECK(ids(setup, "again") == "3 3 0 2");
  CHECK(setup.run("replay", {"--forget", "--name", "mend"}).code == 0);
  const auto unknown = setup.run("replay", {"--forget", "--name", "mend"});
  CHECK(unknown.code == 2);
  CHECK(has(unknown.err, "no replay mend"));
}

TEST_CASE("a replay into tables without rows needs no word, however it writes") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(3);
  drain(setup);
  setup.sql(
      "ALTER TABLE events RENAME TO before; CREATE TABLE events (LIKE before); ALTER TABLE "
      "events ADD PRIMARY KEY (id)");
  const std::vector<std::string> args{"--from",    "earliest", "--until",
                                      "committed", "--set",    "sink.postgres.write=upsert"};
  const auto done = setup.run("replay", args);
  INFO(done.out << done.err);
  CHECK(done.code == 0);
  CHECK(ids(setup, "events") == "3 3 0 2");
  auto other = args;
  other.insert(other.end(), {"--name", "other"});
  CHECK(setup.run("replay", other).code == 2);
  // A dry run says it, and shows what it would do.
  other.emplace_back("--dry-run");
  const auto dry = setup.run("replay", other);
  CHECK(dry.code == 0);
  CHECK(has(dry.err, "older"));
  CHECK(has(dry.out, "Dry run"));
}

TEST_CASE("rows that would be doubled have to be meant, whatever is said to keep them apart") {
  if (!kafka_available()) return;
  Setup setup;
  setup.sql("ALTER TABLE events ADD gone bool DEFAULT true, ADD ext text UNIQUE");
  setup.sql("CREATE UNIQUE INDEX ON events (id) WHERE NOT gone");
  setup.produce(3);
  drain(setup);
  std::vector<std::string> args{"--from",    "earliest", "--until",
                                "committed", "--set",    "sink.postgres.on_conflict=ignore"};
  CHECK(setup.run("replay", args).code == 2);
  // The table's name is not another table.
  args.insert(args.end(), {"--into", "public.events"});
  CHECK(setup.run("replay", args).code == 2);
  CHECK(setup.value("SELECT count(*) FROM events") == "3");
}

TEST_CASE("what comes behind a replay tells partitions that it had not") {
  if (!kafka_available()) return;
  Setup setup;
  add_table(setup, "again");
  setup.produce(3);
  drain(setup);
  REQUIRE(setup
              .run("replay", {"--from", "earliest", "--until", "committed", "--into", "again",
                              "--name", "first"})
              .code == 0);
  KafkaServer::shared().add_partitions(setup.topic(), 2);
  setup.produce(2, 1);
  wait_for(setup, "SELECT count(*) FROM events", "3");
  const auto give_up = std::chrono::steady_clock::now() + 60s;
  while (setup.value("SELECT count(*) FROM events") != "5" &&
         std::chrono::steady_clock::now() < give_up) {
    drain(setup);
  }
  const auto rest = setup.run(
      "replay", {"--after", "first", "--until", "committed", "--into", "again", "--name", "rest"});
  INFO(rest.out << rest.err);
  CHECK(rest.code == 2);
  CHECK(has(rest.err, setup.topic() + "[1]"));
}

TEST_CASE("going back in time says what becomes of rows that are there") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  drain(setup);
  const std::vector<std::string> back{"set", at(setup, 0, 5), "--dry-run"};
  CHECK(has(setup.run("offsets", back).err, "being there twice"));
  setup.sql("CREATE UNIQUE INDEX ON events (id)");
  CHECK(has(setup.run("offsets", back).err, "bad record"));
  CHECK(setup.run("offsets", {"set", at(setup, 0, 10), "--dry-run"}).err.empty());
  setup.sql("ALTER TABLE events ADD PRIMARY KEY (id)");
  auto upsert = back;
  upsert.insert(upsert.end(), {"--set", "sink.postgres.write=upsert"});
  CHECK(setup.run("offsets", upsert).err.empty());
}

TEST_CASE("a stretch that Kafka does not have is an error, and one without records an end") {
  if (!kafka_available()) return;
  Setup setup;
  add_table(setup, "again");
  setup.produce(10);
  const auto replay = [&](const std::string& from, const std::string& until) {
    return setup.run("replay", {"--from", from, "--until", until, "--into", "again"});
  };
  const auto beyond = replay(at(setup, 0, 0), at(setup, 0, 11));
  CHECK(beyond.code == 3);
  CHECK(has(beyond.err, "the log at 10"));
  CHECK(replay(at(setup, 0, 5), at(setup, 0, 4)).code == 2);
  CHECK(replay(at(setup, 7, 5), at(setup, 7, 6)).code == 2);
  CHECK(replay("yesterday", "latest").code == 2);
  CHECK(setup.run("replay", {"--from", "earliest"}).code == 2);
  CHECK(setup.run("replay", {"--until", "latest"}).code == 2);
  const auto empty = replay("latest", "latest");
  INFO(empty.out << empty.err);
  CHECK(empty.code == 0);
  CHECK(replay("-1h", "-1h").code == 0);

  KafkaServer::shared().delete_records(setup.topic(), 0, 4);
  const auto gone = replay(at(setup, 0, 2), at(setup, 0, 9));
  CHECK(gone.code == 6);
  CHECK(has(gone.err, "nothing before 4"));
  const auto skipped =
      setup.run("replay", {"--from", at(setup, 0, 2), "--until", at(setup, 0, 9), "--into", "again",
                           "--name", "skips", "--set", "on_data_loss=skip"});
  INFO(skipped.out << skipped.err);
  CHECK(skipped.code == 0);
  CHECK(ids(setup, "again") == "5 5 4 8");
  CHECK(has(setup.run("verify", {"--replay", "skips"}).out, "lost"));
}

TEST_CASE("a replay ends where records of a transaction that was aborted end") {
  if (!kafka_available()) return;
  Setup setup;
  add_table(setup, "again");
  setup.sql("ALTER TABLE events ADD o bigint");
  setup.produce(3);
  {
    KafkaProducer producer(KafkaServer::shared().bootstrap_servers(),
                           {{"transactional.id", setup.topic()}});
    producer.begin();
    for (int i = 0; i < 5; ++i) {
      producer.produce(setup.topic(), 0, std::nullopt, R"({"id": 99, "name": "aborted"})");
    }
    producer.flush();
    producer.abort();
  }
  setup.produce(2);
  REQUIRE(setup
              .run("run", {"--once", "--set",
                           R"(sink.postgres.columns={id="$.id",name="$.name",o="@offset"})"})
              .code == 0);
  const auto behind = std::stoi(setup.value("SELECT o FROM events WHERE id = 3"));
  // Within what was aborted, and behind its marker.
  for (const auto until : {6, behind}) {
    const auto done = setup.run(
        "replay", {"--from", "earliest", "--until", at(setup, 0, until), "--into", "again"});
    INFO(done.out << done.err);
    CHECK(done.code == 0);
    CHECK(ids(setup, "again") == "3 3 0 2");
    setup.sql("TRUNCATE again");
  }
}

TEST_CASE("a replay into a table of SQLite is told, proven and forgotten as one of PostgreSQL") {
  if (!kafka_available()) return;
  Setup setup;
  setup.produce(10);
  const auto database = setup.path("shop.db");
  const auto sqlite = [&](const std::string& statement) {
    return run({.argv = {"sqlite3", database, statement}}).out;
  };
  sqlite("CREATE TABLE events (id INTEGER, name TEXT); CREATE TABLE again (id INTEGER, name TEXT)");
  const auto file = setup.path("lite.toml");
  write_file(file, fmt::format("name = \"lite\"\nstate_dir = \"{}\"\n[source.kafka]\nbrokers = "
                               "\"{}\"\ntopics = [\"{}\"]\n[sink.sqlite]\nfile = \"{}\"\ntable = "
                               "\"events\"\n",
                               setup.state_dir(), KafkaServer::shared().bootstrap_servers(),
                               setup.topic(), database));
  REQUIRE(run_semel({"run", file, "--once"}).code == 0);
  const std::vector<std::string> args{"replay",    file,     "--from", "earliest", "--until",
                                      "committed", "--into", "again",  "--name",   "lite"};
  for (const auto* told : {"is done", "done already"}) {
    const auto done = run_semel(args);
    INFO(done.out << done.err);
    CHECK(done.code == 0);
    CHECK(has(done.out, told));
  }
  CHECK(sqlite("SELECT count(*), max(id) FROM again") == "10|9\n");
  CHECK(run_semel({"verify", file, "--replay", "lite"}).code == 0);
  CHECK(run_semel({"replay", file, "--forget", "--name", "lite"}).code == 0);
  CHECK(sqlite("SELECT count(*) FROM semel_commits WHERE pipeline LIKE '%~%'") == "0\n");
  CHECK(sqlite("SELECT count(*) FROM semel_commits") != "0\n");
  CHECK(has(run_semel(args).out, "10 records in"));
}

TEST_CASE("fifty kills during a replay beside a running pipeline lose nothing and double nothing") {
  if (!kafka_available()) return;
  Setup setup(2);
  add_table(setup, "again");
  constexpr int each = 60'000;
  constexpr int kills = 50;
  setup.produce(each, 0);
  setup.produce(each, 1);
  auto live = setup.start("run");
  wait_for(setup, "SELECT count(*) FROM events", std::to_string(2 * each));
  const std::vector<std::string> args{
      "--from",      "earliest", "--until", "committed", "--into",
      "again",       "--name",   "mend",    "--set",     "batch.max_records_per_partition=200",
      "--log-level", "warn"};
  std::mt19937 random(20261127);
  int under_way = 0;
  for (int i = 0; i < kills; ++i) {
    const auto before = loaded(setup);
    auto one = setup.start("replay", args);
    // Some before they have anything, most while they load.
    const bool early = i > 0 && i % 5 == 0;
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    while (!early && one.running() && loaded(setup) == before &&
           std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(2ms);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    if (one.running()) ++under_way;
    one.kill();
    // Another stretch would be loaded from here on, if the ends were asked for again.
    setup.produce(20, i % 2);
  }
  CHECK(under_way == kills);
  const auto left = 2 * each - loaded(setup);
  INFO(left << " records were left when the last one was killed");
  CHECK(left > 0);
  CHECK(2 * each - left >= kills * 4 / 5 * 200);
  const auto last = setup.run("replay", args);
  INFO(last.out << last.err);
  CHECK(last.code == 0);
  CHECK(has(last.out, "done"));
  CHECK(ids(setup, "again") == fmt::format("{0} {0} 0 {1}", 2 * each, 2 * each - 1));
  const auto proof = setup.run("verify", {"--replay", "mend"});
  INFO(proof.out);
  CHECK(proof.code == 0);
  CHECK(has(proof.out, "Proven: no gap and no overlap"));
  CHECK(live.running());
  wait_for(setup, "SELECT count(*) FROM events", std::to_string(2 * each + kills * 20));
  CHECK(setup.run("verify", {}).code == 0);
}
