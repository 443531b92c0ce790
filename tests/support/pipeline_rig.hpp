// One pipeline as a user has it: a topic on a real broker, a table in a real PostgreSQL, a
// configuration file, and the program `semel` run on them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

/// Where a rig's servers are, if they are not the shared ones.
struct RigServers {
  std::string brokers;  ///< empty: the shared broker; another one must have the topic already
  std::string topic;    ///< empty: a new one on the shared broker
  std::string dsn;      ///< empty: a new database on the shared server
};

class Rig {
 public:
  explicit Rig(int partitions = 4, std::map<std::string, std::string> topic_configs = {});
  Rig(int partitions, const RigServers& servers);

  const std::string& topic() const { return topic_; }
  const std::string& brokers() const { return brokers_; }
  /// The test's own way to the database.
  const std::string& dsn() const { return dsn_; }
  std::string state_dir() const { return dir_ / "state"; }

  /// Produces `count` records with the next ids, round robin over the partitions, ids ascending in
  /// each.
  void produce(std::int64_t count);
  /// Records produced from here on go to that many partitions.
  void spread_over(int partitions);
  /// SEMEL_TEST_WRITE says nothing from here on: the lines of configure() say how rows are written.
  /// For a table of the test's own, and for records that share a partition and an offset (of
  /// several topics, of a log made anew). Configures.
  void write_as_configured();
  /// What a role needs on the table.
  std::string privileges() const { return upserts_ ? "SELECT, INSERT, UPDATE" : "INSERT"; }
  /// One record with this value.
  void produce_value(const std::string& value, std::int32_t partition = 0);
  std::int64_t produced() const { return produced_; }

  /// Writes the configuration: the four values, the mapping of partition and offset, and more lines
  /// of TOML at the end. SEMEL_TEST_COMMIT in the environment is its batch.commit, where `lines` do
  /// not say that and the delivery allows it.
  void configure(const std::string& lines = "",
                 const std::string& columns = R"(p = "@partition", o = "@offset")");
  std::string config() const { return dir_ / "pipeline.toml"; }
  /// Ways that the program takes instead of the test's own (a proxy, say); from the next
  /// configure() on.
  void through_dsn(std::string dsn) { program_dsn_ = std::move(dsn); }
  void through_brokers(std::string brokers) { program_brokers_ = std::move(brokers); }
  /// Added to the environment of every program that is started from here on.
  void environment(std::map<std::string, std::string> variables) {
    environment_ = std::move(variables);
  }

  /// `semel COMMAND CONFIG ARGS…`
  Process start(const std::string& command = "run", std::vector<std::string> args = {});
  ProcessResult finish(const std::string& command, std::vector<std::string> args = {});
  /// `semel run --once`, which must succeed.
  void drain();

  void sql(const std::string& statement) const;
  std::string value(const std::string& query) const;
  std::int64_t number(const std::string& query) const { return std::stoll(value(query)); }
  /// What Kafka's lag tools see: the offset of the group named like the pipeline.
  std::int64_t group_offset(int partition) const;
  std::int64_t rows() const { return number("SELECT count(*) FROM events"); }
  /// Waits until the table has more rows than that.
  bool grows(std::int64_t above,
             std::chrono::milliseconds at_most = std::chrono::seconds(60)) const;

  /// Every produced id is in the table, once, with the content it was produced with; the ledger's
  /// chain holds. Fails the test otherwise.
  void expect_exactly_once() const;

 private:
  TempDir dir_;
  std::string brokers_;
  std::string topic_;
  std::string dsn_;
  std::string program_dsn_;
  std::string program_brokers_;
  std::map<std::string, std::string> environment_;
  bool upserts_;  ///< as SEMEL_TEST_WRITE says
  int partitions_;
  std::map<std::int64_t, int> partitions_from_;  ///< how many, by the first id that went to them
  std::int64_t produced_ = 0;
};

/// It runs; asked to stop, it ends well within half a minute. Fails the test otherwise.
void stop(Process& semel);

}  // namespace semel::test
