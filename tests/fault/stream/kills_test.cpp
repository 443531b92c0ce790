// The word count of the examples, with two outputs and a state, killed and stopped under load; the
// state on this machine, and in an output. SEMEL_KILL_CYCLES: how often each (the long mode: 200).
// SEMEL_STATE_KEYS: of how many different words. SEMEL_CRASH_PAIRS=all: at each pair (nights).
#include <fmt/format.h>
#include <signal.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>

#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

int wanted_of(const char* name, int otherwise) {
  const auto* wanted = std::getenv(name);
  return wanted == nullptr ? otherwise : std::stoi(wanted);
}

int cycles_wanted() {
  return wanted_of("SEMEL_KILL_CYCLES", 13);
}

/// Lines of words into topic "lines"; totals and batches in two databases of one server.
class WordCount {
 public:
  /// `state` as in a configuration.
  explicit WordCount(const std::string& state)
      : totals(PostgresServer::shared().create_database()),
        batches_((dir_.path() / "batches.db").string()) {
    kafka_.create_topic("lines", 4);
    PostgresServer::execute(totals, "CREATE TABLE totals (word text, total bigint)");
    // By SQLite itself, as a user would.
    REQUIRE(run({.argv = {"sqlite3", batches_, "CREATE TABLE batches (word TEXT, came INTEGER)"}})
                .code == 0);
    for (const auto* machine : {"", "other"}) {
      write_file(file(machine), configuration(state, dir_.path() / machine / "state"));
    }
  }

  std::string configuration(const std::string& state, const std::filesystem::path& at) const {
    return fmt::format(
        "name = \"count\"\nstate_dir = \"{}\"\nstate = \"{}\"\n{}"
        "[batch]\ninterval = \"20ms\"\nmax_records = 2000\n"
        "[source.kafka]\nbrokers = \"{}\"\ncommit_group_offsets = false\n"
        "[sink.postgres]\noutput = \"totals\"\ndsn = \"{}\"\ntable = \"totals\"\n"
        "[sink.sqlite]\noutput = \"batches\"\nfile = \"{}\"\ntable = \"batches\"\n",
        at.string(), state, state == "sink" ? "state_home = \"totals\"\n" : "",
        kafka_.bootstrap_servers(), totals, batches_);
  }

  void produce(int lines) {
    // Idempotent: a line that the producer sends again is in the topic once.
    KafkaProducer producer(kafka_.bootstrap_servers(), {{"enable.idempotence", "true"}});
    for (int i = 0; i < lines; ++i) {
      std::string line;
      for (int w = 0; w < 5; ++w) {
        // Few words often, each of the others in its turn, which is no order of keys.
        const auto word = random_() % 2 == 0 ? random_() % 50 : seldom_++ * 7'919 % words_;
        line += fmt::format("w{} ", word);
        ++expected[fmt::format("w{}", word)];
      }
      producer.produce("lines", static_cast<int>(random_() % 4), std::nullopt, line);
    }
    producer.flush();
    lines_ += lines;
    for (int partition = 0; partition < 4; ++partition) {
      const auto last = producer.last_offset("lines", partition);
      if (last) ends_.at(partition) = *last + 1;
    }
  }

  std::int64_t lines() const { return lines_; }

  /// `machine` "other": with a state directory of its own.
  Process start(bool once = false, std::map<std::string, std::string> env = {},
                const std::string& machine = "") const {
    ProcessOptions options{.argv = {SEMEL_EXAMPLE, file(machine)}, .env = std::move(env)};
    if (once) options.argv.emplace_back("--once");
    return Process(std::move(options));
  }

  /// A state at its home is read again; a plan is made again.
  void lose_cache() const {
    std::filesystem::remove_all(dir_.path() / "state" / "count" / "state-cache");
  }
  void lose_machine() const { std::filesystem::remove_all(dir_.path() / "state"); }

  /// Ends of all partitions together, in the output that is committed last.
  std::int64_t position() const {
    return std::stoll(PostgresServer::value(
        totals, "SELECT coalesce(sum(until_offset), 0) FROM semel_progress WHERE topic = 'lines'"));
  }

