// semel state and semel offsets set of a pipeline that remembers: the word count of the examples,
// its outputs in PostgreSQL and SQLite, and the commands, killed between their steps.
#include <fmt/format.h>
#include <signal.h>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

/// Lines into topic "lines" of a broker of its own; each is one word, the same one.
class Counted {
 public:
  Counted()
      : totals_(PostgresServer::shared().create_database()),
        batches_((dir_.path() / "batches.db").string()) {
    kafka_.create_topic("lines", 2);
    PostgresServer::execute(totals_, "CREATE TABLE totals (word text, total bigint)");
    REQUIRE(run({.argv = {"sqlite3", batches_, "CREATE TABLE batches (word TEXT, came INTEGER)"}})
                .code == 0);
    write_file(
        file(),
        fmt::format("name = \"count\"\nstate_dir = \"{}\"\n"
                    "[source.kafka]\nbrokers = \"{}\"\ncommit_group_offsets = false\n"
                    "[sink.postgres]\noutput = \"totals\"\ndsn = \"{}\"\ntable = \"totals\"\n"
                    "[sink.sqlite]\noutput = \"batches\"\nfile = \"{}\"\ntable = "
                    "\"batches\"\n",
                    (dir_.path() / "state").string(), kafka_.bootstrap_servers(), totals_,
                    batches_));
  }

  std::string file() const { return path("count.toml"); }
  std::string path(const std::string& name) const { return (dir_.path() / name).string(); }
  std::string state() const { return path("state/count/state"); }

  void produce(int lines, const std::string& word = "word") {
    KafkaProducer producer(kafka_.bootstrap_servers(), {{"enable.idempotence", "true"}});
    for (int i = 0; i < lines; ++i) producer.produce("lines", i % partitions_, std::nullopt, word);
    producer.flush();
  }
  void add_partition() { kafka_.add_partitions("lines", ++partitions_); }

  Process start(bool once) const {
    ProcessOptions options{.argv = {SEMEL_EXAMPLE, file()}};
    if (once) options.argv.emplace_back("--once");
    return Process(std::move(options));
  }
  /// To the end of the topic.
  ProcessResult drain() const { return run({.argv = {SEMEL_EXAMPLE, file(), "--once"}}); }

  /// `semel COMMAND FILE ARGS…`
  ProcessResult semel(const std::string& command, std::vector<std::string> args,
                      const std::string& crash_at = "") const {
    args.insert(args.begin(), {SEMEL_BINARY, command, file()});
    std::map<std::string, std::string> env;
    if (!crash_at.empty()) env["SEMEL_CRASH_AT"] = crash_at;
    return run({.argv = std::move(args), .env = std::move(env)});
  }

  /// Waits until a program has the state.
  bool runs() const {
    return eventually([&] {
      return PostgresServer::value(totals_, "SELECT state FROM semel_owners") == "running";
    });
  }
  /// What the state has of a word: the last total that was shown.
  std::int64_t total(const std::string& word = "word") const {
    return std::stoll(PostgresServer::value(
        totals_, fmt::format("SELECT coalesce((SELECT total FROM totals WHERE word = '{}' ORDER BY "
                             "ctid DESC LIMIT 1), 0)",
                             word)));
  }
  /// The versions in both ledgers.
  std::vector<std::string> versions() const {
    const auto query =
        "SELECT batch_time || ' ' || last_timestamp FROM semel_progress WHERE topic = '~batches'";
    auto of_sqlite = run({.argv = {"sqlite3", batches_, query}}).out;
    while (!of_sqlite.empty() && of_sqlite.back() == '\n') of_sqlite.pop_back();
    return {PostgresServer::value(totals_, query), of_sqlite};
  }
  std::vector<std::string> beside(const std::string& word) const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path("state/count"))) {
      const auto name = entry.path().filename().string();
      if (name.starts_with("state." + word)) found.push_back(entry.path().string());
    }
    return found;
  }

 private:
  KafkaServer kafka_;  // of its own: the example reads "lines"
  int partitions_ = 2;
  TempDir dir_{"semel-tools"};
  std::string totals_;
  std::string batches_;
};

