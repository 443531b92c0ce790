// A pipeline as a user has it: a configuration file, a topic and a database, and the program.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

/// `semel ARGS…`
ProcessResult run_semel(std::vector<std::string> args, std::map<std::string, std::string> env = {});

/// A topic with one partition on the shared broker, a database with the table `events (id bigint
/// NOT NULL, name text)` on the shared server, and a configuration with the four values that works.
class Setup {
 public:
  explicit Setup(int partitions = 1);

  const std::string& topic() const { return topic_; }
  const std::string& dsn() const { return dsn_; }
  std::string file() const { return dir_ / "pipeline.toml"; }
  std::string state_dir() const { return dir_ / "state"; }
  std::string path(const std::string& name) const { return dir_ / name; }

  void produce(int count, int partition = 0);
  void produce_value(const std::string& value);
  void sql(const std::string& statement) const;
  std::string value(const std::string& query) const;

  /// `semel COMMAND FILE ARGS…`
  ProcessResult run(const std::string& command, std::vector<std::string> args = {}) const;
  Process start(const std::string& command, std::vector<std::string> args = {}) const;

 private:
  TempDir dir_;
  std::string topic_;
  std::string dsn_;
  int produced_ = 0;
};

/// `semel run --once`, which must end well.
void drain(const Setup& setup);

bool has(const std::string& text, const std::string& part);

/// A setting: brokers where nobody listens.
std::string nobody();

}  // namespace semel::test
