#include "integration/kafka_sink/rig.hpp"

#include "kafka/topic_admin.hpp"
#include "kafka_sink/sink.hpp"
#include "kafka/topic_reader.hpp"

namespace semel::test {

namespace {

const kafka::Stop never = [] { return false; };

}  // namespace

std::string Seen::header(const std::string& name) const {
  for (const auto& [called, text] : headers) {
    if (called == name) return text.value_or("");
  }
  return "";
}

Owner owner_named(const std::string& who) {
  return {"pipe", "out", who + "-0000-4000-8000-000000000000", "test process " + who};
}

Committed committed(const Result<CommitResult>& result) {
  if (!result) FAIL(result.error().message);
  REQUIRE_FALSE(std::holds_alternative<Refused>(*result));
  return std::get<std::vector<Committed>>(*result).at(0);
}

KafkaOutput::KafkaOutput(int partitions, const std::map<std::string, std::string>& configs) {
  auto& server = KafkaServer::shared();
  options.cluster.brokers = server.bootstrap_servers();
  options.topic = unique_name("target");
  options.origin_headers = true;
  options.ledger = ledger = "semel." + options.topic;
  auto all = configs;
  // The records of the contract are years old, and keep their timestamps.
  all.try_emplace("retention.ms", "-1");
  server.create_topic(options.topic, partitions, all);
}

std::string KafkaOutput::cluster_id() {
  kafka::Options cluster;
  cluster.brokers = KafkaServer::shared().bootstrap_servers();
  return kafka::TopicAdmin::connect(cluster, "reader").value()->cluster_id(10'000).value();
}

SinkContext KafkaOutput::context(const Owner& owner, int sessions) const {
  SinkContext context;
  context.owner = owner;
  context.sessions = sessions;
  return context;
}

std::unique_ptr<Sink> KafkaOutput::open(const Owner& owner, int sessions) const {
  auto made = kafka_sink::make_sink(options, context(owner, sessions));
  if (!made) FAIL(made.error().message);
  return *std::move(made);
}

std::vector<Seen> KafkaOutput::read(const std::string& topic) const {
  auto admin = kafka::TopicAdmin::connect(options.cluster, "reader").value();
  const auto partitions = admin->describe(topic, 10'000).value().partitions;
  std::vector<Seen> all;
  for (int partition = 0; partition < partitions; ++partition) {
    auto reader =
        kafka::TopicReader::open(options.cluster, "reader", topic, partition).value();
    const auto begin = reader.begin(never).value();
    const auto end = reader.settled_end(never).value();
    const auto read = reader.read(begin, end, std::nullopt, never, [&](const Record& record) {
      Seen seen{.partition = partition, .timestamp_ms = record.timestamp_ms, .headers = {}};
      if (record.key) seen.key = *record.key;
      if (record.value) seen.value = *record.value;
      for (const auto& [name, value] : record.headers()) {
        seen.headers.emplace_back(name, value ? std::optional(std::string(*value)) : std::nullopt);
      }
      all.push_back(std::move(seen));
      return Result<void>();
    });
    if (!read) FAIL(read.error().message);
  }
  return all;
}

}  // namespace semel::test
