// A whole installation that things are done to: a broker and a database with a hostile proxy before
// each, a topic that fills all the time, and a service manager that keeps `semel run` alive.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/hostile_kafka.hpp"
#include "support/hostile_postgres.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

/// Whatever must not be throws std::runtime_error with what the program said. One thread, but for
/// the load's own.
class World {
 public:
  static constexpr int partitions = 4;

  explicit World(std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  KafkaServer kafka;
  PostgresServer postgres;
  std::unique_ptr<HostileKafka> kafka_proxy;
  std::unique_ptr<HostilePostgres> postgres_proxy;

  const std::string& topic() const { return topic_; }
  /// The test's own way to the database, as superuser. The program's role is `soaker`.
  void sql(const std::string& statement) const { PostgresServer::execute(dsn_, statement); }
  std::int64_t number(const std::string& query) const;
  const std::string& dsn() const { return dsn_; }

  /// While true, an end of the program is an outage's: it is started again.
  void trouble(bool is) { trouble_ = is; }
  /// Lets time pass, and does what a service manager does: a program that ended is started again,
  /// unless it must not have ended.
  void tend(std::chrono::milliseconds time);
  /// The program now.
  Process& semel() { return *semel_; }
  /// SIGKILL, and started again.
  void kill();
  /// SIGTERM: ends by itself with 0; started again.
  void stop_and_start();
  /// Frozen, while a second one takes over; then it wakes up, and must end as fenced.
  void freeze_and_replace();
  /// A message that no one may read, in a transaction that is aborted.
  void abort_a_transaction();

  /// Everything that was produced up to now is committed, in every partition, within `at_most`.
  void expect_progress(std::chrono::seconds at_most);
  /// No more load; all of it arrives; the program stops when asked; every record is there once, as
  /// it was produced, every bad one is set aside, and `semel verify` agrees.
  void expect_exactly_once();

  std::int64_t produced() const { return produced_; }
  int starts() const { return starts_; }

 private:
  void produce();
  Process start();
  [[noreturn]] void fail(const std::string& what);

  TempDir dir_{"semel-soak"};
  std::string topic_;
  std::string dsn_;
  std::optional<Process> semel_;
  std::optional<Process> rival_;  ///< frozen for a while; it or the other one is fenced
  bool trouble_ = false;
  int starts_ = 0;

  std::uint64_t seed_;
  std::atomic<bool> done_ = false;
  std::atomic<std::int64_t> produced_ = 0;
  std::atomic<std::int64_t> poison_ = 0;
  std::atomic<bool> load_failed_ = false;
  mutable std::mutex producer_mutex_;
  std::vector<std::int64_t> acknowledged_;  ///< by partition: the last offset
  std::thread load_;
};

}  // namespace semel::test
