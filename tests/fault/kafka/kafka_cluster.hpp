// Three real brokers that replicate each other, so that leaders can move.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

/// KRaft, three nodes that are broker and controller both: any one of them may be away. Topics have
/// three replicas. Nodes are counted from 1. Errors throw std::runtime_error.
class KafkaCluster {
 public:
  static constexpr int nodes = 3;

  /// `settings` are added to each broker's.
  explicit KafkaCluster(const std::string& settings = {});
  ~KafkaCluster();
  KafkaCluster(const KafkaCluster&) = delete;
  KafkaCluster& operator=(const KafkaCluster&) = delete;

  std::string bootstrap_servers() const;
  /// A new topic; returns its name when every partition has a leader and all of its replicas.
  std::string create_topic(int partitions);

  /// SIGTERM: leaders are handed over before it ends; returns when it has.
  void stop(int node);
  /// SIGKILL.
  void kill(int node);
  /// Starts after stop() or kill() on the same port with the same data.
  void start(int node);

  /// The node that leads each partition; 0 where there is none. Empty where nobody answers.
  std::vector<int> leaders(const std::string& topic) const;
  /// Whether every replica of every partition is in sync.
  bool in_sync(const std::string& topic) const;

 private:
  struct Node {
    TempDir dir{"semel-kafka-node"};
    int port = 0;
    int controller_port = 0;
    std::optional<Process> process;
  };
  struct State {
    std::vector<int> leaders;
    bool in_sync = false;
  };

  Node& at(int node) { return *nodes_.at(static_cast<std::size_t>(node - 1)); }
  State ask(const std::string& topic) const;

  std::string id_;
  std::array<std::unique_ptr<Node>, nodes> nodes_;
};

}  // namespace semel::test
