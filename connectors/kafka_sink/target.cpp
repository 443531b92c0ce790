#include "kafka_sink/target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kafka/transactional_producer.hpp"
#include "kafka_sink/of_sink.hpp"

namespace semel::kafka_sink {

namespace {

constexpr int describing_ms = 10'000;
// Kafka's record format: a batch's head.
constexpr std::int64_t batch_head_bytes = 61;

std::int64_t varint_bytes(std::int64_t value) {
  auto zigzag = (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
  std::int64_t bytes = 1;
  for (; zigzag >= 0x80; zigzag >>= 7U) ++bytes;
  return bytes;
}

template <class Bytes>
std::int64_t bytes_with_length(const std::optional<Bytes>& bytes) {
  if (!bytes) return 1;
  const auto size = static_cast<std::int64_t>(bytes->size());
  return varint_bytes(size) + size;
}

using Configs = std::map<std::string, std::string>;

std::optional<std::int64_t> number(const Configs& configs, const std::string& name) {
  const auto found = configs.find(name);
  std::int64_t value = 0;
  if (found == configs.end()) return std::nullopt;
  const auto& text = found->second;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::string config_of(const Configs& configs, const std::string& name) {
  const auto found = configs.find(name);
  return found == configs.end() ? "" : found->second;
}

bool compresses(const Options& options) {
  for (const auto* name : {"compression.codec", "compression.type"}) {
    const auto found = options.cluster.librdkafka.find(name);
    if (found != options.cluster.librdkafka.end()) return found->second != "none";
  }
  return true;  // the default of the client
}

}  // namespace

Result<Partitioning> Partitioning::of(const std::string& setting) {
  Partitioning made;
  if (setting == "key") return made;
  made.way_ = Way::same;
  if (setting == "same") return made;
  made.way_ = Way::fixed;
  const auto* end = setting.data() + setting.size();
  const auto read = std::from_chars(setting.data(), end, made.fixed_);
  if (read.ec == std::errc() && read.ptr == end && made.fixed_ >= 0) return made;
  return fail(ErrorKind::fatal, Cause::configuration,
              "must be \"key\", \"same\", or the number of a partition");
}

std::optional<std::int32_t> Partitioning::operator()(std::int32_t from, bool has_key,
                                                     int partitions) const {
  const auto if_there = [&](std::int32_t partition) {
    return partition < partitions ? std::optional(partition) : std::nullopt;
  };
  if (way_ == Way::same) return if_there(from);
  if (way_ == Way::fixed) return if_there(fixed_);
  // What has no key keeps the order that it had.
  return has_key ? kafka::Outgoing::by_key : from % partitions;
}

std::optional<std::int32_t> Partitioning::fixed() const {
  return way_ == Way::fixed ? std::optional(fixed_) : std::nullopt;
}

std::int64_t bytes_of(const Record& record, std::span<const Header> headers) {
  // Attributes, and what the record has beside the batch: offset and time.
  std::int64_t bytes = 3 + bytes_with_length(record.key) + bytes_with_length(record.value) +
                       varint_bytes(static_cast<std::int64_t>(headers.size()));
  for (const auto& [name, value] : headers) {
    bytes += bytes_with_length(std::optional(name)) + bytes_with_length(value);
  }
  return batch_head_bytes + varint_bytes(bytes) + bytes;
}

std::optional<record::BadRecord> refusal_of(const Limits& limits, const Record& record,
                                            std::span<const Header> headers, std::int64_t now_ms) {
  const auto refused = [](record::Fault fault, std::string code, std::string why) {
    return record::BadRecord{
        .fault = fault, .code = std::move(code), .reason = why, .told = std::move(why)};
  };
  if (limits.needs_keys && !record.key) {
    return refused(record::Fault::missing, "INVALID_RECORD",
                   "the record has no key, and the topic is compacted");
  }
  if (limits.record_bytes_max) {
    const auto bytes = bytes_of(record, headers);
    if (bytes > *limits.record_bytes_max) {
      return refused(record::Fault::unfit, "MSG_SIZE_TOO_LARGE",
                     fmt::format("the record has {} bytes, and the topic takes {} "
                                 "(max.message.bytes)",
                                 bytes, *limits.record_bytes_max));
    }
  }
  if (record.timestamp_ms < 0) return std::nullopt;
  const bool old = limits.before_ms && now_ms - record.timestamp_ms > *limits.before_ms;
  const bool ahead = limits.after_ms && record.timestamp_ms - now_ms > *limits.after_ms;
  if (!old && !ahead) return std::nullopt;
  return refused(record::Fault::unfit, "INVALID_TIMESTAMP",
                 fmt::format("the record's timestamp {} is further {} than the topic takes "
                             "(message.timestamp.{}.max.ms)",
                             record.timestamp_ms, old ? "in the past" : "in the future",
                             old ? "before" : "after"));
}

Result<std::shared_ptr<const Limits>> Target::limits(std::chrono::milliseconds at_most_old) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (limits_ && now - limits_->asked <= at_most_old) return limits_;
  auto admin = kafka::TopicAdmin::connect(options_.cluster, client_);
  if (!admin) return tl::unexpected(of_sink(admin.error()));
  auto topic = (*admin)->describe(names_.target, describing_ms);
  if (!topic) return tl::unexpected(of_sink(topic.error()));
  if (!topic->exists) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("Kafka at {} has no topic {}: create it, correct sink.kafka.topic, or "
                            "allow this login to describe it",
                            options_.cluster.brokers, names_.target));
  }
  auto dead = (*admin)->describe(names_.dead_letters, describing_ms);
  if (!dead) return tl::unexpected(of_sink(dead.error()));
  Limits found{.partitions = topic->partitions,
               .record_bytes_max = {},
               .before_ms = {},
               .after_ms = {},
               .asked = now};
  const auto& configs = topic->configs;
  const auto bytes = number(configs, "max.message.bytes");
  if (!compresses(options_)) found.record_bytes_max = bytes;
  if (bytes) found.batch_bytes_max = std::clamp<std::int64_t>(*bytes, 1, found.batch_bytes_max);
  if (const auto dead_bytes = number(dead->configs, "max.message.bytes")) {
    found.dead_letter_bytes_max = *dead_bytes;
  }
  found.needs_keys = config_of(configs, "cleanup.policy").find("compact") != std::string::npos;
  if (config_of(configs, "message.timestamp.type") != "LogAppendTime") {
    found.before_ms = number(configs, "message.timestamp.before.max.ms");
    found.after_ms = number(configs, "message.timestamp.after.max.ms");
    // Brokers before 3.6 have one for both.
    const auto both = number(configs, "message.timestamp.difference.max.ms");
    if (!found.before_ms) found.before_ms = both;
    if (!found.after_ms) found.after_ms = both;
  }
  limits_ = std::make_shared<const Limits>(found);
  return limits_;
}

}  // namespace semel::kafka_sink
