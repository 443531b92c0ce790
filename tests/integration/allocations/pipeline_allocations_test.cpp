// The whole way of a record, from Kafka's client through engine and connector to PostgreSQL, in
// this process: three times the records in the same number of batches cost no more allocations than
// their pieces of COPY. What Kafka's and PostgreSQL's C libraries allocate is theirs and not
// counted.
#include <fmt/format.h>
#include <iostream>
#include <memory>
#include <string>

#include "bench/data/embedded_broker.hpp"
#include "engine/pipeline.hpp"
#include "postgres/postgres.hpp"
#include "shapes.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel;
using shapes::Records;
using shapes::Shape;
using test::PostgresServer;

namespace {

constexpr int partitions = 4;

void produce(const std::string& brokers, const Shape& shape, const Records& records) {
  test::KafkaProducer producer(brokers);
  test::KafkaProducer::Headers headers;
  std::int64_t sent = 0;
  for (const Record& record : records.all()) {
    headers.clear();
    if (shape.headers) {
      for (const Header& header : record.headers()) {
        headers.emplace_back(std::string(header.name), header.value);
      }
    }
    producer.produce("events", static_cast<int>(sent++ % partitions), record.key, record.value,
                     headers);
  }
  producer.flush();
}

/// One batch of `count` records, from the connection of all clients to their end.
std::uint64_t allocations_of_one_batch(const Shape& shape, std::size_t count) {
  auto broker = kafka::EmbeddedBroker::start();
  REQUIRE(broker);
  REQUIRE((*broker)->create_topic("events", partitions));
  const auto dsn = PostgresServer::shared().create_database();
  PostgresServer::execute(dsn, shapes::create_table(shape, "t"));
  produce((*broker)->bootstrap_servers(), shape, Records(shape, count));

  const test::TempDir state("semel-allocations");
  engine::PipelineOptions options;
  options.name = "allocations";
  options.kafka.brokers = (*broker)->bootstrap_servers();
  options.kafka.topics = {"events"};
  options.kafka.commit_group_offsets = false;
  options.state_dir = state.path().string();
  options.once = true;
  auto sink_options = shape.options;
  sink_options.dsn = dsn;
  sink_options.table = "t";

  const auto before = test::allocations();
  engine::Pipeline pipeline(options, {{.make_sink = [&](const Owner& owner) {
                              return postgres::make_sink(sink_options, owner);
                            }}});
  const auto done = pipeline.run();
  const auto after = test::allocations();

  if (!done) FAIL(done.error().message);
  // Otherwise nothing was shown.
  CHECK(done->batches == 1);
  CHECK(done->retries == 0);
  CHECK(done->rows + done->dead_letters == count);
  CHECK(PostgresServer::value(dsn, "SELECT count(*) FROM t") == std::to_string(done->rows));
  return after - before;
}

constexpr double allocations_wanted = 0.01;

double more_allocations(const Shape& shape, const std::string& name, std::size_t count) {
  const auto few = allocations_of_one_batch(shape, count);
  const auto many = allocations_of_one_batch(shape, 3 * count);
  const auto more = static_cast<double>(many) - static_cast<double>(few);
  const auto per_record = more / (2.0 * static_cast<double>(count));
  std::cout << fmt::format(
      "{}: {} allocations for a batch of {} records, {} for one of {}: {:.5f} for a record more\n",
      name, few, count, many, 3 * count, per_record);
  return per_record;
}

double allocations_per_record(const std::string& name, std::size_t count) {
  const Shape& shape = shapes::shape_of(name);
  // What a process makes once, at the first use, counts for nobody.
  allocations_of_one_batch(shape, 100);
  double least = 1e9;
  // Where a machine is so busy that Kafka is slow, records are kept before they are written, which
  // is another way than the one that is looked at.
  for (int attempt = 0; attempt < 5 && least >= allocations_wanted; ++attempt) {
    least = std::min(least, more_allocations(shape, name, count));
  }
  return least;
}

}  // namespace

TEST_CASE("an event more costs no allocation on its whole way") {
  CHECK(allocations_per_record("events", 20'000) < allocations_wanted);
}

TEST_CASE("a record of 40 columns more costs no allocation on its whole way") {
  CHECK(allocations_per_record("wide", 4'000) < allocations_wanted);
}

TEST_CASE("a record more with mapped columns and headers costs no allocation on its whole way") {
  CHECK(allocations_per_record("mapped", 8'000) < allocations_wanted);
}

TEST_CASE("a record more that goes as COPY text costs no allocation on its whole way") {
  CHECK(allocations_per_record("text", 20'000) < allocations_wanted);
}
