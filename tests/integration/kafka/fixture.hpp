// A topic of its own on the real broker for each test.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kafka/planner_client.hpp"
#include "kafka/range_reader.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"
#include "unit/kafka/reading.hpp"

namespace semel::test {

constexpr int timeout_ms = 20'000;

class Topic {
 public:
  explicit Topic(int partitions = 1, const std::map<std::string, std::string>& configs = {})
      : name(unique_name("topic")), tp{name, 0} {
    server.create_topic(name, partitions, configs);
    options.brokers = server.bootstrap_servers();
    options.topics = {name};
    options.commit_group_offsets = false;
  }

  std::unique_ptr<kafka::RangeReader> reader() const {
    return kafka::RangeReader::connect(options, "p").value();
  }
  std::unique_ptr<kafka::PlannerClient> planner() const {
    return kafka::PlannerClient::connect(options, "p").value();
  }
  OffsetRange range(Offset from, Offset until) const { return {tp, from, until}; }
  Offset latest() const { return planner()->latest({&tp, 1}, timeout_ms).value().at(tp); }
  Offset earliest() const { return planner()->earliest({&tp, 1}, timeout_ms).value().at(tp); }
  KafkaProducer producer() const { return KafkaProducer(options.brokers); }

  KafkaServer& server = KafkaServer::shared();
  std::string name;
  TopicPartition tp;
  kafka::Options options;
};

}  // namespace semel::test
