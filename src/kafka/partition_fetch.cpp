#include "kafka/partition_fetch.hpp"

#include <fmt/format.h>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "kafka/cluster_questions.hpp"

namespace semel::kafka {

QueueLimits queue_limits(const Client& client) {
  const auto value_of = [conf = rd_kafka_conf(client.get())](const char* name) -> std::int64_t {
    std::array<char, 32> text{};
    auto size = text.size();
    std::int64_t value = 0;
    if (rd_kafka_conf_get(conf, name, text.data(), &size) != RD_KAFKA_CONF_OK) return value;
    std::from_chars(text.data(), text.data() + std::strlen(text.data()), value);
    return value;
  };
  return {value_of("queued.min.messages"), value_of("queued.max.messages.kbytes") * 1024, -1};
}

PartitionFetch::PartitionFetch(Client& client, TopicPartition tp, const QueueLimits& limits)
    : client_(client),
      tp_(std::move(tp)),
      limits_(limits),
      self_(rd_kafka_topic_partition_list_new(1)) {
  rd_kafka_topic_partition_list_add(self_.get(), tp_.topic.c_str(), tp_.partition);
}

Result<void> PartitionFetch::start(Offset offset) {
  stop();
  auto* topic = client_.topic(tp_.topic);
  if (topic == nullptr || rd_kafka_consume_start(topic, tp_.partition, offset) != 0) {
    return fail(ErrorKind::fatal, Cause::internal,
                fmt::format("{}: librdkafka cannot begin to read at offset {}: {}", to_string(tp_),
                            offset, rd_kafka_err2str(rd_kafka_last_error())));
  }
  running_ = true;
  queue_.reset(rd_kafka_queue_get_partition(client_.get(), tp_.topic.c_str(), tp_.partition));
  if (queue_ && limits_.wake_fd >= 0) {
    const std::uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue_.get(), limits_.wake_fd, &one, sizeof one);
  }
  return {};
}

void PartitionFetch::stop() {
  held_.clear();
  if (!running_) return;
  auto* topic = client_.topic(tp_.topic);
  rd_kafka_consume_stop(topic, tp_.partition);
  // What is queued is void now, but only its reader gives it back. Through the queue itself: a
  // topic that was deleted is not found by its name any more, and a message that stays behind keeps
  // its partition and broker alive for ever; closing the client would then never end.
  rd_kafka_message_t* message = nullptr;
  while (queue_ && rd_kafka_consume_batch_queue(queue_.get(), 0, &message, 1) == 1) {
    rd_kafka_message_destroy(message);
  }
  queue_.reset();
  running_ = false;
  was_full_ = false;
}

void PartitionFetch::pull(Messages& into, std::size_t count, int wait_ms) {
  if (!held_.empty()) return held_.move_front(count, into);
  if (!running_ || count == 0) return;
  auto* topic = client_.topic(tp_.topic);
  auto& messages = into.raw();
  const auto old = messages.size();
  messages.resize(old + count);
  auto** free = messages.data() + old;
  // A batch is waited for until it is full: wait for the first message only, then take what is
  // there.
  const auto take = [&](int wait, std::size_t at_most) -> std::size_t {
    const auto got = rd_kafka_consume_batch(topic, tp_.partition, wait, free, at_most);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  };
  auto got = take(0, count);
  if (got == 0 && wait_ms > 0) {
    got = take(wait_ms, 1);
    free += got;
    if (got == 1 && count > 1) got += take(0, count - 1);
  }
  messages.resize(old + got);
  wake_if_low(into, old);
}

std::size_t PartitionFetch::queued() const {
  return queue_ ? rd_kafka_queue_length(queue_.get()) : 0;
}

Offset PartitionFetch::end() const {
  Offset earliest = -1;
  Offset latest = -1;
  rd_kafka_get_watermark_offsets(client_.get(), tp_.topic.c_str(), tp_.partition, &earliest,
                                 &latest);
  return latest;
}

Offset PartitionFetch::position() const {
  if (!running_) return -1;
  rd_kafka_position(client_.get(), self_.get());
  return self_->elems[0].offset;
}

// Before 2.2, librdkafka's broker thread sleeps for up to a second once a queue was full, however
// soon it is read. Any request through that thread wakes it up, so one is sent, without waiting for
// the answer, as soon as the queue is below its limits again. How many bytes it holds librdkafka
// does not tell: they are taken to be as many per message as in what was just pulled.
void PartitionFetch::wake_if_low([[maybe_unused]] const Messages& pulled,
                                 [[maybe_unused]] std::size_t old) {
#if RD_KAFKA_VERSION < 0x020200ff
  const auto got = static_cast<std::int64_t>(pulled.size() - old);
  if (got == 0) return;
  std::int64_t bytes = 0;
  for (auto i = old; i < pulled.size(); ++i) {
    bytes += static_cast<std::int64_t>(pulled[i].len + pulled[i].key_len);
  }
  const auto left = static_cast<std::int64_t>(queued());
  // Early rather than late: a request too many costs little.
  const auto full_bytes = limits_.bytes / 4 * 3;
  const auto is_full = [&](std::int64_t messages) {
    return messages >= limits_.messages || bytes / got * messages >= full_bytes;
  };
  was_full_ = was_full_ || is_full(got + left);
  if (!was_full_ || is_full(left)) return;
  self_->elems[0].offset = latest_timestamp;
  rd_kafka_offsets_for_times(client_.get(), self_.get(), 0);
  was_full_ = false;
#endif
}

}  // namespace semel::kafka
