// PostgreSQL and SQLite as outputs of one pipeline. What SQLite has is read by the program
// `sqlite3`, and compared with what was produced.
#include <fmt/format.h>
#include <csignal>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>

#include "base/crash_point.hpp"
#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"
#include "support/sqlite_file.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

constexpr int partitions = 4;
const std::string events =
    "CREATE TABLE events (id INTEGER NOT NULL, name TEXT, amount REAL, p INTEGER, o INTEGER)";

/// Both outputs are configured; `extra` is TOML for all of the pipeline.
struct TwoOutputs : Rig {
  SqliteFile file;

  explicit TwoOutputs(const std::string& schema = events, const std::string& extra = "")
      : Rig(partitions), file(schema) {
    configure_both(extra);
  }
  void configure_both(const std::string& extra) {
    configure(
        fmt::format("[sink.sqlite]\nfile = \"{}\"\ntable = \"events\"\n"
                    "columns = {{ p = \"@partition\", o = \"@offset\" }}\n"
                    "busy_timeout = \"100ms\"\n{}{}",
                    file.path(), quick, extra));
  }
  std::int64_t file_rows() const { return file.number("SELECT count(*) FROM events"); }

  /// What was produced, as a table `made`, from how Rig makes it.
  std::string compared(const std::string& query) const {
    return fmt::format(
        "WITH RECURSIVE ids(id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM ids WHERE id + 1 < {}), "
        "made AS (SELECT id, 'name-' || (id * 7919 % 1000) AS name, id % 97 + 0.25 AS amount, id % "
        "{} AS p, id / {} AS o FROM ids) {}",
        produced(), partitions, partitions, query);
  }
  /// Record by record: nothing is missing, doubled or altered.
  void expect_file_exactly_once() const {
    CHECK(file_rows() == produced());
    CHECK(file.number(compared("SELECT count(*) FROM (SELECT * FROM made EXCEPT SELECT id, name, "
                               "amount, p, o FROM events)")) == 0);
    CHECK(file.number(compared("SELECT count(*) FROM (SELECT id, name, amount, p, o FROM events "
                               "EXCEPT SELECT * FROM made)")) == 0);
  }
  void expect_both_exactly_once() const {
    expect_exactly_once();
    expect_file_exactly_once();
  }
};

}  // namespace