#define REQUIRE_ENDED(result, wanted)                \
  do {                                               \
    const auto ended = (result);                     \
    INFO(#result << ": " << ended.out << ended.err); \
    REQUIRE(ended.code == (wanted));                 \
  } while (false)

using Catch::Contains;

}  // namespace

TEST_CASE("the state is shown with its stages, the outputs' versions and what a start would do") {
  if (!kafka_available()) return;
  Counted count;
  auto shown = count.semel("state", {"show"});
  INFO(shown.out << shown.err);
  CHECK_THAT(shown.out, Contains("there is none"));

  count.produce(10);
  REQUIRE_ENDED(count.drain(), 0);
  shown = count.semel("state", {"show"});
  CHECK(shown.code == 0);
  CHECK_THAT(shown.out, Contains(count.state()) && Contains("at batch ") && Contains("totals ") &&
                            Contains("can go back by one batch, to the beginning") &&
                            Contains("output totals, ") && Contains("output batches, ") &&
                            Contains("a start goes on from here"));

  auto running = count.start(false);
  REQUIRE(count.runs());
  const auto refused = count.semel("state", {"checkpoint", count.path("none")});
  CHECK_THAT(refused.err, Contains(fmt::format("process {}", running.pid())) &&
                              Contains("Pipeline::checkpoint()"));
  shown = count.semel("state", {"show"});
  CHECK(shown.code == 0);
  CHECK_THAT(shown.out, Contains(fmt::format("process {}", running.pid())) &&
                            Contains("a moment ago") && Contains("totals "));
  CHECK(count.semel("state", {"empty", "--yes"}).code == 8);
  CHECK(count.semel("state", {"restore", count.state()}).code == 8);
  CHECK_FALSE(std::filesystem::exists(count.path("none")));
  // Nor is a state copied to another machine's while it changes.
  const auto elsewhere = count.path("elsewhere");
  const auto copied = run({.argv = {SEMEL_BINARY, "state", count.file(), "restore", count.state(),
                                    "--set", "state_dir=" + elsewhere}});
  INFO(copied.out << copied.err);
  CHECK(copied.code == 8);
  CHECK_THAT(copied.err, Contains(fmt::format("process {}", running.pid())));
  CHECK_FALSE(std::filesystem::exists(elsewhere + "/count/state"));
  running.signal(SIGTERM);
  CHECK(running.wait(1min)->code == 0);
}

TEST_CASE("a checkpoint that is put back is told to fit the outputs, or how they go back to it") {
  if (!kafka_available()) return;
  Counted count;
  count.produce(10);
  REQUIRE_ENDED(count.drain(), 0);
  const auto copy = count.path("copy");
  REQUIRE_ENDED(count.semel("state", {"checkpoint", copy}), 0);
  CHECK_THAT(count.semel("state", {"checkpoint", copy}).err, Contains("is not there yet"));
  auto restored = count.semel("state", {"restore", copy});
  INFO(restored.out << restored.err);
  CHECK(restored.code == 0);
  CHECK_THAT(restored.out, Contains("It fits the outputs"));
  CHECK(count.beside("before").size() == 1);

  for (int i = 0; i < 2; ++i) {
    count.produce(4);
    REQUIRE_ENDED(count.drain(), 0);
  }
  CHECK(count.total() == 18);
  restored = count.semel("state", {"restore", copy});
  CHECK(restored.code == 8);
  CHECK_THAT(restored.out, Contains("lines:0=5 lines:1=5") && Contains("--state rewind"));
  CHECK(count.beside("before").size() == 2);
  const auto refused = count.drain();
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err, Contains(count.state()) && Contains("semel state FILE restore DIR") &&
                              Contains("semel state FILE empty --yes") &&
                              Contains("set --to earliest --state empty"));

  REQUIRE_ENDED(count.semel("offsets", {"set", "--state", "rewind"}), 0);
  CHECK_THAT(count.semel("state", {"show"}).out, Contains("a start goes on from here"));
  REQUIRE_ENDED(count.drain(), 0);
  // The first ten are in the checkpoint, the others come again.
  CHECK(count.total() == 18);
  CHECK(count.semel("verify", {}).code == 0);

  const auto none = count.semel("state", {"restore", count.path("count.toml")});
  CHECK(none.code == 8);
  CHECK_THAT(none.err, Contains("there is no checkpoint"));
}

