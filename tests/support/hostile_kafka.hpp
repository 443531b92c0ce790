// A Kafka proxy that does what clusters do on bad days: slow, throttled, silent, cut off, without
// leaders, another cluster, logins refused, damaged bytes. It knows where requests and answers
// begin, and rewrites the brokers' addresses in answers, so that clients stay behind it.
//
//   HostileKafka proxy(kafka.port());          // broker on 127.0.0.1, without TLS
//   rig.through_brokers(proxy.address());
//   proxy.delay(Api::fetch, 4'000ms);          // each answer, and what queues behind it
//   proxy.damage({.topic = rig.topic(), .offset = 105, .damage = Damage::magic});
//
// A client that is configured for SASL PLAIN logs in at the proxy itself, whatever its password;
// the broker behind it needs no security. As a program of its own
// (build/…/tests/support/hostile-kafka BROKER_PORT) it says "port N" and takes the commands of
// obey(), a line each, from standard input.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "support/kafka_frames.hpp"

namespace semel::test {

/// Thread safe: everything may be changed while clients are connected.
class HostileKafka {
 public:
  /// A listener for the broker at 127.0.0.1:`broker_port`, and one for each other broker of the
  /// cluster as soon as an answer names it.
  explicit HostileKafka(int broker_port);
  ~HostileKafka();
  HostileKafka(const HostileKafka&) = delete;
  HostileKafka& operator=(const HostileKafka&) = delete;

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// Answers of this kind come so much later; like a broker, it answers a connection in order, so
  /// whatever was asked behind such a question waits as well. 0: no more.
  void delay(Api api, std::chrono::milliseconds by);
  /// All answers together, at most; 0: no limit. Takes a second's worth at once at most.
  void throttle(std::int64_t bytes_per_second);
  /// Connections are accepted and stay, and nothing is said any more, until resume().
  void stop();
  void resume();
  /// Every connection, now.
  void cut();
  /// New connections are closed at once; cuts the present ones.
  void refuse_connections(bool refused);
  void refuse_logins(bool refused);
  /// Metadata says so of a partition.
  void leaderless(const std::string& topic, std::int32_t partition, bool is = true);
  /// This error (Kafka's number) instead of a partition's answer to Fetch or ListOffsets; 0: none.
  void fail(Api api, const std::string& topic, std::int32_t partition, std::int16_t error);
  /// The cluster gives this id, of 22 characters; empty: its own.
  void pretend_cluster(const std::string& id);
  /// Another broker behind this address; cuts the connections.
  void target(int broker_port);
  void damage(const DamagedBatch& batch);
  /// No batch is damaged any more.
  void mend();

  /// Requests of this kind so far.
  int requests(Api api) const;
  /// Batches that were damaged so far.
  int damages() const;
  /// Bytes of answers that clients got so far.
  std::int64_t answered_bytes() const { return answered_bytes_; }
  /// Answers that could not be understood, and were passed on as they were: 0, or a bug here.
  int not_understood() const { return not_understood_; }

  /// A command in words: "delay fetch 4000", "throttle 100000", "stop", "resume", "cut",
  /// "connections refuse|accept", "logins refuse|accept", "leaderless TOPIC PARTITION",
  /// "led TOPIC PARTITION", "fail fetch|list_offsets TOPIC PARTITION ERROR", "cluster ID",
  /// "target PORT", "damage magic|base_offset|length|content TOPIC PARTITION OFFSET [DELTA
  /// [TIMES]]" ("*" any topic, -1 any partition or offset), "mend", "well" (all of it is over).
  /// What is wrong with it, or nothing.
  std::string obey(const std::string& command);

 private:
  struct Link;
  struct Loop;
  struct Faults {
    std::map<Api, std::chrono::milliseconds> delays;
    std::int64_t bytes_per_second = 0;
    bool stopped = false;
    bool connections_refused = false;
    bool logins_refused = false;
    Alterations alterations;
  };

  template <class Change>
  void change(Change&& what) {
    const std::lock_guard lock(mutex_);
    what(faults_);
  }
  void run();
  int listen_for(int broker_port);

  mutable std::mutex mutex_;
  Faults faults_;
  std::map<Api, int> requests_;
  std::map<int, std::pair<int, int>> listeners_;  ///< by the broker's port: socket, own port
  int port_ = 0;
  int first_broker_ = 0;              ///< whose listener port_ is
  std::atomic<int> broker_port_ = 0;  ///< the one behind port_ now
  std::atomic<int> cuts_ = 0;
  std::atomic<bool> done_ = false;
  std::atomic<std::int64_t> answered_bytes_ = 0;
  std::atomic<int> not_understood_ = 0;
  std::thread thread_;
};

}  // namespace semel::test
