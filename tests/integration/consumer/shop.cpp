#include "integration/consumer/shop.hpp"

#include <fmt/format.h>
#include <utility>

namespace semel::test {

Shop::Shop(int partitions, const std::map<std::string, std::string>& topic_configs)
    : topic(unique_name("orders")),
      dsn(PostgresServer::shared().create_database()),
      partitions_(partitions) {
  kafka.create_topic(topic, partitions, topic_configs);
  sql("CREATE TABLE orders (id bigint, p int, o bigint);"
      "CREATE TABLE audit (id bigint, at_offset bigint)");
}

ConsumerOptions Shop::options() const {
  ConsumerOptions made;
  made.pipeline = "shop";
  made.brokers = kafka.bootstrap_servers();
  made.topics = {topic};
  made.interval_ms = 20;
  made.once = true;
  return made;
}

DirectConsumer Shop::consumer(const std::function<void(ConsumerOptions&)>& change) const {
  auto made = options();
  if (change) change(made);
  return DirectConsumer(std::move(made), ledger());
}

void Shop::produce(std::int64_t count) {
  KafkaProducer producer(kafka.bootstrap_servers());
  for (std::int64_t i = 0; i < count; ++i, ++produced_) {
    const auto text = std::to_string(produced_);
    producer.produce(topic, static_cast<int>(produced_ % partitions_), text, text);
  }
  producer.flush();
}

void Shop::produce_value(const std::optional<std::string>& value, int partition) {
  KafkaProducer producer(kafka.bootstrap_servers());
  producer.produce(topic, partition, std::nullopt, value, {{"trace", "é"}});
  producer.flush();
}

std::int64_t Shop::number(const std::string& query) const {
  return std::stoll(value(query));
}

void Shop::expect_exactly_once() const {
  for (const auto* table : {"orders", "audit"}) {
    INFO(table);
    CHECK(number(fmt::format("SELECT count(*) FROM {}", table)) == produced_);
    CHECK(number(fmt::format("SELECT count(DISTINCT id) FROM {} WHERE id BETWEEN 0 AND {}", table,
                             produced_ - 1)) == produced_);
  }
  CHECK(number("SELECT count(*) FROM (SELECT from_offset, lag(until_offset) OVER (PARTITION BY "
               "topic, \"partition\" ORDER BY batch_time, epoch, from_offset) AS before FROM "
               "semel_commits) AS chain WHERE from_offset <> before") == 0);
  CHECK(number("SELECT coalesce(sum(rows), 0) FROM semel_commits") == produced_);
}

void insert_orders(pqxx::work& tx, Range& range) {
  const auto partition = range.offsets().tp.partition;
  while (const auto records = range.next()) {
    std::string orders;
    std::string audit;
    for (const auto& record : *records) {
      orders += fmt::format("{}({}, {}, {})", orders.empty() ? "" : ", ", *record.value, partition,
                            record.offset);
      audit += fmt::format("{}({}, {})", audit.empty() ? "" : ", ", *record.value, record.offset);
    }
    tx.exec("INSERT INTO orders VALUES " + orders);
    tx.exec("INSERT INTO audit VALUES " + audit);
  }
}

Range take(DirectConsumer& consumer) {
  auto range = consumer.next(std::chrono::seconds(30));
  REQUIRE(range);
  return *std::move(range);
}

void drain(DirectConsumer& consumer, pqxx::connection& connection) {
  while (!consumer.done()) {
    auto range = consumer.next(std::chrono::seconds(1));
    if (range) postgres::transact<pqxx::work>(connection, *std::move(range), insert_orders);
  }
}

std::string thrown_by(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

Cause cause_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Failed& failed) {
    return failed.error().cause;
  }
  FAIL("nothing was thrown");
  return Cause::internal;
}

}  // namespace semel::test
