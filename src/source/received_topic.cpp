#include "source/received_topic.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <utility>

#include "base/crash_point.hpp"
#include "kafka/topic_admin.hpp"
#include "kafka/topic_reader.hpp"

namespace semel::source {

namespace {

// Stored: do not change; nor the transactional id, by which whoever wrote before is fenced. It
// is the topic's, whatever the pipeline: the senders' numbers are of all who write there.
constexpr auto suffix_of_senders = ".senders";
constexpr auto id_of_topic = "semel-received-{}";

constexpr int asking_ms = 10'000;
constexpr int writing_ms = 15'000;
// Of what was taken before a stop.
constexpr auto last_words = std::chrono::seconds(5);
constexpr int id_timeout_ms = 30'000;

/// Of a batch of records.
std::int64_t bytes_max_of(const kafka::TopicDescription& topic) {
  std::int64_t most = 1'048'588;  // Kafka's default
  const auto set = topic.configs.find("max.message.bytes");
  if (set != topic.configs.end()) {
    std::from_chars(set->second.data(), set->second.data() + set->second.size(), most);
  }
  return most;
}

}  // namespace

ReceivedTopic::ReceivedTopic(const kafka::Options& cluster, std::string owner,
                             stream::ReceiverOptions options)
    : Intake(std::move(options)),
      cluster_(cluster),
      owner_(std::move(owner)),
      topic_of_senders_(options_.topic + suffix_of_senders) {}

ReceivedTopic::~ReceivedTopic() {
  stop();
}

Result<std::shared_ptr<ReceivedTopic>> ReceivedTopic::open(const kafka::Options& cluster,
                                                           const std::string& owner,
                                                           stream::ReceiverOptions options) {
  std::shared_ptr<ReceivedTopic> topic(new ReceivedTopic(cluster, owner, std::move(options)));
  if (auto made = topic->look_at_topics(); !made) return tl::unexpected(made.error());
  topic->begin();
  return topic;
}

Result<void> ReceivedTopic::look_at_topics() {
  auto admin = kafka::TopicAdmin::connect(cluster_, owner_);
  if (!admin) return tl::unexpected(admin.error());
  const auto make =
      [&](const std::string& topic,
          const std::map<std::string, std::string>& configs) -> Result<kafka::TopicDescription> {
    auto found = (*admin)->describe(topic, asking_ms);
    if (!found || found->exists) return found;
    // With the broker's default of copies.
    if (auto made = (*admin)->create(topic, 1, 0, configs, asking_ms); !made) {
      return tl::unexpected(made.error());
    }
    return (*admin)->describe(topic, asking_ms);
  };
  const auto records = make(options_.topic, {});
  if (!records) return tl::unexpected(records.error());
  partitions_ = std::max(records->partitions, 1);
  const auto cleanup = records->configs.find("cleanup.policy");
  if (cleanup != records->configs.end() && cleanup->second != "delete") {
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("topic {} has cleanup.policy = {}: it would lose records that are to be "
                    "read, and refuse those without a key. Set it to delete, or name "
                    "another topic for the receiver",
                    options_.topic, cleanup->second));
  }
  const auto senders = make(topic_of_senders_, kafka::compacted_topic());
  if (!senders) return tl::unexpected(senders.error());
  const auto policy = senders->configs.find("cleanup.policy");
  if (senders->partitions == 1 &&
      (policy == senders->configs.end() || policy->second == "compact")) {
    // What a batch of one record has beside key and value.
    constexpr std::int64_t beside = 512;
    const auto most = bytes_max_of(*records);
    record_bytes_max_ = static_cast<std::size_t>(std::max<std::int64_t>(most - beside, 0));
    batch_bytes_max_ = std::max<std::int64_t>(std::min(most, bytes_max_of(*senders)), 1);
    return {};
  }
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("topic {} has the highest number of each sender: it is to have one "
                          "partition and cleanup.policy = compact. Mend it, or name another topic "
                          "for the receiver",
                          topic_of_senders_));
}

Result<void> ReceivedTopic::fits(const Entries& records) const {
  for (const auto& record : records) {
    const auto bytes = record.value.size() + (record.key ? record.key->size() : 0);
    if (bytes <= record_bytes_max_) continue;
    return fail(ErrorKind::bad_data, Cause::source,
                fmt::format("a record of {} bytes is larger than topic {} takes, {} "
                            "(max.message.bytes)",
                            bytes, options_.topic, record_bytes_max_));
  }
  return {};
}

