// Pipelines that read more than whole topics of Kafka: partitions, records of their own, files,
// receivers.
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "bench/data/embedded_broker.hpp"
#include "http/client.hpp"
#include "memory/memory_sink.hpp"
#include "source/file_log.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/loopback.hpp"
#include "support/temp_dir.hpp"
#include "unit/stream/trial.hpp"

namespace semel::test {

namespace {

using stream::Message;

/// One output, and the folders of a pipeline.
struct Site {
  TempDir dir{"semel-sources"};
  std::shared_ptr<memory::MemoryStore> store = std::make_shared<memory::MemoryStore>();
  std::string brokers;

  stream::Pipeline pipeline(bool once = true, const std::string& on_data_loss = "stop") const {
    Config config;
    config.set("on_data_loss", on_data_loss).set("source.kafka.discovery_interval", "1s");
    config.set("name", "sources")
        .set("batch.interval", "20ms")
        .set("state_dir", dir.path().string());
    if (!brokers.empty()) config.set("source.kafka.brokers", brokers);
    stream::Setup setup;
    setup.once = once;
    setup.outputs.push_back(
        {.name = "out",
         .make_sink = [of = store](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
           return memory::memory_sink(of, owner);
         }});
    return stream::Pipeline(std::move(config), std::move(setup));
  }
  Values rows() const {
    const std::lock_guard lock(store->mutex);
    Values values;
    for (const auto& row : store->rows) values.push_back(row.value);
    std::ranges::sort(values);
    return values;
  }
};

void succeed(stream::Pipeline& pipeline) {
  const auto done = pipeline.run();
  INFO((done.has_value() ? "" : done.error().message));
  REQUIRE(done);
}

std::string said(const Message& message) {
  return "{\"v\":\"" + message.topic() + " " + std::string(message.key()) + " " +
         std::string(message.value()) + "\"}";
}

}  // namespace

TEST_CASE("records of the program's own go into an output once, without any Kafka") {
  const Site site;
  const auto run = [&site](const std::vector<stream::Received>& records) {
    auto pipeline = site.pipeline();
    pipeline.queue_stream("mine", records).map(said).to("out");
    succeed(pipeline);
  };
  run({{.value = "a"}, {.value = "b", .key = "k"}});
  run({{.value = "a"}, {.value = "b", .key = "k"}, {.value = "c"}});
  CHECK(site.rows() == Values{R"({"v":"+queue.mine  a"})", R"({"v":"+queue.mine  c"})",
                              R"({"v":"+queue.mine k b"})"});
}

TEST_CASE("a program that brings other records than before is told so") {
  const Site site;
  const auto run = [&site](const std::vector<stream::Received>& records) {
    auto pipeline = site.pipeline();
    pipeline.queue_stream("mine", records).map(said).to("out");
    return pipeline.run();
  };
  REQUIRE(run({{.value = "a"}}));
  const auto other = run({{.value = "A"}, {.value = "b"}});
  REQUIRE_FALSE(other);
  CHECK(other.error().cause == Cause::data_loss);
}

TEST_CASE("lines of files go into an output once, also those of later files") {
  const Site site;
  const auto files = (site.dir.path() / "in").string();
  std::filesystem::create_directory(files);
  std::ofstream(files + "/1.txt") << "a\nb\n";
  const auto run = [&] {
    auto pipeline = site.pipeline();
    pipeline.file_stream("in", {.directory = files, .settled_after_ms = 0}).map(said).to("out");
    succeed(pipeline);
  };
  run();
  std::filesystem::remove(files + "/1.txt");
  std::ofstream(files + "/2.txt") << "c\n";
  run();
  CHECK(site.rows() == Values{R"({"v":"+files.in 1.txt a"})", R"({"v":"+files.in 1.txt b"})",
                              R"({"v":"+files.in 2.txt c"})"});
}

TEST_CASE("whoever runs once waits until the files that are there are whole") {
  const Site site;
  const auto files = (site.dir.path() / "in").string();
  std::filesystem::create_directory(files);
  std::ofstream(files + "/1.txt") << "a\n";
  auto pipeline = site.pipeline();
  pipeline.file_stream("in", {.directory = files, .settled_after_ms = 300}).map(said).to("out");
  REQUIRE(pipeline.run());
  CHECK(site.rows() == Values{R"({"v":"+files.in 1.txt a"})"});
}

TEST_CASE("of files of which one is gone, all lines before it are in the output") {
  Site site;
  const auto files = (site.dir.path() / "in").string();
  std::filesystem::create_directory(files);
  std::ofstream(files + "/1.txt") << "a\n";
  const auto run = [&](bool once) {
    auto pipeline = site.pipeline(once, "skip");
    pipeline.file_stream("in", {.directory = files, .settled_after_ms = 0}).map(said).to("out");
    std::jthread stopper;
    if (!once) {
      stopper = std::jthread([&] {
        for (int i = 0; i < 4'000 && site.rows().size() < 3; ++i) {
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        pipeline.request_stop();
      });
    }
    succeed(pipeline);
  };
  run(true);
  // In the catalogue, and gone before they are read.
  std::ofstream(files + "/2.txt") << "b\n";
  std::ofstream(files + "/3.txt") << "lost\n";
  std::ofstream(files + "/4.txt") << "c\n";
  {
    const auto log =
        source::FileLog::open(
            "+files.in",
            state::open_disk((site.dir.path() / "sources/sources/files.in").string()).value(),
            {files, ".*", 0})
            .value();
    REQUIRE(log->bounds().value().end == 4);
  }
  std::filesystem::remove(files + "/3.txt");
  run(false);
  CHECK(site.rows() == Values{R"({"v":"+files.in 1.txt a"})", R"({"v":"+files.in 2.txt b"})",
                              R"({"v":"+files.in 4.txt c"})"});
}

TEST_CASE("a file that changes before it is committed is data loss, with its name") {
  const Site site;
  const auto files = (site.dir.path() / "in").string();
  std::filesystem::create_directory(files);
  std::ofstream(files + "/1.txt") << "a\nb\n";
  auto pipeline = site.pipeline(false);
  pipeline.file_stream("in", {.directory = files, .settled_after_ms = 0})
      .map([&](const Message& message) {
        // While its first line is on its way.
        std::ofstream(files + "/2.txt", std::ios::app) << "more\n";
        std::filesystem::remove(files + "/2.txt");
        return said(message);
      })
      .to("out");
  std::ofstream(files + "/2.txt") << "c\n";
  const auto done = pipeline.run();
  REQUIRE_FALSE(done);
  CHECK(done.error().cause == Cause::data_loss);
  CHECK_THAT(done.error().message, Catch::Matchers::Contains("2.txt"));
}

TEST_CASE("what a receiver has acknowledged is in the output, also after a restart before") {
  const Site site;
  const auto port = http::free_address().port;
  const auto address = "127.0.0.1:" + std::to_string(port);
  const auto send = [port](const std::string& lines, std::size_t answers) {
    int socket = -1;
    for (int i = 0; i < 1'000 && socket < 0; ++i) {
      socket = connect_to_loopback(port);
      if (socket < 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    send_all(socket, lines);
    const auto got = receive(socket, 3 * answers);
    ::close(socket);
    return got.size() / 3;
  };
  for (int round = 0; round < 2; ++round) {
    auto pipeline = site.pipeline(false);
    // As many as wait at once: what is committed does not wait, also after a restart.
    pipeline.receiver_stream("tills", stream::tcp_lines(address), {.pending_max = 2})
        .map(said)
        .to("out");
    std::thread sender([&] {
      CHECK(send(round == 0 ? "sender s\n1 a\n2 b\n" : "sender s\n2 b\n3 c\n", 2) == 2);
      pipeline.request_stop();
    });
    const auto done = pipeline.run();
    sender.join();
    REQUIRE(done);
  }
  auto pipeline = site.pipeline();
  pipeline.receiver_stream("tills", stream::tcp_lines(address)).map(said).to("out");
  REQUIRE(pipeline.run());
  CHECK(site.rows() == Values{R"({"v":"+received.tills  a"})", R"({"v":"+received.tills  b"})",
                              R"({"v":"+received.tills  c"})"});
}

TEST_CASE("partitions of Kafka, records and a file together are one batch's inputs") {
  const auto broker = kafka::EmbeddedBroker::start().value();
  broker->create_topic("left", 3).value();
  KafkaProducer producer(broker->bootstrap_servers());
  for (int partition = 0; partition < 3; ++partition) {
    producer.produce("left", partition, std::nullopt, "p" + std::to_string(partition));
  }
  producer.flush();
  Site site;
  site.brokers = broker->bootstrap_servers();
  auto pipeline = site.pipeline();
  pipeline.direct_stream_of({{"left", 0}, {"left", 2}})
      .map(said)
      .union_with(pipeline.queue_stream("mine", {{.value = "q"}}).map(said))
      .to("out");
  succeed(pipeline);
  CHECK(site.rows() ==
        Values{R"({"v":"+queue.mine  q"})", R"({"v":"left  p0"})", R"({"v":"left  p2"})"});
}

TEST_CASE("a partition that is not there, or a name that is none, is told") {
  const auto broker = kafka::EmbeddedBroker::start().value();
  broker->create_topic("left", 2).value();
  Site site;
  site.brokers = broker->bootstrap_servers();
  auto pipeline = site.pipeline();
  pipeline.direct_stream_of({{"left", 2}}).map(said).to("out");
  const auto done = pipeline.run();
  REQUIRE_FALSE(done);
  CHECK_THAT(done.error().message, Catch::Matchers::Contains("left[2]"));
  auto other = site.pipeline();
  CHECK_THROWS_AS(other.queue_stream("no/name", {}), Failed);
  CHECK_THROWS_AS(other.receiver_stream("r", nullptr), Failed);
  CHECK_THROWS_AS(other.direct_stream_of({}), Failed);
}

TEST_CASE("of two streams of one pipeline not both may have a receiver's topic, or a name") {
  const Site site;
  auto pipeline = site.pipeline();
  const auto lines = [] { return stream::tcp_lines("127.0.0.1:9500"); };
  const auto tills = pipeline.receiver_stream("tills", lines(), {.topic = "received"});
  CHECK_THROWS_AS(pipeline.receiver_stream("shops", lines(), {.topic = "received"}), Failed);
  const auto mine = pipeline.queue_stream("mine", {});
  CHECK_THROWS_AS(pipeline.queue_stream("mine", {}), Failed);
}

}  // namespace semel::test