TEST_CASE("a state that is lost is told with its remedies, and begins empty where it is said") {
  if (!kafka_available()) return;
  Counted count;
  count.produce(10);
  REQUIRE_ENDED(count.drain(), 0);
  std::filesystem::remove_all(count.state());
  const auto lost = count.drain();
  CHECK(lost.code == 1);
  CHECK_THAT(lost.err, Contains("not on this machine") && Contains(count.state()) &&
                           Contains("restore DIR") && Contains("empty --yes"));
  const auto asked = count.semel("state", {"empty"});
  CHECK(asked.code == 2);
  CHECK_THAT(asked.err, Contains("--yes"));
  REQUIRE_ENDED(count.semel("state", {"empty", "--yes"}), 0);
  count.produce(3);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK(count.total() == 3);
  // What is there is kept beside it.
  REQUIRE_ENDED(count.semel("state", {"empty", "--yes"}), 0);
  REQUIRE(count.beside("before").size() == 2);

  // The state of one stage, by its name.
  count.produce(3);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK_THAT(count.semel("state", {"empty", "--stage", "other", "--yes"}).err,
             Contains("there is totals"));
  CHECK(count.semel("state", {"empty", "--stage", "totals"}).code == 2);
  REQUIRE_ENDED(count.semel("state", {"empty", "--stage", "totals", "--yes"}), 0);
  CHECK(count.beside("before").size() == 3);
  count.produce(2);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK(count.total() == 2);
}

TEST_CASE("positions of a pipeline that remembers move only with a word on the state") {
  if (!kafka_available()) return;
  Counted count;
  count.produce(10);
  REQUIRE_ENDED(count.drain(), 0);
  const auto asked = count.semel("offsets", {"set", "--to", "earliest"});
  CHECK(asked.code == 2);
  CHECK_THAT(asked.err,
             Contains("--state keep") && Contains("--state empty") && Contains("--state rewind"));
  CHECK(
      count.semel("offsets", {"set", "lines:0=0", "--state", "keep", "--output", "totals"}).code ==
      2);

  const auto dry = count.semel("offsets", {"set", "lines:0=2", "--state", "keep", "--dry-run"});
  CHECK(dry.code == 0);
  CHECK_THAT(dry.out, Contains("counts twice") && Contains("nothing was changed"));
  REQUIRE_ENDED(count.semel("offsets", {"set", "lines:0=2", "--state", "keep"}), 0);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK(count.total() == 13);

  REQUIRE_ENDED(count.semel("offsets", {"set", "--to", "earliest", "--state", "empty"}), 0);
  CHECK(count.versions()[0] == count.versions()[1]);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK(count.total() == 10);

  // The batch before.
  count.produce(6);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK(count.total() == 16);
  const auto elsewhere = count.semel("offsets", {"set", "lines:0=1", "--state", "rewind"});
  CHECK(elsewhere.code == 8);
  CHECK_THAT(elsewhere.err, Contains("lines:0=5 lines:1=5"));
  REQUIRE_ENDED(count.semel("offsets", {"set", "lines:0=5", "lines:1=5", "--state", "rewind"}), 0);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK(count.total() == 16);

  auto running = count.start(false);
  REQUIRE(count.runs());
  const auto held = count.semel("offsets", {"set", "lines:0=5", "--state", "keep", "--force"});
  CHECK(held.code == 8);
  CHECK_THAT(held.err, Contains(fmt::format("process {}", running.pid())));
}

