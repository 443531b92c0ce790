// A pipeline in a program can always be got rid of: whatever its servers do, it returns, its
// destructor too, and the next one goes on where it was.
#include <semel/pipeline.hpp>

#include <fmt/format.h>
#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>

#include "bench/data/embedded_broker.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// A topic, and a pipeline from there into a table of `server`.
struct Moving {
  PostgresServer& server;
  std::string brokers;
  std::string dsn = server.create_database();
  TempDir dir;
  int produced = 0;

  Moving(PostgresServer& postgres, std::string kafka)
      : server(postgres), brokers(std::move(kafka)) {
    PostgresServer::execute(dsn, "CREATE TABLE events (id bigint)");
  }

  void produce(int count) {
    KafkaProducer producer(brokers);
    for (int i = 0; i < count; ++i, ++produced) {
      producer.produce("events", produced % 2, std::nullopt,
                       fmt::format("{{\"id\":{}}}", produced));
    }
    producer.flush();
  }

  std::string rows() const {
    return PostgresServer::value(dsn, "SELECT count(*) || ' ' || count(DISTINCT id) FROM events");
  }
  std::string all_rows() const { return fmt::format("{} {}", produced, produced); }

  Pipeline pipeline(bool once = false) const {
    Config config;
    config.set("name", "leaving")
        .set("source.kafka.brokers", brokers)
        .set("source.kafka.topics", std::vector<std::string>{"events"})
        .set("batch.interval", "20ms")
        .set("executors", 2)
        .set("timeouts.heartbeat", "100ms")
        .set("state_dir", dir.path().string())
        .set("sink.postgres.dsn", dsn)
        .set("sink.postgres.table", "events");
    return Pipeline::create(config, {.log = [](LogLevel, std::string_view) {}, .once = once})
        .value();
  }
};

/// A pipeline in a thread of its own, which is destroyed there.
class Life {
 public:
  explicit Life(Pipeline pipeline)
      : pipeline_(std::move(pipeline)), thread_([this] {
          const auto outcome = pipeline_->run();
          returned_ = true;
          pipeline_.reset();
          destroyed_ = true;
        }) {}
  ~Life() { thread_.join(); }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  Pipeline& pipeline() { return *pipeline_; }
  bool returned() const { return returned_; }
  bool destroyed() const { return destroyed_; }

 private:
  std::optional<Pipeline> pipeline_;
  std::atomic<bool> returned_{false};
  std::atomic<bool> destroyed_{false};
  std::thread thread_;
};

std::size_t entries_of(const char* directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

/// Thaws the server, however the test ends.
template <class Server>
struct Frozen {
  explicit Frozen(Server& frozen) : server(frozen) { server.freeze(); }
  ~Frozen() { thaw(); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
  void thaw() {
    if (std::exchange(frozen, false)) server.thaw();
  }
  Server& server;
  bool frozen = true;
};

}  // namespace

TEST_CASE("a pipeline whose database hangs is stopped and destroyed all the same") {
  const bool has_work = GENERATE(false, true);
  INFO("while a range is being written: " << has_work);
  const auto broker = kafka::EmbeddedBroker::start().value();
  broker->create_topic("events", 2).value();
  PostgresServer server;
  Moving moving(server, broker->bootstrap_servers());
  moving.produce(100);
  {
    Life life(moving.pipeline());
    REQUIRE(eventually([&] { return moving.rows() == moving.all_rows(); }));
    Frozen frozen(server);
    if (has_work) {
      moving.produce(100);
      REQUIRE(eventually([&] { return life.pipeline().snapshot().lag > 0; }));
    }
    life.pipeline().request_stop();
    CHECK(eventually([&] { return life.returned(); }));
    CHECK(eventually([&] { return life.destroyed(); }));
  }
  auto rest = moving.pipeline(true);
  REQUIRE(rest.run());
  CHECK(moving.rows() == moving.all_rows());
}

TEST_CASE("a pipeline whose database never answers is stopped before it has begun") {
  const auto broker = kafka::EmbeddedBroker::start().value();
  broker->create_topic("events", 2).value();
  PostgresServer server;
  Moving moving(server, broker->bootstrap_servers());
  moving.produce(10);
  Frozen frozen(server);
  Life life(moving.pipeline());
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  life.pipeline().request_stop();
  CHECK(eventually([&] { return life.destroyed(); }));
}

TEST_CASE("a pipeline whose broker hangs is stopped and destroyed all the same") {
  if (!kafka_available()) return;
  KafkaServer kafka;
  kafka.create_topic("events", 2);
  Moving moving(PostgresServer::shared(), kafka.bootstrap_servers());
  moving.produce(100);
  {
    Life life(moving.pipeline());
    REQUIRE(eventually([&] { return moving.rows() == moving.all_rows(); }));
    Frozen frozen(kafka);
    life.pipeline().request_stop();
    CHECK(eventually([&] { return life.destroyed(); }));
  }
  moving.produce(10);
  auto rest = moving.pipeline(true);
  REQUIRE(rest.run());
  CHECK(moving.rows() == moving.all_rows());
}

TEST_CASE("pipelines into PostgreSQL that come and go leave neither threads nor files behind") {
  const auto broker = kafka::EmbeddedBroker::start().value();
  broker->create_topic("events", 2).value();
  Moving moving(PostgresServer::shared(), broker->bootstrap_servers());
  const auto once = [&] {
    moving.produce(20);
    moving.pipeline(true).run().value();
  };
  once();  // what is made once in a process is made now, the test's own connection, too
  CHECK(moving.rows() == moving.all_rows());
  const auto files = entries_of("/proc/self/fd");
  const auto threads = entries_of("/proc/self/task");
  for (int i = 0; i < 5; ++i) once();
  CHECK(moving.rows() == moving.all_rows());
  CHECK(eventually([&] { return entries_of("/proc/self/fd") <= files; }));
  CHECK(eventually([&] { return entries_of("/proc/self/task") <= threads; }));
}

TEST_CASE(
    "two pipelines of one name in one process: the later one takes over, the other is fenced") {
  const auto broker = kafka::EmbeddedBroker::start().value();
  broker->create_topic("events", 2).value();
  Moving moving(PostgresServer::shared(), broker->bootstrap_servers());
  moving.produce(50);
  auto first = moving.pipeline();
  Result<Snapshot> of_first;
  std::thread thread([&] { of_first = first.run(); });
  REQUIRE(eventually([&] { return moving.rows() == moving.all_rows(); }));
  moving.produce(50);
  auto second = moving.pipeline(true);
  CHECK(second.run());
  CHECK(eventually([&] { return moving.rows() == moving.all_rows(); }));
  thread.join();
  REQUIRE_FALSE(of_first);
  CHECK(of_first.error().cause == Cause::fenced);
}
