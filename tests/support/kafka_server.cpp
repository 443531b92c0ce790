#include <librdkafka/rdkafka.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>

#include <fmt/core.h>

#include "support/catch.hpp"
#include "support/server_process.hpp"
#include "support/servers.hpp"

namespace semel::test {
namespace {

constexpr int timeout_ms = 30'000;

using Client = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;
using Queue = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;
using AdminOptions =
    std::unique_ptr<rd_kafka_AdminOptions_t, decltype(&rd_kafka_AdminOptions_destroy)>;

/// Why no broker can be started here; empty if it can.
std::string what_is_missing() {
  const std::string jars = kafka_jars();
  std::error_code ignored;
  bool found = false;
  for (const auto& entry : std::filesystem::directory_iterator(jars, ignored)) {
    found = found || entry.path().filename().string().rfind("kafka_", 0) == 0;
  }
  if (!found) return "no Kafka jars in " + jars + " (scripts/fetch-kafka brings them)";
  const char* home = std::getenv("JAVA_HOME");
  const std::string java = home == nullptr ? "java" : std::string(home) + "/bin/java";
  try {
    if (run({.argv = {java, "-version"}}).code == 0) return {};
  } catch (const std::runtime_error&) {
  }
  return "no Java here";
}

Client new_client(const std::string& bootstrap) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  if (rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap.c_str(), error, sizeof error) !=
      RD_KAFKA_CONF_OK) {
    throw std::runtime_error(error);
  }
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (client == nullptr) throw std::runtime_error(error);
  return {client, rd_kafka_destroy};
}

/// The number of partitions that have a leader; -1 where the topic is unknown, -2 without an
/// answer.
int partitions_with_leader(rd_kafka_t* client, const std::string& topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, handle, &metadata, 5'000);
  rd_kafka_topic_destroy(handle);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return -2;
  int result = -1;
  if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    result = 0;
    for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) {
      if (metadata->topics[0].partitions[i].leader >= 0) ++result;
    }
  }
  rd_kafka_metadata_destroy(metadata);
  return result;
}

void wait_for_partitions(rd_kafka_t* client, const std::string& topic, int wanted) {
  if (!eventually([&] { return partitions_with_leader(client, topic) == wanted; })) {
    throw std::runtime_error("topic " + topic + " did not get its partitions");
  }
}

void throw_unless_ok(rd_kafka_resp_err_t error, const char* text, const std::string& what) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  throw std::runtime_error(what + ": " + (text == nullptr ? rd_kafka_err2str(error) : text));
}

/// Sends an admin request by `send` and checks its answer by `check`.
void ask(rd_kafka_t* client, rd_kafka_admin_op_t operation, const std::string& what,
         const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send,
         const std::function<void(rd_kafka_event_t*)>& check) {
  char error[512];
  const AdminOptions options(rd_kafka_AdminOptions_new(client, operation),
                             rd_kafka_AdminOptions_destroy);
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, error, sizeof error);
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), timeout_ms, error, sizeof error);
  const Queue queue(rd_kafka_queue_new(client), rd_kafka_queue_destroy);
  send(options.get(), queue.get());
  const std::unique_ptr<rd_kafka_event_t, decltype(&rd_kafka_event_destroy)> event(
      rd_kafka_queue_poll(queue.get(), 2 * timeout_ms), rd_kafka_event_destroy);
  if (event == nullptr) throw std::runtime_error(what + ": no answer");
  throw_unless_ok(rd_kafka_event_error(event.get()), rd_kafka_event_error_string(event.get()),
                  what);
  check(event.get());
}

void check_topics(const rd_kafka_topic_result_t** topics, std::size_t count,
                  const std::string& what) {
  for (std::size_t i = 0; i < count; ++i) {
    throw_unless_ok(rd_kafka_topic_result_error(topics[i]),
                    rd_kafka_topic_result_error_string(topics[i]), what);
  }
}