  /// Both outputs have what was produced: nothing else.
  void check() const {
    // The topic has each line once: otherwise what follows says nothing of the program.
    REQUIRE(std::accumulate(ends_.begin(), ends_.end(), std::int64_t{0}) == lines_);
    CHECK(position() == lines_);
    std::int64_t all = 0;
    for (const auto& [word, count] : expected) all += count;
    const auto number = [this](const std::string& query) {
      return std::stoll(PostgresServer::value(totals, query));
    };
    // A total only grows, and each is shown once.
    CHECK(number("SELECT count(*) FROM totals") ==
          number("SELECT count(*) FROM (SELECT DISTINCT word, total FROM totals) AS d"));
    CHECK(number("SELECT count(DISTINCT word) FROM totals") ==
          static_cast<std::int64_t>(expected.size()));
    CHECK(number("SELECT sum(t) FROM (SELECT max(total) AS t FROM totals GROUP BY word) AS m") ==
          all);
    const auto sqlite =
        run({.argv = {"sqlite3", "-separator", " ", batches_,
                      "SELECT word, sum(came) FROM batches GROUP BY word ORDER BY word"}});
    std::string wanted;
    for (const auto& [word, count] : expected) wanted += fmt::format("{} {}\n", word, count);
    CHECK((sqlite.out == wanted));
    // Word by word, what one output says is what the other says.
    const auto rows =
        run({.argv = {
                 "psql", "-XAtq", "-F", " ", "-d", totals, "-c",
                 "SELECT word, max(total) FROM totals GROUP BY word ORDER BY word COLLATE \"C\""}});
    CHECK((rows.out == wanted));
  }

  std::string totals;
  std::map<std::string, std::int64_t> expected;

 private:
  std::string file(const std::string& machine) const {
    return (dir_.path() / ("count" + machine + ".toml")).string();
  }

