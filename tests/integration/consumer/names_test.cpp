// What a setting is called in a message: a program has members of options, and no file.
#include <unistd.h>

#include <semel/sqlite.hpp>

#include "integration/consumer/shop.hpp"
#include "support/loopback.hpp"

namespace semel::test {

using Catch::Contains;

namespace {

/// What the consumer says, which has no word of a file in it.
std::string said_to_a_program(const ConsumerOptions& options, const LedgerFactory& ledger) {
  const auto said = thrown_by([&] {
    DirectConsumer consumer(options, ledger);
    while (!consumer.done()) consumer.next(std::chrono::seconds(1));
  });
  for (const auto* of_a_file : {"source.kafka", "sink.", "retry.", "batch.", "on_data_loss"}) {
    CHECK_THAT(said, !Contains(of_a_file));
  }
  return said;
}

}  // namespace

TEST_CASE("what is wrong with the topics is said in the names of a consumer's options") {
  if (!kafka_available()) return;
  const Shop shop;
  const auto said = [&](const std::function<void(ConsumerOptions&)>& change) {
    auto options = shop.options();
    change(options);
    return said_to_a_program(options, shop.ledger());
  };
  CHECK_THAT(said([](auto& o) { o.topics = {"no-such-topic"}; }),
             Contains("correct ConsumerOptions::topics"));
  CHECK_THAT(said([](auto& o) { o.brokers = "kafka://here:1"; }),
             Contains("ConsumerOptions::brokers holds"));
  CHECK_THAT(said([](auto& o) {
               o.topics.clear();
               o.topic_pattern = "(";
             }),
             Contains("ConsumerOptions::topic_pattern"));
  CHECK_THAT(said([](auto& o) { o.start = std::map<TopicPartition, Offset>{}; }),
             Contains("ConsumerOptions::start gives no offset"));
  CHECK_THAT(
      said([](auto& o) { o.librdkafka["group.id"] = "g"; }),
      Contains("ConsumerOptions::librdkafka: group.id") && Contains("ConsumerOptions::group_id"));
  CHECK_THAT(said([](auto& o) { o.librdkafka["no.such.property"] = "1"; }),
             Contains("ConsumerOptions::librdkafka: no.such.property"));
  CHECK_THAT(said([](auto& o) {
               o.brokers = "127.0.0.1:1";
               o.startup_timeout_ms = 1'000;
             }),
             Contains("correct ConsumerOptions::brokers"));
}

TEST_CASE("what is wrong with a ledger in PostgreSQL is said in the names of its options") {
  if (!kafka_available()) return;
  Shop shop;
  const auto said = [&](const std::string& dsn, postgres::LedgerOptions ledger) {
    auto options = shop.options();
    options.startup_timeout_ms = 3'000;
    return said_to_a_program(options, postgres::ledger(dsn, std::move(ledger)));
  };
  CHECK_THAT(said(shop.dsn + " no_such=1", {}), Contains("the DSN given to postgres::ledger()"));
  CHECK_THAT(said(shop.dsn, {.create = false}),
             Contains("postgres::LedgerOptions::create is false"));
  // The first half of a connection: nobody answers.
  const auto [deaf, port] = listen_on_loopback();
  CHECK_THAT(said("host=127.0.0.1 port=" + std::to_string(port), {.connect_timeout_ms = 300}),
             Contains("(postgres::LedgerOptions::connect_timeout_ms)"));
  close(deaf);
  shop.produce(10);
  {
    pqxx::connection connection(shop.dsn);
    auto consumer = shop.consumer();
    drain(consumer, connection);
  }
  shop.sql("CREATE SCHEMA another");
  CHECK_THAT(said(shop.dsn, {.schema = "another"}),
             Contains("Set postgres::LedgerOptions::schema"));
}

TEST_CASE("what is wrong with a ledger in SQLite is said in the names of its options") {
  if (!kafka_available()) return;
  const Shop shop;
  const TempDir directory;
  const auto letter = directory / "letter.txt";
  write_file(letter, std::string(1'000, 'x'));
  CHECK_THAT(said_to_a_program(shop.options(), sqlite::ledger(letter)),
             Contains("the file given to sqlite::ledger()"));
}

}  // namespace semel::test
