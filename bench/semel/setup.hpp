// Where a benchmark takes place, and what it is done with: what all benchmarks are told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "base/log.hpp"

namespace semel::bench {

struct Setup {
  std::string file;               ///< configuration; empty: `brokers` and `dsn`, or own servers
  std::vector<std::string> sets;  ///< overrides of settings
  std::string brokers;            ///< empty: an embedded broker
  std::string dsn;                ///< empty: a throwaway PostgreSQL
  std::int64_t records = 0;       ///< 0: by default
  std::int64_t record_size = 165;
  int partitions = 0;  ///< 0: by default
  bool keep = false;   ///< topic and schema stay
  /// Records in one transaction at most; 0: as configured. Never more than configured.
  std::int64_t transaction_records = 0;
  Log log{{}, LogLevel::error};  ///< of its clients of Kafka

  bool own_broker() const { return file.empty() && brokers.empty(); }
  bool own_database() const { return file.empty() && dsn.empty(); }
};

/// An error where FILE and servers are both named.
Result<void> check_servers(const Setup& setup);

/// For a topic that is filled before it is read: fills in the defaults that depend on each other;
/// an error where the embedded broker could not keep the records.
Result<Setup> complete(Setup setup);

/// How many of records [0, records) are in a partition, where record i is in i % partitions.
std::int64_t records_in(std::int32_t partition, int partitions, std::int64_t records);

}  // namespace semel::bench
