// What receivers have received, in a topic of Kafka's: any machine may go on with it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <semel/stream/receiver.hpp>

#include "kafka/options.hpp"
#include "kafka/transactional_producer.hpp"
#include "source/intake.hpp"

namespace semel::source {

/// Records, and the highest number of each sender in the compacted topic TOPIC.senders, are one
/// transaction, many at once; the brokers in sync have it before a sender is told. Whoever writes
/// first fences whoever did before, of whatever pipeline, and reads the senders' numbers. Where a
/// transaction fails, its records are refused; so what is unknown to us is asked for before the
/// next one. So is how the topics are, which somebody may have changed. Nothing of it is read here:
/// the topic is a topic, and records are removed as it says.
class ReceivedTopic final : public Intake {
 public:
  /// Makes both topics where they are missing: of one partition. `owner`: the pipeline. `topic` is
  /// where `options` say. Asks the cluster; unavailable where it does not answer.
  static Result<std::shared_ptr<ReceivedTopic>> open(const kafka::Options& cluster,
                                                     const std::string& owner,
                                                     stream::ReceiverOptions options);
  /// As stop().
  ~ReceivedTopic() override;

 private:
  using Clock = std::chrono::steady_clock;

  ReceivedTopic(const kafka::Options& cluster, std::string owner, stream::ReceiverOptions options);
  /// As they are now; makes those that are missing. What is no log is refused.
  Result<void> look_at_topics();
  /// From now on nobody else writes, and what others have written is known.
  Result<void> take_over();
  Result<void> read_senders();
  Result<void> write(const Group& group) override;
  Result<void> fits(const Entries& records) const override;
  /// In a transaction, as far as records are new; `highest` gets the numbers of senders.
  Result<void> write_new(const Group& group, Senders& highest);
  std::int32_t partition_of(const stream::Received& record);
  /// As long as it runs, and for a moment afterwards, so that what was taken is written.
  kafka::Stop until_stopped();

  kafka::Options cluster_;
  std::string owner_;
  std::string topic_of_senders_;
  std::int32_t partitions_ = 1;
  std::int64_t batch_bytes_max_ = 0;               ///< that both topics take
  std::atomic<std::size_t> record_bytes_max_ = 0;  ///< as the topic has it

  // Of the writing thread.
  bool looked_ = false;  ///< at the topics, longer ago than at a start
  std::unique_ptr<kafka::TransactionalProducer> producer_;  ///< nullptr: to be taken over again
  std::size_t records_ = 0;                                 ///< the producer's name of the topic
  std::size_t numbers_ = 0;                                 ///< and of that of the senders
  Senders senders_;
  std::uint32_t turn_ = 0;
};

}  // namespace semel::source
