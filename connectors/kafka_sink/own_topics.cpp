// The topics that semel makes for an output: its ledger, the ledger's history, its dead letters.
#include <fmt/format.h>

#include <array>

#include "kafka_sink/of_sink.hpp"
#include "kafka_sink/target.hpp"

namespace semel::kafka_sink {

namespace {

constexpr int making_ms = 10'000;
constexpr std::int64_t hour_ms = 3'600'000;

struct OwnTopic {
  std::string name;
  std::string what;  ///< for people
  bool compacted = false;
  bool ordered = true;  ///< has one partition: there is no order among several
  std::map<std::string, std::string> configs{};
};

std::array<OwnTopic, 3> topics_wanted(const Options& options, const Names& names) {
  const auto keep = options.keep_commits_hours == 0 ? -1 : options.keep_commits_hours * hour_ms;
  return {
      OwnTopic{.name = names.ledger,
               .what = "the ledger",
               .compacted = true,
               .configs = kafka::compacted_topic()},
      OwnTopic{.name = names.history,
               .what = "the ledger's history",
               .configs = {{"cleanup.policy", "delete"},
                           {"retention.bytes", "-1"},
                           {"retention.ms", std::to_string(keep)},
                           {"segment.ms", std::to_string(24 * hour_ms)}}},
      // Large ones are what it is for.
      OwnTopic{.name = names.dead_letters,
               .what = "the topic of dead letters",
               .ordered = false,
               .configs = {{"cleanup.policy", "delete"},
                           {"retention.bytes", "-1"},
                           {"retention.ms", "-1"},
                           {"max.message.bytes", "16777216"}}},
  };
}

/// Whether one that is there can be what it has to be; where its configuration may be seen.
Result<void> fits(const OwnTopic& wanted, const kafka::TopicDescription& found) {
  const auto policy = found.configs.find("cleanup.policy");
  if (policy != found.configs.end() &&
      policy->second != (wanted.compacted ? "compact" : "delete")) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("topic {}, {}, has cleanup.policy = {}: Kafka would delete what has to "
                            "stay, or refuse what has no key. Set it to {}",
                            wanted.name, wanted.what, policy->second,
                            wanted.compacted ? "compact" : "delete"));
  }
  if (found.partitions != 1 && wanted.ordered) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("topic {}, {}, has {} partitions and needs one: delete it if it is "
                            "empty, or name another one in sink.kafka.ledger.topic",
                            wanted.name, wanted.what, found.partitions));
  }
  return {};
}

}  // namespace

Result<void> set_up_topics(const Options& options, const Names& names, const std::string& client) {
  auto admin = kafka::TopicAdmin::connect(options.cluster, client);
  if (!admin) return tl::unexpected(of_sink(admin.error()));
  for (const auto& wanted : topics_wanted(options, names)) {
    auto found = (*admin)->describe(wanted.name, making_ms);
    if (!found) return tl::unexpected(of_sink(found.error()));
    if (found->exists) {
      if (auto fit = fits(wanted, *found); !fit) return fit;
      continue;
    }
    auto made = (*admin)->create(wanted.name, 1, options.replication, wanted.configs, making_ms);
    if (made) continue;
    auto error = of_sink(made.error());
    if (error.kind == ErrorKind::fatal) {
      error.message += fmt::format(
          ". It is to be {}: `semel sql` prints the command that makes it "
          "by hand",
          wanted.what);
    }
    return tl::unexpected(std::move(error));
  }
  return {};
}

std::string commands_for_topics(const Options& options, const Names& names) {
  std::string all;
  for (const auto& [name, what, compacted, ordered, configs] : topics_wanted(options, names)) {
    all += fmt::format(
        "# {}\nkafka-topics.sh --bootstrap-server {} --create --topic {} --partitions 1", what,
        options.cluster.brokers, name);
    if (options.replication > 0)
      all += fmt::format(" --replication-factor {}", options.replication);
    for (const auto& [key, value] : configs)
      all += fmt::format(" \\\n  --config {}={}", key, value);
    all += '\n';
  }
  return all;
}

}  // namespace semel::kafka_sink