void add_acl(const std::string& bootstrap, rd_kafka_ResourceType_t type, const std::string& name,
             rd_kafka_AclOperation_t operation, rd_kafka_AclPermissionType_t permission) {
  const Client client = new_client(bootstrap);
  const std::string what = "changing the rights on " + name;
  char error[512];
  rd_kafka_AclBinding_t* raw =
      rd_kafka_AclBinding_new(type, name.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:*", "*",
                              operation, permission, error, sizeof error);
  if (raw == nullptr) throw std::runtime_error(what + ": " + error);
  const std::unique_ptr<rd_kafka_AclBinding_t, decltype(&rd_kafka_AclBinding_destroy)> acl(
      raw, rd_kafka_AclBinding_destroy);
  ask(
      client.get(), RD_KAFKA_ADMIN_OP_CREATEACLS, what,
      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_CreateAcls(client.get(), &raw, 1, options, queue);
      },
      [&](rd_kafka_event_t* event) {
        std::size_t count = 0;
        const auto** results =
            rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count);
        for (std::size_t i = 0; i < count; ++i) {
          const auto* refusal = rd_kafka_acl_result_error(results[i]);
          if (refusal != nullptr) {
            throw std::runtime_error(what + ": " + rd_kafka_error_string(refusal));
          }
        }
      });
}

}  // namespace

std::string kafka_jars() {
  if (const char* jars = std::getenv("SEMEL_KAFKA_JARS"); jars != nullptr && *jars != '\0') {
    return jars;
  }
  return std::string(SEMEL_SOURCE_ROOT) + "/.cache/kafka-" + SEMEL_KAFKA_VERSION + "/jars";
}

bool kafka_available() {
  static const std::string missing = what_is_missing();
  if (missing.empty()) return true;
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string(ci) == "true") {
    throw std::runtime_error(missing + ", and CI=true allows no skipped test");
  }
  static std::mutex mutex;
  static std::set<std::string> said;
  const std::lock_guard lock(mutex);
  const std::string name = Catch::getResultCapture().getCurrentTestName();
  if (said.insert(name).second) {
    fmt::print("skipped: {}: {}\n", name, missing);
    std::fflush(stdout);  // said even if a later case crashes
  }
  return false;
}

KafkaServer& KafkaServer::shared() {
  static KafkaServer server;
  return server;
}

KafkaServer::KafkaServer() {
  if (const std::string missing = what_is_missing(); !missing.empty()) {
    throw std::runtime_error(missing);
  }
  // Everything is allowed, until deny_reading() or deny_group() says otherwise.
  write_file(dir_.path() / "extra.properties",
             "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
             "allow.everyone.if.no.acl.found=true\n");
  // A port may be taken between the look and the start; then with others.
  for (int attempt = 1;; ++attempt) {
    port_ = free_port();
    do {
      controller_port_ = free_port();
    } while (controller_port_ == port_);
    try {
      start();
      return;
    } catch (const std::runtime_error&) {
      if (attempt == 3) throw;
      std::filesystem::remove(dir_.path() / "prepared");
    }
  }
}

KafkaServer::~KafkaServer() = default;  // killed: nobody needs its data any more

std::string KafkaServer::bootstrap_servers() const {
  return "127.0.0.1:" + std::to_string(port_);
}

bool KafkaServer::answers() const {
  const Client client = new_client(bootstrap_servers());
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client.get(), 1, nullptr, &metadata, 2'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  const bool ready = metadata->broker_cnt > 0;
  rd_kafka_metadata_destroy(metadata);
  return ready;
}

void KafkaServer::start() {
  if (process_) return;
  process_.emplace(start_server(
      "throwaway-kafka",
      {dir_.path().string(), std::to_string(port_), std::to_string(controller_port_), kafka_jars()},
      dir_ / "server.log", "KILL", [this] { return answers(); }));
}

