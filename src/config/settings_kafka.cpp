// Where records come from.
#include <fmt/format.h>
#include <cctype>

#include "config/durations.hpp"
#include "config/secrets.hpp"
#include "config/setting.hpp"
#include "kafka/broker_list.hpp"

namespace semel::config {

namespace {

std::optional<std::string> not_empty(const std::string& text) {
  if (text.find_first_not_of(" \t,") == std::string::npos) return "must not be empty";
  return std::nullopt;
}

std::optional<std::string> check_brokers(const std::string& text) {
  const auto list = kafka::broker_list(text);
  return list ? std::nullopt : std::optional(list.error().message);
}

std::optional<std::string> check_topic(const std::string& topic) {
  // Kafka's own rule: letters, digits, . _ -, at most 249.
  const bool legal = !topic.empty() && topic.size() <= 249 && topic != "." && topic != ".." &&
                     topic.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789._-") == std::string::npos;
  if (legal) return std::nullopt;
  return fmt::format(
      "holds {}, which is no topic's name (for a regular expression use topic_pattern)",
      quoted(topic));
}

}  // namespace

std::vector<Setting> kafka_settings() {
  using kafka::Isolation;
  return {
      {.path = "source.kafka.brokers",
       .binding = text(
           [](auto& c) -> auto& { return c.pipeline.kafka.brokers; }, check_brokers),
       .text = "Bootstrap servers with commas between them: `\"kafka1:9092,kafka2:9092\"`. Without "
               "a port, 9092. One that answers is enough: it names the others of the cluster.",
       .example = "\"localhost:9092\"",
       .required = true},
      {.path = "source.kafka.topics",
       .binding = text_list(
           [](auto& c) -> auto& { return c.pipeline.kafka.topics; }, check_topic),
       .text =
           "Names of the topics to read. A topic that does not exist is an error. Either this or "
           "topic_pattern must be given. From the environment or the command line, names with "
           "commas between them will do.",
       .example = "[\"clicks\", \"views\"]"},
      {.path = "source.kafka.topic_pattern",
       .binding = text(
           [](auto& c) -> auto& { return c.pipeline.kafka.topic_pattern; }, not_empty),
       .text = "Regular expression (ECMAScript) that must match a topic's whole name. Topics that "
               "appear later are found while running, and read from their beginning. A topic whose "
               "name "
               "begins with an underscore is taken for an internal one (`__consumer_offsets`, "
               "`_schemas`) and matches only where the pattern itself says the underscores; other "
               "internal topics (`connect-offsets`) are left out by the pattern: "
               "`'(?!connect-).*'`.",
       .example = "'shop\\..*'"},
      {.path = "source.kafka.start",
       .binding = start([](auto& c) -> auto& { return c.pipeline.kafka.start; }),
       .text = "Where a topic begins that the ledger does not know yet: `\"earliest\"`, "
               "`\"latest\"`, a "
               "moment with its zone (the first record at or after it), or an offset for every "
               "partition. What the ledger knows always wins, and partitions that are added to a "
               "known topic begin at their earliest record.",
       .example = "\"2026-01-31T00:00:00Z\"   # or a table: { clicks = { 0 = 100, 1 = 250 } }"},
      {.path = "source.kafka.isolation",
       .binding = choice<Isolation>([](auto& c) -> auto& { return c.pipeline.kafka.isolation; },
                                    {{"read_committed", Isolation::read_committed},
                                     {"read_uncommitted", Isolation::read_uncommitted}}),
       .text = "`read_committed` reads up to the last stable offset and leaves out aborted "
               "transactions; `read_uncommitted` reads everything."},
      {.path = "source.kafka.group_id",
       .binding = text([](auto& c) -> auto& { return c.pipeline.kafka.group_id; }),
       .text = "Consumer group under which progress is shown to Kafka's lag tools. Default: the "
               "pipeline's name. Never read back: the ledger is the truth. A group that has "
               "members, or "
               "offsets that this pipeline did not write, is left alone, with a warning.",
       .example = "\"semel-clicks\""},
      {.path = "source.kafka.commit_group_offsets",
       .binding = boolean([](auto& c) -> auto& { return c.pipeline.kafka.commit_group_offsets; }),
       .text = "Whether progress is shown to Kafka's lag tools at all. Needs the right to read the "
               "group (ACL operation READ); without it only that display is missing, and a warning "
               "says "
               "so."},
      {.path = "source.kafka.discovery_interval",
       .binding = duration([](auto& c) -> auto& { return c.pipeline.kafka.discovery_interval_ms; },
                           {100, day_ms}),
       .text = "How often new topics and partitions are looked for.",
       .example = "\"1m\""},
      {.path = "source.kafka.librdkafka",
       .binding = text_table(
           [](auto& c) -> auto& { return c.pipeline.kafka.librdkafka; },
           [](const std::string& name, const std::string& value) {
             return is_secret_property(name) ? mask : value;
           }),
       .text =
           "Any property of librdkafka, as its own documentation names them: TLS, SASL, sockets. "
           "Those that would break a promise (such as `enable.auto.commit` or `isolation.level`) "
           "are refused by name.",
       .example =
           "{ \"security.protocol\" = \"SASL_SSL\", \"sasl.mechanisms\" = \"SCRAM-SHA-512\", "
           "\"sasl.username\" = \"semel\", \"sasl.password\" = \"${KAFKA_PASSWORD}\" }",
       .secret = true},
  };
}

}  // namespace semel::config
