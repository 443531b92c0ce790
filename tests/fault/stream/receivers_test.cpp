// Senders who number what they send, and send it again until it is acknowledged; and a receiver
// that is killed. SEMEL_RECEIVER_KILLS: how often (the long mode: 100).
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "http/client.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/loopback.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

int kills_wanted() {
  const auto* wanted = std::getenv("SEMEL_RECEIVER_KILLS");
  return wanted == nullptr ? 15 : std::stoi(wanted);
}

std::string order(std::int64_t id) {
  return fmt::format(R"({{"id":{},"item":"i{}","price":{}.5}})", id, id % 7, id % 100);
}

/// A program that receives into a table of SQLite.
class Receiving {
 public:
  explicit Receiving(std::string how, const std::string& brokers = {},
                     const std::string& name = "orders", const std::string& of_kafka = {})
      : how_(std::move(how)) {
    REQUIRE(run({.argv = {"sqlite3", file(),
                          "CREATE TABLE orders (id INTEGER, item TEXT, price REAL)"}})
                .code == 0);
    write_file(
        dir_.path() / "orders.toml",
        fmt::format("name = \"{}\"\nstate_dir = \"{}\"\n[batch]\ninterval = \"10ms\"\n{}"
                    "[sink.sqlite]\noutput = \"orders\"\nfile = \"{}\"\ntable = \"orders\"\n",
                    name, state_directory().string(),
                    brokers.empty()
                        ? ""
                        : fmt::format("[source.kafka]\nbrokers = \"{}\"\n{}", brokers, of_kafka),
                    file()));
  }

  /// With a topic the records are safe there.
  Process start(const std::string& topic = {}) const { return start_at(port, topic); }
  Process start_at(int where, const std::string& topic) const {
    ProcessOptions options{.argv = {SEMEL_RECEIVER, (dir_.path() / "orders.toml").string(), how_,
                                    fmt::format("127.0.0.1:{}", where)}};
    if (!topic.empty()) options.argv.push_back(topic);
    return Process(std::move(options));
  }
  std::filesystem::path state_directory() const { return dir_.path() / "state"; }
  /// `semel COMMAND FILE ARGS…`
  ProcessResult semel(const std::string& command, std::vector<std::string> args = {}) const {
    args.insert(args.begin(), {SEMEL_BINARY, command, (dir_.path() / "orders.toml").string()});
    return run({.argv = std::move(args)});
  }
  std::string sql(const std::string& query) const {
    return run({.argv = {"sqlite3", file(), query}}).out;
  }

  int port = semel::http::free_address().port;

 private:
  std::string file() const { return (dir_.path() / "orders.db").string(); }

  TempDir dir_{"semel-receiver"};
  std::string how_;
};

/// What is answered to orders `from` to `until`, without the latter, of sender "till"; nothing
/// where nobody listens.
std::string post_orders(int port, std::int64_t from, std::int64_t until) {
  const int socket = connect_to_loopback(port);
  if (socket < 0) return {};
  std::string body;
  for (auto id = from; id < until; ++id) body += order(id) + "\n";
  send_all(socket, fmt::format("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                               "Semel-Sender: till\r\nSemel-Sequence: {}\r\n"
                               "Content-Length: {}\r\n\r\n{}",
                               from, body.size(), body));
  auto answer = receive(socket);
  ::close(socket);
  return answer;
}
bool is_kept(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 200");
}

/// Sends orders 1, 2, … one lot after the other, each again until it is acknowledged.
class Sender {
 public:
  /// Goes on behind those that were acknowledged before.
  Sender(std::string how, int port, std::int64_t acknowledged = 0)
      : how_(std::move(how)),
        port_(port),
        acknowledged_(acknowledged),
        thread_([this] { run(); }) {}
  ~Sender() { end(); }
  /// How many were acknowledged. What was sent then is sent to its end.
  std::int64_t end() {
    ends_ = true;
    if (thread_.joinable()) thread_.join();
    return acknowledged_;
  }
  std::int64_t acknowledged() const { return acknowledged_; }

 private:
  static constexpr int lot = 20;

