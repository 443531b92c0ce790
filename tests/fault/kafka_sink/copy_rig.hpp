// One pipeline from topic to topic, and kcat as the reader of what it wrote: nobody here wrote it.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

struct rd_kafka_s;

namespace semel::test {

/// Whether kcat is here; if not, says so, once per test case, as kafka_available() does.
bool kcat_available();

class CopyRig {
 public:
  explicit CopyRig(int partitions = 4);

  const std::string& source() const { return source_; }
  std::string target() const { return source_ + ".copy"; }
  /// `lines`: more TOML at the end, after [sink.kafka].
  void configure(const std::string& lines = "", const std::string& transaction_timeout = "10s");
  /// Another way to the target than the broker's own.
  void through_brokers(std::string brokers) { sink_brokers_ = std::move(brokers); }
  void environment(std::map<std::string, std::string> variables) {
    environment_ = std::move(variables);
  }

  /// Records with ascending ids, whose keys each stay in one partition.
  void produce(std::int64_t count);
  std::int64_t produced() const { return produced_; }

  /// `state`: a machine's own state directory.
  Process start(const std::string& state = "a", std::vector<std::string> args = {});
  ProcessResult finish(const std::string& command, std::vector<std::string> args = {});
  /// `semel run --once`, which must succeed.
  void drain();

  /// By kcat, with isolation.level=read_committed: "partition key value" of each record.
  std::vector<std::string> read() const;
  /// Offsets of the target that a reader of committed records has before it: records and markers.
  std::int64_t ends() const;
  bool grows(std::int64_t above) const;
  /// Waits until as many records are there as were produced.
  bool all_there() const;
  /// Every id is there, once, in the partition of its key, in order; `semel verify` says so, too.
  void expect_exactly_once();

 private:
  TempDir dir_;
  int partitions_;
  std::string brokers_;
  std::string sink_brokers_;
  std::string source_;
  std::map<std::string, std::string> environment_;
  std::int64_t produced_ = 0;
  std::unique_ptr<rd_kafka_s, void (*)(rd_kafka_s*)> asks_;
};

/// Records keep coming until it is told to finish.
class CopyLoad {
 public:
  explicit CopyLoad(CopyRig& rig);
  ~CopyLoad() { finish(); }
  CopyLoad(const CopyLoad&) = delete;
  CopyLoad& operator=(const CopyLoad&) = delete;
  void finish();

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace semel::test