  KafkaServer kafka_;  // of its own: the example reads "lines"
  TempDir dir_{"semel-stream"};
  std::string batches_;
  std::mt19937 random_{20261126};
  unsigned words_ = static_cast<unsigned>(wanted_of("SEMEL_STATE_KEYS", 20'000));
  std::uint64_t seldom_ = 0;
  std::int64_t lines_ = 0;
  std::array<std::int64_t, 4> ends_{};
};

}  // namespace

TEST_CASE("a word count with two outputs and a state, killed and stopped, counts each word once") {
  if (!kafka_available()) return;
  const std::string state = GENERATE("local", "sink");
  WordCount count(state);
  // Each word comes: of five in a line, every other one is of those in turn.
  count.produce(std::max(2'000, wanted_of("SEMEL_STATE_KEYS", 0) / 2));
  {
    // Makes the ledgers.
    auto first = count.start(true);
    const auto end = first.wait(20min);
    REQUIRE(end);
    INFO(first.err());
    REQUIRE(end->code == 0);
  }
  std::atomic<bool> done{false};
  std::atomic<std::int64_t> stored{count.lines()};
  std::jthread load([&] {
    while (!done) {
      // What is left for the last start is bounded.
      if (count.lines() - stored < 100'000) count.produce(400);
      std::this_thread::sleep_for(20ms);
    }
  });
  std::mt19937 random(7);
  for (int cycle = 0; cycle < cycles_wanted(); ++cycle) {
    if (state == "sink" && cycle % 3 == 1) count.lose_cache();
    if (state == "sink" && cycle % 3 == 2) count.lose_machine();
    const auto before = count.position();
    stored = before;
    auto program = count.start();
    const bool moved = eventually([&] { return count.position() > before; }, 3min);
    done = !moved;
    INFO("state in " << state << ", cycle " << cycle << ": " << program.err());
    REQUIRE(moved);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
    program.kill();
  }
  done = true;
  load.join();
  auto last = count.start(true);
  const auto end = last.wait(10min);
  REQUIRE(end);
  INFO(last.err());
  CHECK(end->code == 0);
  count.check();
}

TEST_CASE("killed at each place of a batch with a state, and at two of them, it counts once") {
  if (!kafka_available()) return;
  const auto* wanted = std::getenv("SEMEL_CRASH_PAIRS");
  const bool all = wanted != nullptr && std::string(wanted) == "all";
  const std::string state = GENERATE("local", "sink");
  std::vector<std::string> places{"persisted_plan",
                                  "began_transaction",
                                  "wrote_rows",
                                  "fetched_range",
                                  "stream_committed_output",
                                  "stream_committed_output:2",
                                  "stream_committed_outputs",
                                  "stream_applied_state",
                                  "committed",
                                  "settled",
                                  "forgot_plan",
                                  "fenced",
                                  "read_ledger"};
  if (state == "local") {
    places.emplace_back("stream_prepared_state");
  } else {
    places = {"fetched_range",           "stream_before_home",        "stream_gave_state",
              "postgres_sent_state",     "sent_final_message",        "sent_final_message:2",
              "stream_committed_output", "stream_committed_output:2", "stream_read_home",
              "stream_applied_state"};
  }
  WordCount count(state);
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (std::size_t j = 0; j < places.size(); ++j) {
      // Of all pairs a third: a place with itself, and with every third one before and behind it.
      if (!all && (i + places.size() * 3 - j) % 3 != 0) continue;
      const auto& first = places[i];
      const auto& second = places[j];
      count.produce(20);
      for (const auto& place : {first, second}) {
        if (state == "sink" && (i + j) % 2 == 1) count.lose_machine();
        auto program = count.start(true, {{"SEMEL_CRASH_AT", place}});
        const auto end = program.wait(1min);
        REQUIRE(end);
        INFO(first << ", " << second << ", at " << place << ": " << program.err());
        // Behind a batch that the first one has finished, the second may have nothing to do.
        CHECK((end->signal == SIGKILL || end->code == 0));
      }
    }
  }
  auto last = count.start(true);
  const auto end = last.wait(1min);
  REQUIRE(end);
  INFO(last.err());
  CHECK(end->code == 0);
  count.check();
}

TEST_CASE("two machines that take a state at its home from each other count each word once") {
  if (!kafka_available()) return;
  WordCount count("sink");
  count.produce(2'000);
  {
    auto first = count.start(true);
    const auto end = first.wait(2min);
    REQUIRE(end);
    INFO(first.err());
    REQUIRE(end->code == 0);
  }
  std::atomic<bool> done{false};
  std::jthread load([&] {
    while (!done) {
      count.produce(300);
      std::this_thread::sleep_for(20ms);
    }
  });
  const auto moves = [&](Process& program) {
    const auto before = count.position();
    const bool moved = eventually([&] { return count.position() > before; }, 2min);
    done = !moved;
    INFO(program.err());
    REQUIRE(moved);
  };
  std::mt19937 random(3);
  auto owner = std::make_unique<Process>(count.start());
  moves(*owner);
  for (int cycle = 0; cycle < cycles_wanted() / 2; ++cycle) {
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 100));
    // In the middle of whatever it does; it wakes up when another one has its outputs.
    owner->signal(SIGSTOP);
    auto heir = std::make_unique<Process>(count.start(false, {}, cycle % 2 == 0 ? "other" : ""));
    if (random() % 2 == 0) {
      // Where it holds the lock of the file of SQLite, nobody can.
      const auto before = count.position();
      eventually([&] { return count.position() > before; }, 3s);
    }
    owner->signal(SIGCONT);
    const auto end = owner->wait(2min);
    done = !end;
    INFO("cycle " << cycle << ": " << owner->err() << heir->err());
    REQUIRE(end);
    CHECK((end->code == 5 || end->code == 0));
    owner = std::move(heir);
    moves(*owner);
  }
  done = true;
  load.join();
  owner->kill();
  auto last = count.start(true);
  const auto end = last.wait(2min);
  REQUIRE(end);
  INFO(last.err());
  CHECK(end->code == 0);
  count.check();
}
