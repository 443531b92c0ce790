// Pipelines in a program: own sinks, listeners, logs, several at once.
#include <semel/pipeline.hpp>

#include <semel/forwarding.hpp>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "bench/data/embedded_broker.hpp"
#include "library/careful_sink.hpp"
#include "memory/memory_sink.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

using namespace semel;

namespace {

struct World {
  std::unique_ptr<kafka::EmbeddedBroker> broker = kafka::EmbeddedBroker::start().value();
  std::shared_ptr<memory::MemoryStore> store = std::make_shared<memory::MemoryStore>();
  test::TempDir dir;

  explicit World(int records = 100, const std::string& topic = "events") { add(records, topic); }

  void add(int records, const std::string& topic) const {
    broker->create_topic(topic, 2).value();
    test::KafkaProducer producer(broker->bootstrap_servers());
    for (int i = 0; i < records; ++i) {
      producer.produce(topic, i % 2, std::nullopt, "{\"id\":" + std::to_string(i) + "}");
    }
    producer.flush();
  }

  Config config(const std::string& topic = "events") const {
    Config config;
    config.set("name", topic)
        .set("source.kafka.brokers", broker->bootstrap_servers())
        .set("source.kafka.topics", std::vector{topic})
        .set("source.kafka.commit_group_offsets", false)
        .set("batch.interval", "20ms")
        .set("executors", 1)
        .set("state_dir", dir.path().string());
    return config;
  }

  OwnOutput own(const std::string& name = "default") const {
    return {name, [store = store](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
              return memory::memory_sink(store, owner);
            }};
  }

  std::size_t rows() const {
    const std::lock_guard lock(store->mutex);
    return store->rows.size();
  }
};

/// Writes down all it is told.
class Noting : public PipelineListener {
 public:
  void on_taken_over(std::string_view output, const TakenOver& taken) override {
    note(std::string(output) + " taken over, epoch " + std::to_string(taken.epoch));
  }
  void on_entered(std::string_view, std::span<const Progress> starts) override {
    entered += starts.size();
  }
  void on_committed(std::string_view output, BatchTime time,
                    std::span<const CommittedRange> ranges) override {
    CHECK(time.ms > 0);
    CHECK(output == "default");
    for (const auto& [range, counts] : ranges) {
      REQUIRE(counts);
      rows += counts->rows;
      offsets += static_cast<std::uint64_t>(range.until - range.from);
    }
    if (throwing) throw std::runtime_error("no room");
  }
  void on_ended(std::string_view output, const Error* error) override {
    note(std::string(output) + (error == nullptr ? " ended well" : " ended: " + error->message));
  }

  std::atomic<bool> throwing{false};
  std::uint64_t rows = 0;
  std::uint64_t offsets = 0;
  std::size_t entered = 0;
  std::vector<std::string> notes;

 private:
  void note(std::string text) { notes.push_back(std::move(text)); }
};

struct Lines {
  std::mutex mutex;
  std::vector<std::string> all;
  LogCallback callback() {
    return [this](LogLevel, std::string_view line) {
      const std::lock_guard lock(mutex);
      all.emplace_back(line);
    };
  }
  std::size_t with(const std::string& text) {
    const std::lock_guard lock(mutex);
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [&](const auto& line) { return line.find(text) != std::string::npos; }));
  }
};

std::size_t entries_of(const char* directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a pipeline moves records into a sink of the program's own, without any [sink.*]") {
  const World world;
  auto pipeline =
      Pipeline::create(world.config(), {.outputs = {world.own()}, .once = true}).value();
  const auto done = pipeline.run();
  REQUIRE(done);
  CHECK(done->rows == 100);
  CHECK(done->lag == 0);
  CHECK(world.rows() == 100);
  CHECK(pipeline.name() == "events");
  REQUIRE(pipeline.outputs().size() == 1);
  CHECK(pipeline.outputs()[0].output == "default");
  CHECK_THAT(pipeline.metrics_text(), Catch::Contains("semel_rows_total{pipeline=\"events\"} 100"));
  CHECK_THAT(pipeline.describe(), Catch::StartsWith("pipeline events: topic events at "));
  CHECK_THAT(pipeline.run().error().message, Catch::Contains("has run"));
}

TEST_CASE("a listener is told what happens, from the take-over to the end") {
  const World world;
  const auto listener = std::make_shared<Noting>();
  {
    auto pipeline = Pipeline::create(world.config(),
                                     {.listener = listener, .outputs = {world.own()}, .once = true})
                        .value();
    REQUIRE(pipeline.run());
    CHECK(listener->notes ==
          std::vector<std::string>{"default taken over, epoch 1", "default ended well"});
    CHECK(listener->rows == 100);
    CHECK(listener->offsets == 100);
    CHECK(listener->entered == 2);
  }
  // It belongs to the pipeline no longer.
  CHECK(listener.use_count() == 1);
}

