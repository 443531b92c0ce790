#include "fault/kafka/kafka_cluster.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <stdexcept>

#include "support/server_process.hpp"
#include "support/servers.hpp"

namespace semel::test {

namespace {

using Client = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;

Client new_client(const std::string& bootstrap) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap.c_str(), error, sizeof error);
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (client == nullptr) throw std::runtime_error(error);
  return {client, rd_kafka_destroy};
}

/// The broker itself answers, and knows of as many brokers as that.
bool answers(int port) {
  const auto client = new_client(fmt::format("127.0.0.1:{}", port));
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client.get(), 1, nullptr, &metadata, 2'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  bool known = false;
  for (int i = 0; i < metadata->broker_cnt; ++i) {
    known = known || metadata->brokers[i].port == port;
  }
  rd_kafka_metadata_destroy(metadata);
  return known;
}

std::string random_cluster_id() {
  std::string id;
  for (const char c : unique_name("ClusterOfThree")) {
    if (c != '_' && id.size() < 21) id += c;
  }
  id.resize(21, 'A');
  return id + "A";  // sixteen bytes: the last character holds two bits
}

}  // namespace

KafkaCluster::KafkaCluster(const std::string& settings) : id_(random_cluster_id()) {
  std::string voters;
  for (int i = 1; i <= nodes; ++i) {
    auto& node = nodes_.at(static_cast<std::size_t>(i - 1));
    node = std::make_unique<Node>();
    node->port = free_port();
    node->controller_port = free_port();
    voters += fmt::format("{}{}@127.0.0.1:{}", i == 1 ? "" : ",", i, node->controller_port);
  }
  for (int i = 1; i <= nodes; ++i) {
    // Quick to notice a death and to give leaders back.
    write_file(at(i).dir / "extra.properties",
               fmt::format(R"(node.id={}
controller.quorum.voters={}
controller.quorum.fetch.timeout.ms=1500
controller.quorum.election.timeout.ms=500
default.replication.factor={}
min.insync.replicas=1
offsets.topic.replication.factor={}
transaction.state.log.replication.factor={}
leader.imbalance.check.interval.seconds=1
leader.imbalance.per.broker.percentage=0
{}
)",
                           i, voters, nodes, nodes, nodes, settings));
  }
  // Together: one alone has no quorum, and does not answer.
  std::vector<std::future<void>> starts;
  for (int i = 1; i <= nodes; ++i) {
    starts.push_back(std::async(std::launch::async, [this, i] { start(i); }));
  }
  for (auto& started : starts) started.get();
}

KafkaCluster::~KafkaCluster() = default;

std::string KafkaCluster::bootstrap_servers() const {
  std::string servers;
  for (const auto& node : nodes_) {
    servers += fmt::format("{}127.0.0.1:{}", servers.empty() ? "" : ",", node->port);
  }
  return servers;
}

void KafkaCluster::start(int number) {
  auto& node = at(number);
  if (node.process) return;
  node.process.emplace(start_server("throwaway-kafka",
                                    {node.dir.path().string(), std::to_string(node.port),
                                     std::to_string(node.controller_port), kafka_jars()},
                                    node.dir / "server.log", "KILL",
                                    [&] { return answers(node.port); },
                                    {{"KAFKA_CLUSTER_ID", id_}}));
}

void KafkaCluster::stop(int number) {
  auto& process = at(number).process;
  if (!process) return;
  process->signal(SIGTERM);
  if (!process->wait(std::chrono::seconds(60))) process->kill();
  process.reset();
}

void KafkaCluster::kill(int number) {
  auto& process = at(number).process;
  if (!process) return;
  process->kill();
  process.reset();
}

KafkaCluster::State KafkaCluster::ask(const std::string& name) const {
  const auto client = new_client(bootstrap_servers());
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client.get(), name.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto error = rd_kafka_metadata(client.get(), 0, topic, &metadata, 5'000);
  rd_kafka_topic_destroy(topic);
  State state;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return state;
  if (metadata->topic_cnt == 1) {
    const auto& found = metadata->topics[0];
    state.leaders.resize(static_cast<std::size_t>(found.partition_cnt), 0);
    state.in_sync = found.partition_cnt > 0;
    for (int i = 0; i < found.partition_cnt; ++i) {
      const auto& partition = found.partitions[i];
      state.leaders.at(static_cast<std::size_t>(partition.id)) = std::max(partition.leader, 0);
      state.in_sync = state.in_sync && partition.isr_cnt == nodes;
    }
  }
  rd_kafka_metadata_destroy(metadata);
  return state;
}

std::vector<int> KafkaCluster::leaders(const std::string& topic) const {
  return ask(topic).leaders;
}

bool KafkaCluster::in_sync(const std::string& topic) const {
  const auto state = ask(topic);
  return state.in_sync && std::ranges::count(state.leaders, 0) == 0;
}

std::string KafkaCluster::create_topic(int partitions) {
  const auto name = unique_name("events");
  const auto client = new_client(bootstrap_servers());
  char error[512];
  rd_kafka_NewTopic_t* topic =
      rd_kafka_NewTopic_new(name.c_str(), partitions, nodes, error, sizeof error);
  if (topic == nullptr) throw std::runtime_error(error);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client.get());
  rd_kafka_CreateTopics(client.get(), &topic, 1, nullptr, queue);
  rd_kafka_event_t* answer = rd_kafka_queue_poll(queue, 60'000);
  if (answer != nullptr) rd_kafka_event_destroy(answer);
  rd_kafka_queue_destroy(queue);
  rd_kafka_NewTopic_destroy(topic);
  // Whatever was answered: what counts is that it is there.
  if (!eventually([&] {
        return in_sync(name) && leaders(name).size() == static_cast<std::size_t>(partitions);
      })) {
    throw std::runtime_error("topic " + name + " did not get its partitions");
  }
  return name;
}

}  // namespace semel::test
