// A topic of orders, a database of a program's own with two tables, and a consumer between them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include <semel/consumer.hpp>
#include <semel/postgres.hpp>

#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

class Shop {
 public:
  explicit Shop(int partitions = 1, const std::map<std::string, std::string>& topic_configs = {});

  ConsumerOptions options() const;
  /// With options(), changed as it likes.
  DirectConsumer consumer(const std::function<void(ConsumerOptions&)>& change = {}) const;
  LedgerFactory ledger() const { return postgres::ledger(dsn); }

  /// Records with the next ids as values, round robin.
  void produce(std::int64_t count);
  void produce_value(const std::optional<std::string>& value, int partition = 0);

  std::int64_t number(const std::string& query) const;
  std::string value(const std::string& query) const { return PostgresServer::value(dsn, query); }
  void sql(const std::string& statement) const { PostgresServer::execute(dsn, statement); }
  /// Rows of the first table; of the second, which has one for each of the first.
  std::int64_t orders() const { return number("SELECT count(*) FROM orders"); }
  std::int64_t position() const {
    return number("SELECT coalesce(sum(until_offset), 0) FROM semel_progress");
  }
  /// Each produced id is in both tables, once, and the history joins up with as many rows.
  void expect_exactly_once() const;

  KafkaServer& kafka = KafkaServer::shared();
  std::string topic;
  std::string dsn;
  std::vector<std::string> log;  ///< lines of the consumer's, of this thread's and librdkafka's

 private:
  int partitions_;
  std::int64_t produced_ = 0;
};

/// Reads the range to its end and inserts a row into each of the two tables for each record.
void insert_orders(pqxx::work& tx, Range& range);

/// The next range; fails the test where none comes.
Range take(DirectConsumer& consumer);
/// Takes ranges and moves each by transact(), until the consumer is done().
void drain(DirectConsumer& consumer, pqxx::connection& connection);
/// The message of what `action` throws; empty: nothing.
std::string thrown_by(const std::function<void()>& action);
/// Who has to act, by the Failed that `action` throws; fails the test where it throws none.
Cause cause_of(const std::function<void()>& action);

}  // namespace semel::test
