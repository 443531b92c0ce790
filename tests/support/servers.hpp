// Throwaway servers for tests: real ones, started on first use on free loopback ports, in a
// temporary directory, and gone when the test executable ends, even when it is killed. The recipes
// are scripts/lib/throwaway-*. Errors throw std::runtime_error with the server's last log lines.
// One thread at a time per object.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

/// A PostgreSQL cluster of this test executable: 200 connections, UTF-8, UTC, fsync on. The
/// superuser `postgres` logs in without a password. A role granted `password_login` (which exists)
/// must give its password, so that a wrong one can be tried.
class PostgresServer {
 public:
  static PostgresServer& shared();
  PostgresServer();
  ~PostgresServer();

  /// A connection string for the superuser.
  std::string dsn(const std::string& db = "postgres") const;
  /// Makes a fresh database and returns the superuser's connection string.
  std::string create_database();
  /// Runs SQL in a database, by its connection string.
  static void execute(const std::string& dsn, const std::string& sql);
  /// The first column of the first row as text; empty for NULL and for no row.
  static std::string value(const std::string& dsn, const std::string& sql);

  /// Fast shutdown: sessions are ended, data is written. Returns when it is over.
  void stop();
  /// Starts again after stop() or kill(), on the same port with the same data; returns when it
  /// answers.
  void start();
  /// The crash of a machine's processes: SIGKILL to the server and all of its backends.
  void kill();
  /// SIGSTOP to the server and all of its backends: connections stay, new ones are taken by the
  /// kernel, and nothing is answered until thaw().
  void freeze();
  void thaw();
  int port() const { return port_; }

 private:
  bool answers() const;
  std::vector<int> backends() const;

  TempDir dir_{"semel-postgres"};
  int port_ = 0;
  std::optional<Process> process_;
};

/// The same database through another port.
std::string at_port(const std::string& dsn, int port);

/// A Kafka broker (KRaft, one node) of this test executable; `auto.create.topics.enable=false`,
/// quick retention and compaction. Call kafka_available() first.
class KafkaServer {
 public:
  static KafkaServer& shared();
  KafkaServer();
  ~KafkaServer();

  std::string bootstrap_servers() const;
  int port() const { return port_; }
  /// Returns when the topic can be used: every partition has a leader.
  void create_topic(const std::string& name, int partitions,
                    const std::map<std::string, std::string>& configs = {});
  /// Returns when the broker's metadata no longer knows the topic.
  void delete_topic(const std::string& name);
  /// Raises the number of partitions to `total`; returns when they have leaders.
  void add_partitions(const std::string& name, int total);
  /// Nobody may use this consumer group any more.
  void deny_group(const std::string& group);
  /// Deletes the records before `offset`, as retention does.
  void delete_records(const std::string& name, int partition, std::int64_t offset);

  /// Nobody may see, read or write the topic, until allow_topic().
  void deny_topic(const std::string& name);
  void allow_topic(const std::string& name);
  /// From now on nobody may read the topic, though it is seen and may be written.
  void deny_reading(const std::string& name);

  /// SIGTERM; returns when it is over.
  void stop();
  /// Starts again after stop() or kill(), on the same port with the same data; returns when it
  /// answers.
  void start();
  /// SIGKILL.
  void kill();
  /// Starts after stop() or kill(), on the same port, as another cluster without topics.
  void start_afresh();
  /// SIGSTOP: connections stay, and nothing is answered until thaw().
  void freeze();
  void thaw();
  /// Where the broker keeps a partition's log segments.
  std::filesystem::path log_directory(const std::string& name, int partition) const;

 private:
  bool answers() const;

  TempDir dir_{"semel-kafka"};
  int port_ = 0;
  int controller_port_ = 0;
  std::optional<Process> process_;
};

/// Whether a broker can be started here: Java, and the jars that scripts/fetch-kafka brings (in
/// SEMEL_KAFKA_JARS or .cache/kafka-<version>/jars). If not, says why, once per test case, in the
/// line that scripts/test counts as skipped; the test then returns. With CI=true it throws instead.
bool kafka_available();
/// Where the broker's jars are, or would be.
std::string kafka_jars();

}  // namespace semel::test
