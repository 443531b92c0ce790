#include "integration/cli/setup.hpp"

#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

namespace semel::test {

ProcessResult run_semel(std::vector<std::string> args, std::map<std::string, std::string> env) {
  args.insert(args.begin(), SEMEL_BINARY);
  return run({.argv = std::move(args), .env = std::move(env)});
}

Setup::Setup(int partitions)
    : topic_(unique_name("events")), dsn_(PostgresServer::shared().create_database()) {
  KafkaServer::shared().create_topic(topic_, partitions);
  sql("CREATE TABLE events (id bigint NOT NULL, name text)");
  write_file(file(),
             fmt::format(R"(name = "{0}"
state_dir = "{1}"
[source.kafka]
brokers = "{2}"
topics = ["{0}"]
[sink.postgres]
dsn = "{3}"
table = "events"
)",
                         topic_, state_dir(), KafkaServer::shared().bootstrap_servers(), dsn_));
}

void Setup::produce(int count, int partition) {
  KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
  for (int i = 0; i < count; ++i, ++produced_) {
    producer.produce(topic_, partition, std::nullopt,
                     fmt::format(R"({{"id":{0},"name":"n{0}"}})", produced_));
  }
  producer.flush();
}

void Setup::produce_value(const std::string& value) {
  KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
  producer.produce(topic_, 0, std::nullopt, value);
  producer.flush();
}

void Setup::sql(const std::string& statement) const {
  PostgresServer::execute(dsn_, statement);
}

std::string Setup::value(const std::string& query) const {
  return PostgresServer::value(dsn_, query);
}

ProcessResult Setup::run(const std::string& command, std::vector<std::string> args) const {
  args.insert(args.begin(), {command, file()});
  return run_semel(std::move(args));
}

Process Setup::start(const std::string& command, std::vector<std::string> args) const {
  args.insert(args.begin(), {SEMEL_BINARY, command, file()});
  return Process({.argv = std::move(args)});
}

void drain(const Setup& setup) {
  const auto result = setup.run("run", {"--once"});
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string nobody() {
  return fmt::format("source.kafka.brokers=127.0.0.1:{}", free_port());
}

}  // namespace semel::test
