// Health and readiness while servers go away, and clients that mean no good.
#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "integration/monitoring/scrape.hpp"
#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/pipeline_rig.hpp"
#include "support/servers.hpp"

using namespace semel;
using namespace semel::test;
using namespace std::chrono_literals;

namespace {

/// Waits until `/readyz` says so, with that among the reasons.
bool becomes(const http::Address& address, bool ready, const std::string& reason = "") {
  return eventually([&] {
    const auto page = ask(address, "/readyz");
    if (!page || page->status != (ready ? 200 : 503)) return false;
    const auto json = nlohmann::json::parse(page->text);
    return json["ready"] == ready && page->text.find(reason) != std::string::npos;
  });
}

/// What the pages said while a server was away.
struct Seen {
  bool unready = false;
  bool healthy = false;
};

/// Checks nothing: the server has to come back first.
Seen look_unready(const http::Address& address, const std::string& reason) {
  const bool unready = becomes(address, false, reason);
  return {unready, answers(address, "/healthz", 200)};
}

/// It is back by now.
void expect_noticed(const http::Address& address, const Seen& seen) {
  CHECK(seen.unready);
  CHECK(seen.healthy);
  CHECK(becomes(address, true));
}

}  // namespace

TEST_CASE("a pipeline is alive before it is ready: Kafka is away at the start") {
  if (!kafka_available()) return;
  Rig rig(1);
  const auto nobody = http::free_address();
  const auto address = http::free_address();
  rig.through_brokers(http::to_string(nobody));
  rig.configure();
  auto semel = rig.start("run", {"--http", http::to_string(address)});
  CHECK(becomes(address, false, "Kafka does not answer"));
  const auto page = ask(address, "/readyz");
  REQUIRE(page);
  const auto json = nlohmann::json::parse(page->text);
  CHECK(json["outputs"][0]["taken_over"] == false);
  CHECK(json["outputs"][0]["source_up"] == false);
  CHECK(answers(address, "/healthz", 200));
  semel.signal(SIGTERM);
  REQUIRE(semel.wait(30s));
}

TEST_CASE("a PostgreSQL that stands still is a reason not to be ready, and none to be restarted") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure("[timeouts]\nheartbeat = \"500ms\"\n");
  rig.produce(10);
  const auto address = http::free_address();
  // By their defaults it takes 40 s to be sure of it.
  auto semel = rig.start("run", {"--http", http::to_string(address),             //
                                 "--set", "sink.postgres.statement_timeout=2s",  //
                                 "--set", "sink.postgres.connect_timeout=2s"});
  REQUIRE(becomes(address, true));
  auto& postgres = PostgresServer::shared();
  postgres.freeze();
  const auto seen = look_unready(address, "the sink does not answer");
  postgres.thaw();
  expect_noticed(address, seen);
  stop(semel);
}

TEST_CASE("a Kafka that is gone is a reason not to be ready") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.produce(10);
  const auto address = http::free_address();
  auto semel = rig.start("run", {"--http", http::to_string(address)});
  REQUIRE(becomes(address, true));
  auto& kafka = KafkaServer::shared();
  kafka.kill();
  const auto seen = look_unready(address, "Kafka does not answer");
  kafka.start();
  expect_noticed(address, seen);
  stop(semel);
}

TEST_CASE("a process that is taken over from counts it, and answers nobody any more") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure("[timeouts]\nheartbeat = \"200ms\"\n");
  rig.produce(10);
  const TempDir dir;
  const auto file = dir / "first.prom";
  const auto address = http::free_address();
  auto first = rig.start("run", {"--http", http::to_string(address), "--metrics-file", file});
  REQUIRE(becomes(address, true));
  const auto other = http::free_address();
  auto second = rig.start("run", {"--http", http::to_string(other)});
  REQUIRE(becomes(other, true));
  const auto ended = first.wait(30s);
  REQUIRE(ended);
  CHECK(ended->code == 5);
  CHECK_FALSE(ask(address, "/readyz"));
  CHECK(value_of(read_file(file), "semel_fenced_total") == 1);
  const auto page = ask(other, "/metrics");
  REQUIRE(page);
  CHECK(value_of(page->text, "semel_fenced_total") == 0);
  CHECK(value_of(page->text, "semel_epoch") == 2);
  stop(second);
}

TEST_CASE("a client that hangs delays neither the records nor the end") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.produce(10);
  const auto address = http::free_address();
  auto semel = rig.start("run", {"--http", http::to_string(address)});
  REQUIRE(becomes(address, true));
  std::vector<int> hanging;
  for (int i = 0; i < 20; ++i) {
    hanging.push_back(connect_to_loopback(address.port));
    REQUIRE(send_all(hanging.back(), "GET /metrics HTTP/1.1\r\nHost: local"));
  }
  rig.produce(1'000);
  CHECK(eventually([&] { return rig.rows() == 1'010; }));
  CHECK(answers(address, "/healthz", 200));
  stop(semel);
  for (const int socket : hanging) ::close(socket);
  rig.expect_exactly_once();
}

TEST_CASE("where pages cannot or must not be served, nothing is begun and it is said why") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.produce(10);
  struct Case {
    std::vector<std::string> arguments;
    std::string said;
  };
  const auto taken = http::Server::start({.listen = {"127.0.0.1", 0, true}, .names = {}}, {});
  REQUIRE(taken);
  for (const auto& [arguments, said] : std::vector<Case>{
           {{"--http", "0.0.0.0:0"}, "auth = \"none\""},
           {{"--http", "[::]:0"}, "auth = \"none\""},
           {{"--http", "[::ffff:127.0.0.1]:0"}, "auth = \"none\""},
           {{"--http", "192.0.2.1:9400", "--set", "http.auth=none"}, "cannot listen on 192.0.2.1"},
           {{"--http", http::to_string((*taken)->address())}, "another process has the port"},
           {{"--http", ""}, "--http: an empty text is no address"},
           {{"--http", "9400"}, "--http: 9400 is no address"},
           {{"--http", "127.0.0.1"}, "--http: 127.0.0.1 is no address"},
           {{"--http", "127.0.0.1:99999"}, "--http: 127.0.0.1:99999 is no address"},
           {{"--http", "::1:9400"}, "--http: ::1:9400 is no address"},
           {{"--http", "localhost"}, "--http: localhost is no address"},
           {{"--http", "example.org:9400"}, "--http: example.org:9400 is no address"},
           {{"--set", "http.listen=9400"}, "http.listen"},
           {{"--set", "http.auth=token"}, "http.auth"},
           {{"--http"}, "--http"},
       }) {
    CAPTURE(arguments);
    auto all = arguments;
    all.insert(all.begin(), "--once");
    const auto refused = rig.finish("run", all);
    INFO(refused.err);
    CHECK(refused.code == 2);
    CHECK(refused.err.find(said) != std::string::npos);
  }
  CHECK(rig.rows() == 0);
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--http", "0.0.0.0:0", "--set", "http.auth=none"}, {"--http", "localhost:0"}}) {
    const auto wanted = rig.finish("run", [&] {
      auto all = arguments;
      all.insert(all.begin(), "--once");
      return all;
    }());
    INFO(wanted.err);
    CHECK(wanted.code == 0);
  }
  CHECK(rig.rows() == 10);
}