TEST_CASE("killed between its steps, a move of positions and state is repeated and ends") {
  if (!kafka_available()) return;
  const std::map<std::string, std::vector<std::string>> ways{
      {"keep", {"moving_noted", "moving_set_output", "moving_moved_state"}},
      {"empty",
       {"moving_set_output", "moving_set_outputs", "moving_made_empty", "moving_moved_state"}},
      {"rewind",
       {"moving_set_output", "moving_set_outputs", "moving_took_back", "moving_moved_state"}}};
  Counted count;
  count.produce(10);
  REQUIRE_ENDED(count.drain(), 0);
  std::int64_t expected = 10;
  int ends = 5;
  const auto more = [&] {
    count.produce(2);
    REQUIRE_ENDED(count.drain(), 0);
    expected += 2;
    ++ends;
  };
  for (const auto& [with, places] : ways) {
    for (const auto& place : places) {
      INFO("--state " << with << ", killed at " << place);
      more();
      std::vector<std::string> args{"set"};
      if (with == "empty") {
        args.insert(args.end(), {"--to", "earliest"});
        expected = 2 * ends;
      } else {
        // One record of each partition is read again.
        args.insert(args.end(),
                    {fmt::format("lines:0={}", ends - 1), fmt::format("lines:1={}", ends - 1)});
        if (with == "keep") expected += 2;
      }
      args.insert(args.end(), {"--state", with});
      CHECK(count.semel("offsets", args, place).signal == SIGKILL);
      const auto refused = count.drain();
      CHECK(refused.code == 1);
      CHECK_THAT(refused.err, Contains("Repeat it: `semel offsets"));
      if (place == "moving_set_output") {
        CHECK(count.semel("offsets", {"set", "lines:0=0", "--state", "keep"}).code == 8);
        CHECK(count.semel("offsets", {"reset", "--output", "totals"}).code == 8);
        CHECK(count.semel("state", {"empty", "--yes"}).code == 8);
      }
      REQUIRE_ENDED(count.semel("offsets", args), 0);
      CHECK(count.versions()[0] == count.versions()[1]);
      REQUIRE_ENDED(count.drain(), 0);
      CHECK(count.total() == expected);
    }
  }
}

TEST_CASE("killed while a checkpoint is put in place, the state is the one or the other") {
  if (!kafka_available()) return;
  Counted count;
  count.produce(10);
  REQUIRE_ENDED(count.drain(), 0);
  REQUIRE_ENDED(count.semel("state", {"checkpoint", count.path("copy")}), 0);
  CHECK(count.semel("state", {"restore", count.path("copy")}, "state_made_copy").signal == SIGKILL);
  CHECK(count.semel("state", {"empty", "--yes"}, "state_made_empty").signal == SIGKILL);
  count.produce(2);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK(count.total() == 12);
  REQUIRE_ENDED(count.semel("state", {"empty", "--yes"}), 0);
  count.produce(2);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK(count.total() == 2);
}

TEST_CASE("outputs go back to a checkpoint from before a partition was there, and count it whole") {
  if (!kafka_available()) return;
  Counted count;
  count.produce(10);
  REQUIRE_ENDED(count.drain(), 0);
  const auto copy = count.path("copy");
  REQUIRE_ENDED(count.semel("state", {"checkpoint", copy}), 0);
  for (int i = 0; i < 2; ++i) {
    count.add_partition();
    count.produce(8);
    REQUIRE_ENDED(count.drain(), 0);
  }
  REQUIRE(count.total() == 26);
  CHECK(count.semel("state", {"restore", copy}).code == 8);
  REQUIRE_ENDED(count.semel("offsets", {"set", "--state", "rewind"}), 0);
  REQUIRE_ENDED(count.drain(), 0);
  CHECK(count.total() == 26);
  CHECK(count.semel("verify", {}).code == 0);
}
