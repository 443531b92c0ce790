// What a baseline's process is told, in a file that only its user can read.
#pragma once

#include <cstdint>
#include <string>

#include <semel/error.hpp>

#include "bench/semel/kind.hpp"
#include "kafka/options.hpp"
#include "postgres/options.hpp"

namespace semel::bench {

struct Spec {
  Kind kind = Kind::at_least_once;
  kafka::Options kafka;        ///< brokers, isolation and librdkafka's properties
  postgres::Options postgres;  ///< connection string and table
  std::string topic;
  int partitions = 1;
  std::int64_t records = 0;   ///< of all partitions: where the work ends
  std::string group;          ///< under which positions are kept in Kafka
  std::string progress;       ///< quoted name of the table that only the bench reads
  std::string log_directory;  ///< of the receiver's write-ahead log
  std::int64_t transaction_records = 10'000;
  int workers = 2;
};

std::string to_json(const Spec& spec);
Result<Spec> read_spec(const std::string& path);

}  // namespace semel::bench