void KafkaServer::stop() {
  if (!process_) return;
  process_->signal(SIGTERM);
  if (!process_->wait(std::chrono::seconds(60))) process_->kill();
  process_.reset();
}

void KafkaServer::kill() {
  if (!process_) return;
  process_->kill();
  process_.reset();
}

void KafkaServer::start_afresh() {
  if (process_) return;
  std::filesystem::remove(dir_.path() / "prepared");
  start();
}

void KafkaServer::freeze() {
  if (process_) process_->signal(SIGSTOP);
}

void KafkaServer::thaw() {
  if (process_) process_->signal(SIGCONT);
}

std::filesystem::path KafkaServer::log_directory(const std::string& name, int partition) const {
  return dir_.path() / "data" / (name + "-" + std::to_string(partition));
}

void KafkaServer::create_topic(const std::string& name, int partitions,
                               const std::map<std::string, std::string>& configs) {
  const Client client = new_client(bootstrap_servers());
  const std::string what = "creating topic " + name;
  char error[512];
  rd_kafka_NewTopic_t* raw =
      rd_kafka_NewTopic_new(name.c_str(), partitions, 1, error, sizeof error);
  if (raw == nullptr) throw std::runtime_error(what + ": " + error);
  const std::unique_ptr<rd_kafka_NewTopic_t, decltype(&rd_kafka_NewTopic_destroy)> topic(
      raw, rd_kafka_NewTopic_destroy);
  for (const auto& [key, value] : configs) {
    throw_unless_ok(rd_kafka_NewTopic_set_config(raw, key.c_str(), value.c_str()), nullptr, what);
  }
  ask(
      client.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, what,
      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_CreateTopics(client.get(), &raw, 1, options, queue);
      },
      [&](rd_kafka_event_t* event) {
        std::size_t count = 0;
        const auto* result = rd_kafka_event_CreateTopics_result(event);
        check_topics(rd_kafka_CreateTopics_result_topics(result, &count), count, what);
      });
  wait_for_partitions(client.get(), name, partitions);
}

void KafkaServer::delete_topic(const std::string& name) {
  const Client client = new_client(bootstrap_servers());
  const std::string what = "deleting topic " + name;
  rd_kafka_DeleteTopic_t* raw = rd_kafka_DeleteTopic_new(name.c_str());
  const std::unique_ptr<rd_kafka_DeleteTopic_t, decltype(&rd_kafka_DeleteTopic_destroy)> topic(
      raw, rd_kafka_DeleteTopic_destroy);
  ask(
      client.get(), RD_KAFKA_ADMIN_OP_DELETETOPICS, what,
      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_DeleteTopics(client.get(), &raw, 1, options, queue);
      },
      [&](rd_kafka_event_t* event) {
        std::size_t count = 0;
        const auto* result = rd_kafka_event_DeleteTopics_result(event);
        check_topics(rd_kafka_DeleteTopics_result_topics(result, &count), count, what);
      });
  if (!eventually([&] { return partitions_with_leader(client.get(), name) == -1; })) {
    throw std::runtime_error(what + ": the broker still knows it");
  }
}

void KafkaServer::add_partitions(const std::string& name, int total) {
  const Client client = new_client(bootstrap_servers());
  const std::string what = "adding partitions to topic " + name;
  char error[512];
  rd_kafka_NewPartitions_t* raw = rd_kafka_NewPartitions_new(
      name.c_str(), static_cast<std::size_t>(total), error, sizeof error);
  if (raw == nullptr) throw std::runtime_error(what + ": " + error);
  const std::unique_ptr<rd_kafka_NewPartitions_t, decltype(&rd_kafka_NewPartitions_destroy)>
      partitions(raw, rd_kafka_NewPartitions_destroy);
  ask(
      client.get(), RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, what,
      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_CreatePartitions(client.get(), &raw, 1, options, queue);
      },
      [&](rd_kafka_event_t* event) {
        std::size_t count = 0;
        const auto* result = rd_kafka_event_CreatePartitions_result(event);
        check_topics(rd_kafka_CreatePartitions_result_topics(result, &count), count, what);
      });
  wait_for_partitions(client.get(), name, total);
}