  void run() {
    while (!ends_) {
      const auto kept = how_ == "http" ? post() : send_lines();
      acknowledged_ += kept;
      if (kept < lot) std::this_thread::sleep_for(2ms);
    }
    // Ends with an answer at the end of a lot, so that all that was ever sent is acknowledged.
    for (int attempt = 0, kept = 0; attempt < 5'000; ++attempt) {
      kept = how_ == "http" ? post() : send_lines();
      acknowledged_ += kept;
      if (kept > 0 && acknowledged_ % lot == 0) return;
      std::this_thread::sleep_for(2ms);
    }
  }

  /// As many as are left of the lot.
  int left() const { return lot - static_cast<int>(acknowledged_ % lot); }

  int send_lines() const {
    const int socket = connect_to_loopback(port_);
    if (socket < 0) return 0;
    std::string text = "sender till\n";
    for (int i = 1; i <= left(); ++i) {
      text += fmt::format("{} {}\n", acknowledged_ + i, order(acknowledged_ + i));
    }
    send_all(socket, text);
    const auto answers = receive(socket, 3 * static_cast<std::size_t>(left()));
    ::close(socket);
    return static_cast<int>(answers.size() / 3);
  }

  int post() const {
    return is_kept(post_orders(port_, acknowledged_ + 1, acknowledged_ + 1 + left())) ? left() : 0;
  }

  std::string how_;
  int port_;
  std::atomic<bool> ends_{false};
  std::atomic<std::int64_t> acknowledged_;
  std::thread thread_;
};

/// The program is killed so often, each time a moment after it has acknowledged something; `killed`
/// comes then. At the end what was acknowledged is there, once.
void kill_again_and_again(
    const Receiving& receiving, const std::string& how, int kills, const std::string& topic = {},
    const std::function<void()>& killed = [] {}) {
  Sender sender(how, receiving.port);
  std::mt19937 random(11);
  for (int kill = 0; kill < kills; ++kill) {
    const auto before = sender.acknowledged();
    auto program = receiving.start(topic);
    const bool moved = eventually([&] { return sender.acknowledged() > before; }, 1min);
    INFO(program.err());
    REQUIRE(moved);
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 80));
    program.kill();
    killed();
  }
  auto program = receiving.start(topic);
  const auto sent = sender.end();
  INFO(program.err());
  REQUIRE(sent >= kills);
  CHECK(eventually(
      [&] { return receiving.sql("SELECT count(*) FROM orders") == fmt::format("{}\n", sent); },
      1min));
  CHECK(receiving.sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM orders") ==
        fmt::format("{0}|{0}|1|{0}\n", sent));
  program.signal(SIGTERM);
  CHECK(program.wait(1min)->code == 0);
}

}  // namespace

TEST_CASE("a receiver that is killed loses nothing that it acknowledged, and doubles nothing") {
  const std::string how = GENERATE("tcp", "http");
  INFO(how);
  kill_again_and_again(Receiving(how), how, kills_wanted());
}

TEST_CASE("a receiver with its log in Kafka, killed and begun on another machine, loses nothing") {
  if (!kafka_available()) return;
  const std::string how = GENERATE("tcp", "http");
  INFO(how);
  KafkaServer kafka;
  const Receiving receiving(how, kafka.bootstrap_servers());
  kill_again_and_again(receiving, how, kills_wanted() / 2, "received",
                       [&] { std::filesystem::remove_all(receiving.state_directory()); });
}

TEST_CASE("a receiver that stood still while another one has its topic adds nothing, and ends") {
  if (!kafka_available()) return;
  KafkaServer kafka;
  Receiving receiving("tcp", kafka.bootstrap_servers());
  auto stopped = receiving.start("received");
  Sender first("tcp", receiving.port);
  REQUIRE(eventually([&] { return first.acknowledged() > 100; }, 1min));
  stopped.signal(SIGSTOP);
  const auto before = first.acknowledged();

  const auto port = semel::http::free_address().port;
  auto heir = receiving.start_at(port, "received");
  Sender second("tcp", port, before);
  const bool moved = eventually([&] { return second.acknowledged() > before + 100; }, 1min);
  INFO(heir.err());
  REQUIRE(moved);
  stopped.signal(SIGCONT);
  // The first sender's lot comes to both; its numbers are known to whoever writes.
  const auto end = stopped.wait(1min);
  INFO(stopped.err());
  REQUIRE(end);
  CHECK(end->code == 5);
  const auto sent = std::max(first.end(), second.end());
  // The first one may have been ahead for a moment.
  const auto all_once = fmt::format(
      "SELECT count(*) = count(DISTINCT id) AND min(id) = 1 AND max(id) = count(*) AND "
      "count(*) >= {} FROM orders",
      sent);
  CHECK(eventually([&] { return receiving.sql(all_once) == "1\n"; }, 1min));
  heir.signal(SIGTERM);
  CHECK(heir.wait(1min)->code == 0);
}

