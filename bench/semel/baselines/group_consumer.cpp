#include "bench/semel/baselines/group_consumer.hpp"

#include "kafka/client.hpp"
#include "kafka/client_config.hpp"
#include "kafka/fetched_messages.hpp"

namespace semel::kafka {

namespace {

constexpr int timeout_ms = 30'000;

}  // namespace

struct GroupConsumer::Impl {
  std::unique_ptr<Client> client;
  std::string topic;
  QueueHandle queue;
  std::map<std::int32_t, Offset> next;
  Messages messages;
  std::vector<GroupRecord> records;

  PartitionListHandle list(const std::map<std::int32_t, Offset>& offsets) const {
    PartitionListHandle made{rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size()))};
    for (const auto& [partition, offset] : offsets) {
      rd_kafka_topic_partition_list_add(made.get(), topic.c_str(), partition)->offset = offset;
    }
    return made;
  }
};

GroupConsumer::GroupConsumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GroupConsumer::~GroupConsumer() {
  impl_->records.clear();
  impl_->messages.clear();
  impl_->queue.reset();
  rd_kafka_consumer_close(impl_->client->get());
}

Result<std::unique_ptr<GroupConsumer>> GroupConsumer::connect(
    const Options& options, const std::string& group, const std::string& topic,
    std::span<const std::int32_t> partitions) {
  auto conf = group_config(options, group);
  if (!conf) return tl::unexpected(conf.error());
  auto client = Client::create(*std::move(conf), RD_KAFKA_CONSUMER, options);
  if (!client) return tl::unexpected(client.error());
  auto impl = std::make_unique<Impl>();
  impl->client = *std::move(client);
  impl->topic = topic;
  auto* handle = impl->client->get();
  rd_kafka_poll_set_consumer(handle);

  for (const auto partition : partitions) impl->next[partition] = 0;
  const auto positions = impl->list(impl->next);
  if (const auto code = rd_kafka_committed(handle, positions.get(), timeout_ms);
      code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return tl::unexpected(impl->client->error(code, "asking for the group's offsets"));
  }
  for (int i = 0; i < positions->cnt; ++i) {
    auto& position = positions->elems[i];
    if (position.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return tl::unexpected(impl->client->error(position.err, "asking for the group's offsets"));
    }
    if (position.offset < 0) position.offset = 0;
    impl->next[position.partition] = position.offset;
  }
  if (const auto code = rd_kafka_assign(handle, positions.get());
      code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return tl::unexpected(impl->client->error(code, "assigning partitions"));
  }
  impl->queue.reset(rd_kafka_queue_get_consumer(handle));
  return std::unique_ptr<GroupConsumer>(new GroupConsumer(std::move(impl)));
}

const std::map<std::int32_t, Offset>& GroupConsumer::next() const {
  return impl_->next;
}

Result<std::span<const GroupRecord>> GroupConsumer::poll(std::size_t count, int wait_ms) {
  auto& self = *impl_;
  self.records.clear();
  self.messages.clear();
  auto& raw = self.messages.raw();
  raw.resize(count);
  const auto got = rd_kafka_consume_batch_queue(self.queue.get(), wait_ms, raw.data(), count);
  raw.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  for (const auto* message : raw) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      auto error = self.client->error(message->err, "consuming");
      if (error.kind == ErrorKind::unavailable) continue;  // librdkafka goes on by itself
      return tl::unexpected(std::move(error));
    }
    self.records.push_back({message->partition, record_of(*message)});
    self.next[message->partition] = message->offset + 1;
  }
  return std::span<const GroupRecord>(self.records);
}

Result<void> GroupConsumer::commit(const std::map<std::int32_t, Offset>& next) {
  if (next.empty()) return {};
  const auto positions = impl_->list(next);
  const auto code = rd_kafka_commit(impl_->client->get(), positions.get(), 0);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return tl::unexpected(impl_->client->error(code, "committing the group's offsets"));
}

}  // namespace semel::kafka