TEST_CASE(
    "two outputs lose nothing and double nothing, wherever and whenever the process is killed") {
  if (!kafka_available()) return;
  REQUIRE(semel::has_crash_points);
  TwoOutputs rig;
  rig.produce(2'000);
  int kills = 0;
  // Each numbered place, in either output: which of them comes by first is chance.
  for (const auto point : semel::crash_point_names) {
    CAPTURE(point);
    rig.environment({{"SEMEL_CRASH_AT", fmt::format("{}:{}", point, 1 + kills % 2)}});
    rig.produce(100);
    const auto result = rig.finish("run", {"--once"});
    rig.environment({});
    INFO(result.out << result.err);
    REQUIRE((result.signal == SIGKILL || (result.signal == 0 && result.code == 0)));
    if (result.signal == SIGKILL) ++kills;
  }
  CHECK(kills >= 12);
  Load load(rig);
  std::mt19937 random(20261125);
  for (int i = 0; i < 24; ++i) {
    const auto before = rig.file_rows();
    const auto* unit = i % 3 == 0 ? "batch" : i % 3 == 1 ? "range" : "auto";
    auto semel = rig.start("run", {"--set", fmt::format("batch.commit={}", unit)});
    // Half of them while it starts, half of them while it works.
    if (i % 2 == 0) CHECK(eventually([&] { return rig.file_rows() > before; }, 30s));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 300'000));
    const auto ended = semel.running();
    INFO(semel.err());
    CHECK(ended);
    semel.kill();
    ++kills;
  }
  load.finish();
  rig.drain();
  rig.expect_both_exactly_once();
  CHECK(kills >= 30);
  CHECK(rig.file.number("SELECT count(*) FROM semel_dead_letters") == 0);
  fmt::print("{} kills, {} records in each output\n", kills, rig.produced());
}

TEST_CASE(
    "a record that one output's table refuses is set aside there, and is a row in the other") {
  if (!kafka_available()) return;
  TwoOutputs rig(
      "CREATE TABLE events (id INTEGER NOT NULL CHECK (id <> 7), name TEXT, amount REAL, "
      "p INTEGER, o INTEGER)");
  rig.produce(100);
  rig.drain();
  CHECK(rig.rows() == 100);
  CHECK(rig.number("SELECT count(*) FROM semel_dead_letters") == 0);
  CHECK(rig.file_rows() == 99);
  CHECK(rig.file.value("SELECT topic, \"partition\", \"offset\", reason FROM semel_dead_letters") ==
        rig.topic() + "|3|1|CHECK constraint failed: id <> 7");
  rig.expect_exactly_once();
}

TEST_CASE("where PostgreSQL is away, the file goes on, and the other way round") {
  if (!kafka_available()) return;
  TwoOutputs rig;
  auto& postgres = PostgresServer::shared();
  rig.produce(400);
  auto semel = rig.start();
  REQUIRE(eventually([&] { return rig.rows() == 400 && rig.file_rows() == 400; }));
  postgres.stop();
  rig.produce(400);
  CHECK(eventually([&] { return rig.file_rows() == 800; }));
  CHECK(semel.running());
  postgres.start();
  CHECK(eventually([&] { return rig.rows() == 800; }));

  Process holder({.argv = {"python3", "-c",
                           "import sqlite3, sys, time\n"
                           "c = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)\n"
                           "c.execute('BEGIN IMMEDIATE')\n"
                           "print('locked', flush=True)\n"
                           "time.sleep(600)\n",
                           rig.file.path()}});
  REQUIRE(eventually([&] { return holder.out().find("locked") != std::string::npos; }));
  rig.produce(400);
  CHECK(eventually([&] { return rig.rows() == 1'200; }));
  CHECK(rig.file_rows() == 800);
  CHECK(says(semel, fmt::format("process {} (python3", holder.pid())));
  holder.kill();
  CHECK(eventually([&] { return rig.file_rows() == 1'200; }));
  finish_well(rig, semel);
  rig.expect_both_exactly_once();
}

TEST_CASE("of two outputs, the one that answers is shown though the other is away") {
  if (!kafka_available()) return;
  TwoOutputs rig;
  rig.produce(400);
  rig.drain();
  const std::vector<std::string> away{
      "--set", fmt::format("sink.postgres.dsn=postgresql://127.0.0.1:{}/shop", free_port())};
  const auto with = [&](std::vector<std::string> args) {
    args.insert(args.end(), away.begin(), away.end());
    return args;
  };
  for (const auto& [command, args] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"offsets", with({"show"})}, {"status", away}, {"verify", away}}) {
    const auto result = rig.finish(command, args);
    CAPTURE(command, result.out, result.err);
    CHECK(result.code == 4);
    CHECK_THAT(result.out, Catch::Contains("output sqlite") && Catch::Contains("100"));
    CHECK_THAT(result.err, Catch::Contains("PostgreSQL cannot be reached"));
  }
  const auto json = rig.finish("status", with({"--json"}));
  CAPTURE(json.out, json.err);
  CHECK(json.code == 4);
  const auto outputs = nlohmann::json::parse(json.out)["outputs"];
  REQUIRE(outputs.size() == 2);
  for (const auto& output : outputs) {
    CHECK(output.contains("error") == (output["output"] == "default"));
    CHECK(output.contains("partitions") == (output["output"] == "sqlite"));
  }
}

TEST_CASE("every command works on a pipeline that has only a file") {
  if (!kafka_available()) return;
  TwoOutputs rig;
  rig.produce(40);
  write_file(rig.config(), fmt::format(R"(name = "{0}"
state_dir = "{1}"
[source.kafka]
brokers = "{2}"
topics = ["{0}"]
[sink.sqlite]
file = "{3}"
table = "events"
columns = {{ p = "@partition", o = "@offset" }}
)",
                                       rig.topic(), rig.state_dir(),
                                       KafkaServer::shared().bootstrap_servers(), rig.file.path()));
  const auto expect = [&](const std::string& command, std::vector<std::string> args,
                          std::string_view said) {
    const auto result = rig.finish(command, std::move(args));
    INFO(command << "\n" << result.out << result.err);
    CHECK(result.code == 0);
    CHECK(result.out.find(said) != std::string::npos);
  };
  expect("check", {"--sample", "2"}, "table events");
  expect("sql", {}, "CREATE TABLE IF NOT EXISTS semel_progress");
  expect("run", {"--once"}, "");
  rig.expect_file_exactly_once();
  expect("status", {}, rig.topic());
  expect("verify", {}, "");
  expect("offsets", {"show"}, rig.topic());
  const auto gone = rig.file.path() + ".gone";
  const auto missing = rig.finish("run", {"--once", "--set", "sink.sqlite.file=\"" + gone + "\""});
  CHECK(missing.code == 4);
  CHECK(missing.err.find("the file has to exist") != std::string::npos);
}