TEST_CASE("the commands take the file of a program that reads no Kafka, as it is") {
  Receiving receiving("tcp");
  const auto before = receiving.semel("check");
  INFO(before.out << before.err);
  CHECK_THAT(before.out, Catch::Contains("no [source.kafka]"));
  Sender sender("tcp", receiving.port);
  auto program = receiving.start();
  REQUIRE(eventually([&] { return sender.acknowledged() > 0; }, 1min));
  const auto sent = sender.end();
  REQUIRE(eventually(
      [&] { return receiving.sql("SELECT count(*) FROM orders") == fmt::format("{}\n", sent); }));
  program.signal(SIGTERM);
  REQUIRE(program.wait(1min)->code == 0);

  const auto status = receiving.semel("status");
  INFO(status.out << status.err);
  CHECK(status.code == 0);
  CHECK_THAT(status.out, Catch::Contains("+received.orders[0]") &&
                             Catch::Contains("there is no [source.kafka]"));
  CHECK_THAT(receiving.semel("status", {"--json"}).out, Catch::Contains("\"kafka\": null"));
  CHECK(receiving.semel("check").code == 0);
  CHECK(receiving.semel("verify").code == 0);
  const auto state = receiving.semel("state", {"show"});
  CHECK(state.code == 0);
  CHECK_THAT(state.out, Catch::Contains("there is none"));

  CHECK_THAT(receiving.semel("offsets", {"set", "--to", "earliest"}).err,
             Catch::Contains("there is no [source.kafka]"));
  CHECK(receiving.semel("offsets", {"set", "+received.orders:0=1"}).code == 2);
  CHECK(receiving.semel("offsets", {"set", "+received.orders:0=1", "--force"}).code == 0);
  CHECK_THAT(receiving.semel("offsets", {"show"}).out, Catch::Contains("+received.orders[0]"));
}