TEST_CASE("a listener that throws is told of once, and records are moved all the same") {
  const World world;
  Lines lines;
  const auto listener = std::make_shared<Noting>();
  listener->throwing = true;
  auto config = world.config();
  config.set("batch.max_records_per_partition", 10).set("batch.min_records_per_partition", 1);
  auto pipeline =
      Pipeline::create(
          config,
          {.log = lines.callback(), .listener = listener, .outputs = {world.own()}, .once = true})
          .value();
  REQUIRE(pipeline.run());
  CHECK(world.rows() == 100);
  CHECK(lines.with("no room") == 1);
}

TEST_CASE("two pipelines of one process run at once, and their logs do not mix") {
  struct Complaining : PipelineListener {
    explicit Complaining(std::string text) : text_(std::move(text)) {}
    void on_ended(std::string_view, const Error*) override { throw std::runtime_error(text_); }
    std::string text_;
  };
  const World world(100, "first");
  world.add(60, "second");
  const auto other = std::make_shared<memory::MemoryStore>();
  Lines of_first;
  Lines of_second;
  const auto make = [&](const std::string& topic, std::shared_ptr<memory::MemoryStore> store,
                        Lines& lines) {
    const OwnOutput output{"default", [store](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
                             return memory::memory_sink(store, owner);
                           }};
    return Pipeline::create(world.config(topic),
                            {.log = lines.callback(),
                             .listener = std::make_shared<Complaining>("end of " + topic),
                             .outputs = {output},
                             .once = true})
        .value();
  };
  auto first = make("first", world.store, of_first);
  auto second = make("second", other, of_second);
  Result<Snapshot> done;
  std::thread thread([&] { done = second.run(); });
  CHECK(first.run().value().rows == 100);
  thread.join();
  CHECK(done.value().rows == 60);
  CHECK(of_first.with("end of first") == 1);
  CHECK(of_first.with("second") == 0);
  CHECK(of_second.with("end of second") == 1);
  CHECK(of_second.with("first") == 0);
}

TEST_CASE("pipelines that come and go leave neither threads nor open files behind") {
  const World world;
  const auto once = [&] {
    auto pipeline =
        Pipeline::create(world.config(), {.outputs = {world.own()}, .once = true}).value();
    pipeline.run().value();
  };
  once();  // what is made once in a process is made now
  const auto files = entries_of("/proc/self/fd");
  const auto threads = entries_of("/proc/self/task");
  for (int i = 0; i < 10; ++i) once();
  CHECK(entries_of("/proc/self/fd") <= files);
  CHECK(test::eventually([&] { return entries_of("/proc/self/task") <= threads; }));
}

TEST_CASE("pipelines that never ran, or were stopped before, end at once") {
  const World world;
  { const auto unused = Pipeline::create(world.config(), {.outputs = {world.own()}}).value(); }
  auto pipeline = Pipeline::create(world.config(), {.outputs = {world.own()}}).value();
  pipeline.request_stop();
  pipeline.request_stop();
  CHECK(pipeline.run());
  auto moved = std::move(pipeline);
  moved.close();
  moved.close();
  CHECK(moved.snapshot().lag >= 0);
}

TEST_CASE("a pipeline that was moved from says so, or does nothing where it cannot throw") {
  const World world;
  auto pipeline =
      Pipeline::create(world.config(), {.outputs = {world.own()}, .once = true}).value();
  auto moved = std::move(pipeline);
  // NOLINTBEGIN(bugprone-use-after-move)
  pipeline.request_stop();
  pipeline.close();
  CHECK_FALSE(pipeline.started());
  CHECK(pipeline.name().empty());
  CHECK(pipeline.log_level() == LogLevel::info);
  CHECK_THAT(pipeline.run().error().message, Catch::Contains("moved from"));
  CHECK_THROWS_WITH(pipeline.snapshot(), Catch::Contains("moved from"));
  CHECK_THROWS_WITH(pipeline.outputs(), Catch::Contains("moved from"));
  CHECK_THROWS_WITH(pipeline.metrics_text(), Catch::Contains("moved from"));
  CHECK_THROWS_WITH(pipeline.describe(), Catch::Contains("moved from"));
  CHECK_THROWS_AS(pipeline.has_standard_output(), Failed);
  // NOLINTEND(bugprone-use-after-move)
  CHECK(moved.run().value().rows == 100);
  pipeline = std::move(moved);
  CHECK(pipeline.snapshot().rows == 100);
}

TEST_CASE("a sink that throws ends its pipeline with an error that says so, and not the process") {
  const World world;
  struct Throwing : ForwardingSession {
    using ForwardingSession::ForwardingSession;
    Result<void> write(std::size_t, std::span<const Record>) override {
      throw std::runtime_error("a mistake of mine");
    }
  };
  struct ThrowingSink : ForwardingSink {
    using ForwardingSink::ForwardingSink;
    Result<std::unique_ptr<SinkSession>> open_session() override {
      return std::make_unique<Throwing>(ForwardingSink::open_session().value());
    }
  };
  auto pipeline =
      Pipeline::create(world.config(),
                       {.outputs = {{"default",
                                     [&](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
                                       return std::make_unique<ThrowingSink>(
                                           memory::memory_sink(world.store, owner));
                                     }}},
                        .once = true})
          .value();
  const auto outcome = pipeline.run();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().cause == Cause::sink);
  CHECK_THAT(outcome.error().message, Catch::Contains("output default threw in write()") &&
                                          Catch::Contains("a mistake of mine"));
  CHECK(world.rows() == 0);
}

