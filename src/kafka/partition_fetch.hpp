// Fetching one partition in the background: started at an offset, read in batches, stopped.
//
// Why the legacy ("simple") consumer calls, rd_kafka_consume_start() and its like, and not
// rd_kafka_assign(): each partition starts, stops and restarts by itself, without a word to the
// others (assign() replaces the whole assignment, incremental ones need a group id and a
// coordinator), and each has its queue with its own records, ends and errors in order. Stopping
// waits for librdkafka, forgets the position and makes what is queued void: nothing old is read
// afterwards.
#pragma once

#include <cstddef>
#include <cstdint>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka/client.hpp"
#include "kafka/fetched_messages.hpp"

namespace semel::kafka {

/// What a partition's queue may hold before librdkafka stops to fetch for it.
struct QueueLimits {
  std::int64_t messages = 0;  ///< queued.min.messages
  std::int64_t bytes = 0;     ///< queued.max.messages.kbytes, of keys and values
  int wake_fd = -1;           ///< as in Options
};
/// As the client was really configured.
QueueLimits queue_limits(const Client& client);

class PartitionFetch {
 public:
  PartitionFetch(Client& client, TopicPartition tp, const QueueLimits& limits);
  ~PartitionFetch() { stop(); }
  PartitionFetch(const PartitionFetch&) = delete;
  PartitionFetch& operator=(const PartitionFetch&) = delete;

  /// Begins at `offset`; stops first if necessary. Drops what was held and queued.
  Result<void> start(Offset offset);
  void stop();
  bool running() const { return running_; }

  /// Up to `count` messages, waiting up to `wait_ms` for the first; what was held comes first and
  /// alone. Ends of the partition and errors come as messages (rd_kafka_message_t::err).
  void pull(Messages& into, std::size_t count, int wait_ms);
  /// Keeps the messages of `from` from position `first` on for the next pull().
  void hold(Messages& from, std::size_t first) { from.move_tail(first, held_); }
  bool holds_messages() const { return !held_.empty(); }

  /// Number of messages fetched and not yet pulled.
  std::size_t queued() const;
  /// The end of the log (its high watermark) in the last answer to a fetch; negative: none yet.
  Offset end() const;
  /// One past the last offset that pull() went over, invisible ones included where librdkafka tells
  /// (transaction markers); negative: none yet.
  Offset position() const;

 private:
  void wake_if_low(const Messages& pulled, std::size_t old);

  Client& client_;
  TopicPartition tp_;
  QueueLimits limits_;
  PartitionListHandle self_;  ///< a list of this partition, for librdkafka's calls
  QueueHandle queue_;
  Messages held_;
  bool running_ = false;
  bool was_full_ = false;  ///< since it was last woken up
};

}  // namespace semel::kafka