TEST_CASE("a topic that takes small batches only takes what is posted at once") {
  if (!kafka_available()) return;
  KafkaServer kafka;
  kafka.create_topic("received", 1, {{"max.message.bytes", "2000"}});
  const Receiving receiving("http", kafka.bootstrap_servers());
  auto program = receiving.start("received");
  const bool kept = eventually([&] { return is_kept(post_orders(receiving.port, 1, 1'001)); }, 30s);
  INFO(program.err());
  REQUIRE(kept);
  CHECK(eventually(
      [&] {
        return receiving.sql("SELECT count(*), count(DISTINCT id) FROM orders") == "1000|1000\n";
      },
      30s));
  program.signal(SIGTERM);
  CHECK(program.wait(1min)->code == 0);
}

TEST_CASE("two pipelines that receive into one topic keep what a sender repeats once") {
  if (!kafka_available()) return;
  KafkaServer kafka;
  const Receiving one("http", kafka.bootstrap_servers(), "one");
  const Receiving other("http", kafka.bootstrap_servers(), "other");
  auto first = one.start("received");
  auto second = other.start("received");
  const auto must_keep = [&](const Receiving& by, int from, int until) {
    const bool kept = eventually([&] { return is_kept(post_orders(by.port, from, until)); }, 30s);
    INFO(first.err() << second.err());
    REQUIRE(kept);
  };
  must_keep(one, 1, 21);
  must_keep(other, 21, 41);
  // The answer was lost, and whoever sends tries the other one.
  must_keep(one, 21, 41);
  must_keep(other, 41, 61);
  must_keep(one, 61, 81);
  for (const auto* each : {&one, &other}) {
    CHECK(eventually([&] { return each->sql("SELECT max(id) FROM orders") == "80\n"; }, 30s));
    CHECK(each->sql("SELECT count(*), count(DISTINCT id) FROM orders") == "80|80\n");
  }
}

TEST_CASE("a receiver's topic is not read with what never was committed there") {
  if (!kafka_available()) return;
  const Receiving receiving("http", KafkaServer::shared().bootstrap_servers(), "orders",
                            "isolation = \"read_uncommitted\"\n");
  auto program = receiving.start(unique_name("received"));
  const auto end = program.wait(20s);
  INFO(program.err());
  REQUIRE(end);
  CHECK(end->code == 1);
  CHECK_THAT(program.err(), Catch::Contains("source.kafka.isolation"));
  program.kill();
}

TEST_CASE("a topic that keeps nothing is told, and that it keeps again") {
  if (!kafka_available()) return;
  KafkaServer kafka;
  kafka.create_topic("received", 1);
  const Receiving receiving("http", kafka.bootstrap_servers());
  auto program = receiving.start("received");
  const auto tell = [&](const std::string& what) {
    const bool told =
        eventually([&] { return program.err().find(what) != std::string::npos; }, 60s);
    INFO(program.err());
    CHECK(told);
  };
  REQUIRE(eventually([&] { return is_kept(post_orders(receiving.port, 1, 11)); }, 30s));
  kafka.deny_topic("received.senders");
  CHECK_FALSE(is_kept(post_orders(receiving.port, 11, 21)));
  tell("receiver orders: nothing is kept");
  tell("received.senders");
  kafka.allow_topic("received.senders");
  CHECK(eventually([&] { return is_kept(post_orders(receiving.port, 11, 21)); }, 60s));
  tell("receiver orders: what comes is kept again");
  program.signal(SIGTERM);
  CHECK(program.wait(1min)->code == 0);
}

TEST_CASE("senders' numbers behind a transaction that somebody left open are waited for") {
  if (!kafka_available()) return;
  KafkaServer kafka;
  const Receiving receiving("http", kafka.bootstrap_servers());
  const auto post = [&](int from, int until) {
    std::string answer;
    eventually([&] { return !(answer = post_orders(receiving.port, from, until)).empty(); }, 30s);
    return answer;
  };
  auto first = receiving.start("received");
  REQUIRE(is_kept(post(1, 21)));
  KafkaProducer stranger(kafka.bootstrap_servers(), {{"transactional.id", "stranger"}});
  stranger.begin();
  stranger.produce("received.senders", 0, "another", "1");
  stranger.flush();
  REQUIRE(is_kept(post(21, 41)));
  first.kill();
  // The answer was lost, say.
  auto second = receiving.start("received");
  CHECK_FALSE(is_kept(post(21, 41)));
  CHECK_THAT(second.err(), Catch::Contains("received.senders has a transaction that is open"));
  stranger.abort();
  CHECK(eventually([&] { return is_kept(post(21, 41)); }, 30s));
  REQUIRE(is_kept(post(41, 61)));
  CHECK(eventually([&] { return receiving.sql("SELECT max(id) FROM orders") == "60\n"; }, 30s));
  CHECK(receiving.sql("SELECT count(*), count(DISTINCT id) FROM orders") == "60|60\n");
}

TEST_CASE("a topic whose broker is killed again and again has what was acknowledged once") {
  if (!kafka_available()) return;
  KafkaServer kafka;
  const Receiving receiving("http", kafka.bootstrap_servers());
  auto program = receiving.start("received");
  Sender sender("http", receiving.port);
  for (int kill = 0; kill < 3; ++kill) {
    const auto before = sender.acknowledged();
    const bool moved = eventually([&] { return sender.acknowledged() > before + 100; }, 2min);
    INFO(program.err());
    REQUIRE(moved);
    kafka.kill();
    kafka.start();
  }
  const auto sent = sender.end();
  CHECK(eventually(
      [&] { return receiving.sql("SELECT count(*) FROM orders") == fmt::format("{}\n", sent); },
      2min));
  CHECK(receiving.sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM orders") ==
        fmt::format("{0}|{0}|1|{0}\n", sent));
  // It ends also where the broker stands still.
  kafka.freeze();
  std::jthread late([&] { post_orders(receiving.port, sent + 1, sent + 21); });
  std::this_thread::sleep_for(100ms);
  program.signal(SIGTERM);
  const auto end = program.wait(2min);
  INFO(program.err());
  CHECK(end);
  kafka.thaw();
}
