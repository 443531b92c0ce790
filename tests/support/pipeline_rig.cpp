#include "support/pipeline_rig.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

namespace semel::test {

namespace {

std::string event(std::int64_t id) {
  return fmt::format(R"({{"id":{},"name":"name-{}","amount":{}.25}})", id, id * 7919 % 1000,
                     id % 97);
}

/// SEMEL_TEST_COMMIT, where it is set: what becomes one transaction, of every rig whose test does
/// not say so itself. The weaker deliveries have one for each range.
std::string with_commit_unit(std::string lines) {
  const auto* unit = std::getenv("SEMEL_TEST_COMMIT");
  const auto says = [&](std::string_view text) { return lines.find(text) != std::string::npos; };
  if (unit == nullptr || says("\ncommit = ") || says("at_least_once") || says("at_most_once"))
    return lines;
  const std::string section = "[batch]\n";
  const auto at = lines.find(section);
  const auto line = fmt::format("commit = \"{}\"\n", unit);
  if (at == std::string::npos) return lines + "\n" + section + line;
  return lines.insert(at + section.size(), line);
}

/// SEMEL_TEST_WRITE=upsert: a record's place is its key, so that all else is as it is with append.
bool upserts() {
  const auto* write = std::getenv("SEMEL_TEST_WRITE");
  return write != nullptr && std::string_view(write) == "upsert";
}

}  // namespace

Rig::Rig(int partitions, std::map<std::string, std::string> topic_configs)
    : Rig(partitions, [&] {
        RigServers servers{.brokers = {}, .topic = unique_name("events"), .dsn = {}};
        KafkaServer::shared().create_topic(servers.topic, partitions, topic_configs);
        return servers;
      }()) {}

Rig::Rig(int partitions, const RigServers& servers)
    : brokers_(servers.brokers.empty() ? KafkaServer::shared().bootstrap_servers()
                                       : servers.brokers),
      topic_(servers.topic),
      dsn_(servers.dsn.empty() ? PostgresServer::shared().create_database() : servers.dsn),
      program_dsn_(dsn_),
      program_brokers_(brokers_),
      upserts_(upserts()),
      partitions_(partitions),
      partitions_from_{{0, partitions}} {
  if (topic_.empty()) {
    topic_ = unique_name("events");
    KafkaServer::shared().create_topic(topic_, partitions);
  }
  sql("CREATE TABLE events (id bigint, name text, amount double precision, p int, o bigint)");
  if (upserts_) sql("CREATE UNIQUE INDEX events_by_place ON events (o, p)");
  configure();
}

void Rig::write_as_configured() {
  sql("DROP INDEX IF EXISTS events_by_place");
  upserts_ = false;
  configure();
}

void Rig::produce(std::int64_t count) {
  // What is sent again when a broker dies must not be in the topic twice.
  KafkaProducer producer(brokers_,
                         {{"enable.idempotence", "true"}, {"reconnect.backoff.max.ms", "500"}});
  for (std::int64_t i = 0; i < count; ++i, ++produced_) {
    producer.produce(topic_, static_cast<std::int32_t>(produced_ % partitions_), std::nullopt,
                     event(produced_));
  }
  producer.flush();
}

void Rig::spread_over(int partitions) {
  partitions_ = partitions;
  partitions_from_[produced_] = partitions;
}

void Rig::produce_value(const std::string& value, std::int32_t partition) {
  KafkaProducer producer(brokers_);
  producer.produce(topic_, partition, std::nullopt, value);
  producer.flush();
}

void Rig::configure(const std::string& lines, const std::string& columns) {
  const auto extra = with_commit_unit(lines);
  write_file(config(), fmt::format(R"(name = "{0}"
state_dir = "{1}"
[source.kafka]
brokers = "{2}"
topics = ["{0}"]
[sink.postgres]
dsn = "{3}"
table = "events"
columns = {{ {6} }}
{4}{5}
)",
                                   topic_, state_dir(), program_brokers_, program_dsn_,
                                   upserts_ ? "write = \"upsert\"\nkey = [\"p\", \"o\"]\n" : "",
                                   extra, columns));
}

Process Rig::start(const std::string& command, std::vector<std::string> args) {
  std::vector<std::string> argv{SEMEL_BINARY, command, config()};
  argv.insert(argv.end(), args.begin(), args.end());
  return Process({.argv = std::move(argv), .env = environment_});
}

ProcessResult Rig::finish(const std::string& command, std::vector<std::string> args) {
  std::vector<std::string> argv{SEMEL_BINARY, command, config()};
  argv.insert(argv.end(), args.begin(), args.end());
  return run({.argv = std::move(argv), .env = environment_});
}

void Rig::drain() {
  const auto result = finish("run", {"--once"});
  INFO(result.out << result.err);
  REQUIRE(result.signal == 0);
  REQUIRE(result.code == 0);
}

void Rig::sql(const std::string& statement) const {
  PostgresServer::execute(dsn_, statement);
}

std::string Rig::value(const std::string& query) const {
  return PostgresServer::value(dsn_, query);
}

bool Rig::grows(std::int64_t above, std::chrono::milliseconds at_most) const {
  return eventually([&] { return rows() > above; }, at_most);
}

std::int64_t Rig::group_offset(int partition) const {
  char text[256];
  auto* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers_.c_str(), text, sizeof text);
  rd_kafka_conf_set(conf, "group.id", topic_.c_str(), text, sizeof text);
  auto* client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
  REQUIRE(client != nullptr);
  auto* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic_.c_str(), partition);
  rd_kafka_committed(client, list, 10'000);
  const auto offset = list->elems[0].offset;
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_destroy(client);
  return offset;
}

void Rig::expect_exactly_once() const {
  // The sum of a hash over the content tells more than counts: a lost and a doubled row, or a
  // mangled one, would show.
  CHECK(rows() == produced_);
  CHECK(number("SELECT count(DISTINCT id) FROM events") == produced_);
  CHECK(number(
            "SELECT count(*) FROM (SELECT p, o FROM events GROUP BY p, o HAVING count(*) > 1) d") ==
        0);
  std::string modulus = "CASE";
  for (auto from = partitions_from_.rbegin(); from != partitions_from_.rend(); ++from) {
    modulus += fmt::format(" WHEN g.id >= {} THEN {}", from->first, from->second);
  }
  modulus += " END";
  CHECK(number(fmt::format(
            "SELECT count(*) FROM generate_series(0::bigint, {} - 1) AS g(id) LEFT JOIN events "
            "USING (id) "
            "WHERE name IS DISTINCT FROM 'name-' || g.id * 7919 % 1000 OR amount IS DISTINCT FROM "
            "g.id % 97 + 0.25 "
            "OR p IS DISTINCT FROM g.id % {}",
            produced_, modulus)) == 0);
  const auto verified = run({.argv = {SEMEL_BINARY, "verify", config()}});
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
}

void stop(Process& semel) {
  const bool runs = semel.running();
  if (runs) semel.signal(SIGTERM);
  const auto ended = semel.wait(std::chrono::seconds(30));
  INFO(semel.err());
  REQUIRE(runs);
  REQUIRE(ended);
  CHECK(ended->code == 0);
}

}  // namespace semel::test
