// How a pipeline writes to a topic. Filled by settings in settings.cpp; values only.
#pragma once

#include <cstdint>
#include <string>

#include "kafka/options.hpp"
#include "record/policy.hpp"

namespace semel::kafka_sink {

struct Options {
  kafka::Options cluster{.use = kafka::Use::sink};  ///< brokers and librdkafka's properties of it
  std::string topic;                                ///< that gets the records; has to exist
  std::string partition = "key";                    ///< "key", "same", or a number
  bool origin_headers = false;
  record::Policy policy;
  std::string dead_letters;  ///< topic of what the topic refuses; empty: `topic` + ".dead-letters"
  std::int64_t transaction_timeout_ms = 60'000;
  std::string ledger;   ///< topic of the ledger; empty: "semel.PIPELINE.OUTPUT"
  int replication = 0;  ///< of the topics that semel makes; 0: the broker's default
  std::int64_t keep_commits_hours =
      std::int64_t{24} * 7;  ///< age at which the history is removed; 0: never
};

}  // namespace semel::kafka_sink
