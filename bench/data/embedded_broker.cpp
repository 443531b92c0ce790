#include "bench/data/embedded_broker.hpp"

// Before the mock's header, which does not include it.
#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>

#include <fmt/format.h>

#include "kafka/handles.hpp"

namespace semel::kafka {

namespace {

Result<void> outcome(rd_kafka_resp_err_t code, const std::string& doing) {
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return fail(ErrorKind::fatal, Cause::source,
              fmt::format("the embedded broker cannot {}: {}", doing, rd_kafka_err2str(code)));
}

}  // namespace

struct EmbeddedBroker::Impl {
  ClientHandle owner;  ///< the cluster runs in a thread of this client
  rd_kafka_mock_cluster_t* cluster = nullptr;
  int brokers = 1;
  std::string bootstrap;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (cluster != nullptr) rd_kafka_mock_cluster_destroy(cluster);
  }
};

EmbeddedBroker::EmbeddedBroker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedBroker::~EmbeddedBroker() = default;

Result<std::unique_ptr<EmbeddedBroker>> EmbeddedBroker::start(int brokers) {
  auto impl = std::make_unique<Impl>();
  impl->brokers = brokers;
  ConfHandle conf{rd_kafka_conf_new()};
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  char reason[512];
  impl->owner.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason, sizeof reason));
  if (!impl->owner) {
    return fail(ErrorKind::fatal, Cause::source,
                fmt::format("the embedded broker cannot start: {}", reason));
  }
  conf.release();  // NOLINT(bugprone-unused-return-value): the client owns it now
  impl->cluster = rd_kafka_mock_cluster_new(impl->owner.get(), brokers);
  if (impl->cluster == nullptr) {
    return fail(ErrorKind::fatal, Cause::source,
                "the embedded broker cannot start: no socket could be opened on this machine");
  }
  impl->bootstrap = rd_kafka_mock_cluster_bootstraps(impl->cluster);
  return std::unique_ptr<EmbeddedBroker>(new EmbeddedBroker(std::move(impl)));
}

const std::string& EmbeddedBroker::bootstrap_servers() const {
  return impl_->bootstrap;
}

Result<void> EmbeddedBroker::create_topic(const std::string& topic, int partitions) {
  const auto code =
      rd_kafka_mock_topic_create(impl_->cluster, topic.c_str(), partitions, impl_->brokers);
  return outcome(code, fmt::format("create topic {} with {} partitions", topic, partitions));
}

Result<void> EmbeddedBroker::set_leader(const std::string& topic, std::int32_t partition,
                                        std::int32_t broker) {
  const auto code = rd_kafka_mock_partition_set_leader(impl_->cluster, topic.c_str(), partition,
                                                       broker > 0 ? broker : -1);
  return outcome(code, fmt::format("change the leader of {}[{}]", topic, partition));
}

Result<void> EmbeddedBroker::set_down(std::int32_t broker) {
  return outcome(rd_kafka_mock_broker_set_down(impl_->cluster, broker), "stop");
}

}  // namespace semel::kafka
