// What is measured: the command line's words as values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <semel/error.hpp>

namespace semel::bench {

/// Ways from Kafka into PostgreSQL. `direct` is semel; the others are what people write without it.
enum class Kind : std::uint8_t { direct, receiver, at_least_once, at_most_once };

std::string to_string(Kind kind);
/// "direct,receiver", "all" or "none". Direct always runs, and first.
Result<std::vector<Kind>> parse_baselines(const std::string& list);

/// KILL, TERM, INT or STOP, with or without SIG.
Result<int> parse_signal(const std::string& name);
std::string signal_name(int number);

struct Plan {
  std::string file;               ///< configuration; empty: `brokers` and `dsn`, or own servers
  std::vector<std::string> sets;  ///< overrides of settings
  std::string brokers;            ///< empty: an embedded broker
  std::string dsn;                ///< empty: a throwaway PostgreSQL
  std::int64_t records = 0;       ///< 0: by default
  std::int64_t record_size = 165;
  int partitions = 0;  ///< 0: by default
  int kills = 10;
  double kill_every_s = 2;
  int signal = 9;
  std::vector<Kind> kinds{Kind::direct};
  std::uint64_t seed = 1;
  bool keep = false;

  bool own_broker() const { return file.empty() && brokers.empty(); }
  bool own_database() const { return file.empty() && dsn.empty(); }
};

/// Fills in the defaults that depend on each other; an error where the embedded broker could not
/// keep the records.
Result<Plan> complete(Plan plan);

/// Records in one transaction at most: small enough that every start has something to do.
std::int64_t transaction_records(const Plan& plan, std::int64_t configured);

/// How many of records [0, records) are in a partition, where record i is in i % partitions.
std::int64_t records_in(std::int32_t partition, int partitions, std::int64_t records);

}  // namespace semel::bench