void KafkaServer::delete_records(const std::string& name, int partition, std::int64_t offset) {
  const Client client = new_client(bootstrap_servers());
  const std::string what = "deleting records of topic " + name;
  const std::unique_ptr<rd_kafka_topic_partition_list_t,
                        decltype(&rd_kafka_topic_partition_list_destroy)>
      offsets(rd_kafka_topic_partition_list_new(1), rd_kafka_topic_partition_list_destroy);
  rd_kafka_topic_partition_list_add(offsets.get(), name.c_str(), partition)->offset = offset;
  rd_kafka_DeleteRecords_t* raw = rd_kafka_DeleteRecords_new(offsets.get());
  const std::unique_ptr<rd_kafka_DeleteRecords_t, decltype(&rd_kafka_DeleteRecords_destroy)>
      records(raw, rd_kafka_DeleteRecords_destroy);
  ask(
      client.get(), RD_KAFKA_ADMIN_OP_DELETERECORDS, what,
      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_DeleteRecords(client.get(), &raw, 1, options, queue);
      },
      [&](rd_kafka_event_t* event) {
        const auto* result =
            rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
        for (int i = 0; i < result->cnt; ++i) {
          throw_unless_ok(result->elems[i].err, nullptr, what);
        }
      });
}

void KafkaServer::deny_topic(const std::string& name) {
  add_acl(bootstrap_servers(), RD_KAFKA_RESOURCE_TOPIC, name, RD_KAFKA_ACL_OPERATION_ALL,
          RD_KAFKA_ACL_PERMISSION_TYPE_DENY);
}

void KafkaServer::allow_topic(const std::string& name) {
  const Client client = new_client(bootstrap_servers());
  const std::string what = "giving back the rights on " + name;
  char error[512];
  rd_kafka_AclBindingFilter_t* raw = rd_kafka_AclBindingFilter_new(
      RD_KAFKA_RESOURCE_TOPIC, name.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, nullptr, nullptr,
      RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, error, sizeof error);
  if (raw == nullptr) throw std::runtime_error(what + ": " + error);
  const std::unique_ptr<rd_kafka_AclBindingFilter_t, decltype(&rd_kafka_AclBinding_destroy)> filter(
      raw, rd_kafka_AclBinding_destroy);
  ask(
      client.get(), RD_KAFKA_ADMIN_OP_DELETEACLS, what,
      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_DeleteAcls(client.get(), &raw, 1, options, queue);
      },
      [&](rd_kafka_event_t* event) {
        std::size_t count = 0;
        const auto** results =
            rd_kafka_DeleteAcls_result_responses(rd_kafka_event_DeleteAcls_result(event), &count);
        for (std::size_t i = 0; i < count; ++i) {
          if (const auto* refusal = rd_kafka_DeleteAcls_result_response_error(results[i])) {
            throw std::runtime_error(what + ": " + rd_kafka_error_string(refusal));
          }
        }
      });
}

void KafkaServer::deny_reading(const std::string& name) {
  // Without the first nobody might even see it any more.
  add_acl(bootstrap_servers(), RD_KAFKA_RESOURCE_TOPIC, name, RD_KAFKA_ACL_OPERATION_ALL,
          RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW);
  add_acl(bootstrap_servers(), RD_KAFKA_RESOURCE_TOPIC, name, RD_KAFKA_ACL_OPERATION_READ,
          RD_KAFKA_ACL_PERMISSION_TYPE_DENY);
}

void KafkaServer::deny_group(const std::string& group) {
  add_acl(bootstrap_servers(), RD_KAFKA_RESOURCE_GROUP, group, RD_KAFKA_ACL_OPERATION_ALL,
          RD_KAFKA_ACL_PERMISSION_TYPE_DENY);
}

}  // namespace semel::test
