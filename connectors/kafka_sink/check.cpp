// `semel check` and `semel check --sample`.
#include <fmt/format.h>

#include "kafka/topic_admin.hpp"
#include "kafka_sink/control.hpp"
#include "kafka_sink/of_sink.hpp"
#include "kafka_sink/sink.hpp"

namespace semel::kafka_sink {

namespace {

constexpr int check_question_ms = 10'000;
constexpr int own_topics = 3;
constexpr auto fresh = std::chrono::milliseconds(0);

std::string copy_of(const std::optional<std::string_view>& bytes) {
  return bytes ? std::string(*bytes) : "";
}

/// What the topic would make of it.
SampledRecord sampled(const Shared& shared, const Limits& limits, const TopicPartition& tp,
                      const Record& record) {
  SampledRecord told{.tp = tp, .offset = record.offset};
  const auto headers = record.headers();
  const auto partition =
      shared.partitioning(tp.partition, record.key.has_value(), limits.partitions);
  if (const auto bad = refusal_of(limits, record, headers, now_ms())) {
    told.fate = SampledRecord::Fate::refused;
    told.reason = bad->reason;
  } else if (!partition) {
    told.fate = SampledRecord::Fate::refused;
    told.reason = fmt::format("the topic has no partition {}", tp.partition);
  } else {
    const auto part = [&](std::string name, const std::optional<std::string_view>& bytes) {
      told.values.emplace_back(std::move(name),
                               bytes ? std::optional(copy_of(bytes)) : std::nullopt);
    };
    told.values.emplace_back(
        "partition", *partition < 0 ? std::string("by its key") : std::to_string(*partition));
    part("key", record.key);
    part("value", record.value);
    if (record.timestamp_ms >= 0) {
      told.values.emplace_back("timestamp", std::to_string(record.timestamp_ms));
    }
    for (const auto& [name, value] : headers) part("header " + std::string(name), value);
  }
  return told;
}

/// Whether a topic is there that semel makes where it is missing.
Result<bool> own_topic(kafka::TopicAdmin& admin, const std::string& name) {
  auto found = admin.describe(name, check_question_ms);
  if (!found) return tl::unexpected(of_sink(found.error()));
  return found->exists;
}

}  // namespace

/// One line after the other, as far as the rest can be known. Nothing is written: whether this
/// login may write to the topics is known by writing only.
std::vector<Finding> check(const Options& options, const SinkContext& context) {
  std::vector<Finding> findings;
  const auto good = [&](std::string what) {
    findings.push_back({.ok = true, .what = std::move(what)});
  };
  const auto bad = [&](std::string what, const Error& error) {
    findings.push_back({.what = std::move(what), .remedy = error.message, .cause = error.cause});
    return findings;
  };
  const auto place = "Kafka at " + options.cluster.brokers;
  auto made = make_sink(options, context);
  if (!made) return bad(fmt::format("topic {} in {}", options.topic, place), made.error());
  auto shared = Shared::make(options, context);
  if (!shared) return bad(place, shared.error());
  const auto& names = (*shared)->names;
  auto limits = (*shared)->target.limits(fresh);
  if (!limits) return bad("topic " + options.topic, limits.error());
  const auto partitions = (*limits)->partitions;
  good(fmt::format("topic {} in {}: {} partition{}", options.topic, place, partitions,
                   partitions == 1 ? "" : "s"));
  auto admin = kafka::TopicAdmin::connect(options.cluster, context.owner.pipeline);
  if (!admin) return bad(place, of_sink(admin.error()));
  int there = 0;
  for (const auto& [name, what] :
       {std::pair(names.ledger, "the ledger"), std::pair(names.history, "its history"),
        std::pair(names.dead_letters, "dead letters")}) {
    auto exists = own_topic(**admin, name);
    if (!exists) return bad("topic " + name, exists.error());
    if (*exists) ++there;
    good(*exists ? fmt::format("{} in topic {}", what, name)
                 : fmt::format("no topic {} yet: `semel run` makes it ({})", name, what));
  }
  if (there == own_topics) {
    if (auto goes_on = can_go_on(**shared, (*shared)->stop); !goes_on) {
      return bad("what is in topic " + names.ledger, goes_on.error());
    }
  }
  // An id of its own: nobody is fenced by it.
  auto begun = (*shared)->fence(names.ledger + "-check", false, (*shared)->stop);
  if (!begun) return bad("transactions", begun.error());
  good(fmt::format("transactions, as {}", names.slot_id(0)));
  return findings;
}

Result<std::vector<SampledRecord>> sample(const Options& options, const SinkContext& context,
                                          const RecordFeed& feed) {
  auto shared = Shared::make(options, context);
  if (!shared) return tl::unexpected(shared.error());
  auto limits = (*shared)->target.limits(fresh);
  if (!limits) return tl::unexpected(limits.error());
  std::vector<SampledRecord> all;
  auto fed = feed([&](const TopicPartition& tp, std::span<const Record> records) {
    for (const auto& record : records) all.push_back(sampled(**shared, **limits, tp, record));
  });
  if (!fed) return tl::unexpected(fed.error());
  return all;
}

}  // namespace semel::kafka_sink
