#include "bench/semel/baselines/spec.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

namespace semel::bench {

std::string to_json(const Spec& spec) {
  const nlohmann::json json{{"kind", static_cast<int>(spec.kind)},
                            {"brokers", spec.kafka.brokers},
                            {"isolation", static_cast<int>(spec.kafka.isolation)},
                            {"librdkafka", spec.kafka.librdkafka},
                            {"dsn", spec.postgres.dsn},
                            {"table", spec.postgres.table},
                            {"topic", spec.topic},
                            {"partitions", spec.partitions},
                            {"records", spec.records},
                            {"group", spec.group},
                            {"progress", spec.progress},
                            {"log_directory", spec.log_directory},
                            {"transaction_records", spec.transaction_records},
                            {"workers", spec.workers}};
  return json.dump(1);
}

Result<Spec> read_spec(const std::string& path) {
  try {
    std::ifstream file(path);
    const auto json = nlohmann::json::parse(file);
    Spec spec;
    spec.kind = static_cast<Kind>(json.at("kind").get<int>());
    spec.kafka.brokers = json.at("brokers");
    spec.kafka.isolation = static_cast<kafka::Isolation>(json.at("isolation").get<int>());
    spec.kafka.librdkafka = json.at("librdkafka").get<std::map<std::string, std::string>>();
    spec.postgres.dsn = json.at("dsn");
    spec.postgres.table = json.at("table");
    spec.topic = json.at("topic");
    spec.partitions = json.at("partitions");
    spec.records = json.at("records");
    spec.group = json.at("group");
    spec.progress = json.at("progress");
    spec.log_directory = json.at("log_directory");
    spec.transaction_records = json.at("transaction_records");
    spec.workers = json.at("workers");
    return spec;
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorKind::fatal, Cause::configuration, path + ": " + error.what());
  }
}

}  // namespace semel::bench