namespace {

/// Objects to every tenth record of a partition.
struct Objecting : ForwardingSession {
  using ForwardingSession::ForwardingSession;
  Result<void> write(std::size_t task, std::span<const Record> records) override {
    for (const auto& record : records) {
      auto done = record.offset % 10 == 7
                      ? ForwardingSession::set_aside(task, record, {.reason = "it ends in 7"})
                      : ForwardingSession::write(task, {&record, 1});
      if (!done) return done;
    }
    return {};
  }
};

}  // namespace

TEST_CASE("what a session that wraps another one sets aside is a dead letter of the other's") {
  const World world;
  struct Wrapping : ForwardingSink {
    using ForwardingSink::ForwardingSink;
    Result<std::unique_ptr<SinkSession>> open_session() override {
      return std::make_unique<Objecting>(ForwardingSink::open_session().value());
    }
  };
  const auto make = [&](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
    return std::make_unique<Wrapping>(memory::memory_sink(world.store, owner));
  };
  const auto done = Pipeline::create(world.config(), {.outputs = {{"default", make}}, .once = true})
                        .value()
                        .run();
  REQUIRE(done);
  CHECK(done->rows == 90);
  CHECK(done->dead_letters == 10);
  CHECK(world.rows() == 90);
  // Of each of two partitions.
  CHECK(memory::dead_letters(*world.store) ==
        std::vector<Offset>{7, 17, 27, 37, 47, 7, 17, 27, 37, 47});
}

TEST_CASE("a sink that throws where a record is set aside is an error that says so") {
  struct Throwing : ForwardingSession {
    using ForwardingSession::ForwardingSession;
    Result<void> set_aside(std::size_t, const Record&, const Objection&) override {
      throw std::runtime_error("a mistake of mine");
    }
  };
  struct ThrowingSink : ForwardingSink {
    using ForwardingSink::ForwardingSink;
    Result<std::unique_ptr<SinkSession>> open_session() override {
      return std::make_unique<Throwing>(ForwardingSink::open_session().value());
    }
  };
  const auto sink = careful("default", std::make_unique<ThrowingSink>(memory::memory_sink(
                                           std::make_shared<memory::MemoryStore>(), {})))
                        .value();
  const auto done = sink->open_session().value()->set_aside(0, {}, {.reason = "bad"});
  REQUIRE_FALSE(done);
  CHECK(done.error().cause == Cause::sink);
  CHECK_THAT(done.error().message, Catch::Contains("output default threw in set_aside()") &&
                                       Catch::Contains("a mistake of mine"));
}

TEST_CASE("a commit that throws is in doubt, and the ledger says what became of it") {
  const World world(10);
  static std::atomic<int> throws;
  throws = 1;
  struct Throwing : ForwardingSession {
    using ForwardingSession::ForwardingSession;
    Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
      auto result = ForwardingSession::commit(ends);
      if (throws-- > 0) throw std::runtime_error("after the commit");
      return result;
    }
  };
  struct ThrowingSink : ForwardingSink {
    using ForwardingSink::ForwardingSink;
    Result<std::unique_ptr<SinkSession>> open_session() override {
      return std::make_unique<Throwing>(ForwardingSink::open_session().value());
    }
  };
  auto pipeline =
      Pipeline::create(world.config(),
                       {.outputs = {{"default",
                                     [&](const Owner& owner) -> Result<std::unique_ptr<Sink>> {
                                       return std::make_unique<ThrowingSink>(
                                           memory::memory_sink(world.store, owner));
                                     }}},
                        .once = true})
          .value();
  const auto done = pipeline.run();
  REQUIRE(done);
  CHECK(world.rows() == 10);
  CHECK(done->uncounted > 0);
}

TEST_CASE("a factory that throws, or makes nothing, is an error that says so") {
  const World world;
  const auto error_of = [&](SinkFactory make) {
    return Pipeline::create(world.config(), {.outputs = {{"default", std::move(make)}}})
        .value()
        .run()
        .error()
        .message;
  };
  CHECK_THAT(error_of([](const Owner&) -> Result<std::unique_ptr<Sink>> {
               throw std::runtime_error("not today");
             }),
             Catch::Contains("not today"));
  CHECK_THAT(error_of([](const Owner&) { return Result<std::unique_ptr<Sink>>(nullptr); }),
             Catch::Contains("output default has no sink"));
  CHECK_THAT(Pipeline::create(world.config(), {.outputs = {{"default", {}}}}).error().message,
             Catch::Contains("no make_sink"));
  CHECK_THAT(Pipeline::create(world.config(),
                              {.outputs = {world.own("a"), world.own("b")}, .only_output = "c"})
                 .error()
                 .message,
             Catch::Contains("no output c: there is a, b"));
}