kafka::Stop ReceivedTopic::until_stopped() {
  return [this, until = std::optional<Clock::time_point>()]() mutable {
    const std::lock_guard lock(mutex_);
    if (!stopping_) return false;
    if (!until) until = Clock::now() + last_words;
    return Clock::now() > *until;
  };
}

Result<void> ReceivedTopic::take_over() {
  kafka::TransactionOptions writing{.transactional_id = fmt::format(id_of_topic, options_.topic),
                                    .timeout_ms = id_timeout_ms};
  writing.batch_bytes_max = std::min(writing.batch_bytes_max, batch_bytes_max_);
  auto made = kafka::TransactionalProducer::create(cluster_, owner_, writing);
  if (!made) return tl::unexpected(made.error());
  if (auto fenced = (*made)->fence(writing_ms, until_stopped()); !fenced) return fenced;
  crash_point("received_fenced");
  if (auto read = read_senders(); !read) return read;
  records_ = (*made)->topic(options_.topic);
  numbers_ = (*made)->topic(topic_of_senders_);
  producer_ = *std::move(made);
  return {};
}

Result<void> ReceivedTopic::read_senders() {
  auto reader = kafka::TopicReader::open(cluster_, owner_, topic_of_senders_);
  if (!reader) return tl::unexpected(reader.error());
  const auto stop = until_stopped();
  const auto from = reader->begin(stop);
  if (!from) return tl::unexpected(from.error());
  const auto until = reader->settled_end(stop);
  if (!until) return tl::unexpected(until.error());
  const auto end = reader->end_of_all(stop);
  if (!end) return tl::unexpected(end.error());
  if (*until < *end) {
    return fail(ErrorKind::unavailable, Cause::source,
                fmt::format("topic {} has a transaction that is open from offset {} on, and is not "
                            "semel's: what is behind it cannot be read before it ends "
                            "(kafka-transactions.sh find-hanging, abort)",
                            topic_of_senders_, *until));
  }
  Senders read;
  auto done =
      reader->read(*from, *until, std::nullopt, stop, [&](const Record& record) -> Result<void> {
        if (!record.key || !record.value) return {};
        std::uint64_t number = 0;
        const auto& text = *record.value;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc() || end != text.data() + text.size()) {
          return fail(ErrorKind::fatal, Cause::state,
                      fmt::format("topic {} has at offset {} what is no sender's number: nobody "
                                  "but semel may write there",
                                  topic_of_senders_, record.offset));
        }
        read[std::string(*record.key)] = number;
        return {};
      });
  if (!done) return done;
  senders_ = std::move(read);
  return {};
}

std::int32_t ReceivedTopic::partition_of(const stream::Received& record) {
  if (record.key) return kafka::Outgoing::by_key;
  // What one sender sends stays in order.
  if (!record.sender.empty()) {
    return static_cast<std::int32_t>(std::hash<std::string>()(record.sender) %
                                     static_cast<std::size_t>(partitions_));
  }
  return static_cast<std::int32_t>(turn_++ % static_cast<std::uint32_t>(partitions_));
}

Result<void> ReceivedTopic::write_new(const Group& group, Senders& highest) {
  const auto stop = until_stopped();
  bool begun = false;
  for (const auto& [records, durable] : group) {
    for (const auto& record : records) {
      if (!is_new(senders_, highest, record)) continue;
      if (!std::exchange(begun, true)) {
        if (auto began = producer_->begin(); !began) return began;
      }
      kafka::Outgoing out{.partition = partition_of(record),
                          .timestamp_ms = record.timestamp_ms,
                          .value = record.value};
      if (record.key) out.key = *record.key;
      if (auto sent = producer_->send(records_, out, stop); !sent) return sent;
    }
  }
  if (!begun) return {};
  for (const auto& [sender, number] : highest) {
    const auto text = std::to_string(number);
    const kafka::Outgoing out{.partition = 0, .key = sender, .value = text};
    if (auto sent = producer_->send(numbers_, out, stop); !sent) return sent;
  }
  crash_point("received_sent");
  return producer_->commit(writing_ms, stop);
}

Result<void> ReceivedTopic::write(const Group& group) {
  Result<void> done;
  if (!producer_) {
    if (looked_) done = look_at_topics();
    if (done) done = take_over();
    looked_ = true;
  }
  Senders highest;
  if (done) done = write_new(group, highest);
  if (done) {
    for (const auto& [sender, number] : highest) senders_[sender] = number;
  } else {
    // Whatever became of it: who goes on ends it first, and then reads which numbers are kept.
    producer_.reset();
    done.error().message = fmt::format("topics {} and {}: {}", options_.topic, topic_of_senders_,
                                       done.error().message);
  }
  return done;
}

}  // namespace semel::source
