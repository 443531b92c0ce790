// Where records come from.
#include <fmt/format.h>
#include <cctype>
#include <regex>
#include <set>

#include "app/formats.hpp"
#include "app/pipeline_config.hpp"
#include "app/settings.hpp"
#include "app/start_setting.hpp"
#include "base/mask.hpp"
#include "config/durations.hpp"
#include "config/value.hpp"
#include "kafka/broker_list.hpp"
#include "kafka/passthrough.hpp"
#include "kafka/secret_property.hpp"
#include "kafka/topic_name.hpp"

namespace semel::app {

namespace {

using config::boolean;
using config::choice;
using config::duration;
using config::quoted;
using config::Setting;
using config::text;
using config::text_list;
using config::text_table;
using kafka::Isolation;

const auto tp = config::Field<engine::PipelineOptions>(&PipelineConfig::pipeline)
                    .of(&engine::PipelineOptions::kafka);

std::optional<std::string> not_empty(const std::string& text) {
  if (text.find_first_not_of(" \t,") == std::string::npos) return "must not be empty";
  return std::nullopt;
}

std::optional<std::string> check_brokers(const std::string& text) {
  const auto list = kafka::broker_list(text);
  return list ? std::nullopt : std::optional(list.error().message);
}

std::optional<std::string> check_topic(const std::string& topic) {
  if (kafka::is_topic_name(topic)) return std::nullopt;
  return fmt::format(
      "holds {}, which is no topic's name (for a regular expression use topic_pattern)",
      config::quoted(topic));
}

/// Which records.
std::vector<Setting> topic_settings() {
  return {
      {.path = "source.kafka.brokers",
       .binding = text(tp.of(&kafka::Options::brokers), check_brokers),
       .text = "Bootstrap servers with commas between them: `\"kafka1:9092,kafka2:9092\"`. Without "
               "a port, 9092. One that answers is enough: it names the others of the cluster.",
       .example = "\"localhost:9092\"",
       .required = true},
      {.path = "source.kafka.topics",
       .binding = text_list(tp.of(&kafka::Options::topics), check_topic),
       .text =
           "Names of the topics to read. A topic that does not exist is an error. Either this or "
           "topic_pattern must be given. From the environment or the command line, names with "
           "commas between them will do.",
       .example = "[\"clicks\", \"views\"]",
       .required_unless = {"topic_pattern"},
       .missing = "[\"clicks\"]"},
      {.path = "source.kafka.topic_pattern",
       .binding = text(tp.of(&kafka::Options::topic_pattern), not_empty),
       .text = "Regular expression (ECMAScript) that must match a topic's whole name. Topics that "
               "appear later are found while running, and read from their beginning. A topic whose "
               "name "
               "begins with an underscore is taken for an internal one (`__consumer_offsets`, "
               "`_schemas`) and matches only where the pattern itself says the underscores; other "
               "internal topics (`connect-offsets`) are left out by the pattern: "
               "`'(?!connect-).*'`.",
       .example = "'shop\\..*'"},
      {.path = "source.kafka.start",
       .binding = start_setting(tp.of(&kafka::Options::start)),
       .text = "Where a topic begins that the ledger does not know yet: `\"earliest\"`, "
               "`\"latest\"`, a "
               "moment with its zone (the first record at or after it), or an offset for every "
               "partition. What the ledger knows always wins, and partitions that are added to a "
               "known topic begin at their earliest record.",
       .example = "\"2026-01-31T00:00:00Z\"   # or a table: { clicks = { 0 = 100, 1 = 250 } }"},
  };
}

/// What is in them.
Setting value_setting() {
  std::vector<std::pair<std::string, formats::FormatPtr>> named;
  for (const auto& format : all_formats()) named.emplace_back(format->name(), format);
  return {.path = "source.kafka.value",
          .binding = choice<formats::FormatPtr>(&PipelineConfig::format, std::move(named)),
          .text =
              "What a record's value is. `json`: one JSON object, whose members are what "
              "columns come from. `raw`: any bytes, not looked into: `$` is all of them, and "
              "other columns take parts of the record (`@key`, `@offset`) or their defaults. "
              "[What becomes of which value](../guides/values.md).",
          .example = "\"raw\""};
}

/// How they are read, and shown to have been read.
std::vector<Setting> reading_settings() {
  return {
      value_setting(),
      {.path = "source.kafka.isolation",
       .binding = choice<Isolation>(tp.of(&kafka::Options::isolation),
                                    {{"read_committed", Isolation::read_committed},
                                     {"read_uncommitted", Isolation::read_uncommitted}}),
       .text = "`read_committed` reads up to the last stable offset and leaves out aborted "
               "transactions; `read_uncommitted` reads everything."},
      {.path = "source.kafka.group_id",
       .binding = text(tp.of(&kafka::Options::group_id)),
       .text = "Consumer group under which progress is shown to Kafka's lag tools. Default: the "
               "pipeline's name. Never read back: the ledger is the truth. A group that has "
               "members, or "
               "offsets that this pipeline did not write, is left alone, with a warning.",
       .example = "\"semel-clicks\""},
      {.path = "source.kafka.commit_group_offsets",
       .binding = boolean(tp.of(&kafka::Options::commit_group_offsets)),
       .text = "Whether progress is shown to Kafka's lag tools at all. Needs the right to read the "
               "group (ACL operation READ); without it only that display is missing, and a warning "
               "says so."},
      {.path = "source.kafka.discovery_interval",
       .binding = duration(tp.of(&kafka::Options::discovery_interval_ms), {100, config::day_ms}),
       .text = "How often new topics and partitions are looked for.",
       .example = "\"1m\""},
      {.path = "source.kafka.librdkafka",
       .binding = text_table(tp.of(&kafka::Options::librdkafka),
                             [](const std::string& name, const std::string& value) {
                               return kafka::is_secret_property(name) ? mask : value;
                             }),
       .text =
           "Any property of librdkafka, as its own documentation names them: TLS, SASL, sockets. "
           "Those that would break a promise (such as `enable.auto.commit` or `isolation.level`) "
           "are refused by name.",
       .example =
           "{ \"security.protocol\" = \"SASL_SSL\", \"sasl.mechanisms\" = \"SCRAM-SHA-512\", "
           "\"sasl.username\" = \"semel\", \"sasl.password\" = \"${KAFKA_PASSWORD}\" }",
       .secret = true,
       .strangers = "Properties of librdkafka"},
  };
}

void check_topic_names(const kafka::Options& options, config::Whole& file) {
  if (!options.topics.empty() && !options.topic_pattern.empty()) {
    file.problem("source.kafka.topic_pattern",
                 "and source.kafka.topics are given: keep one of them");
  }
  const auto* listed = file.given("source.kafka.topics");
  const auto* list = listed != nullptr ? listed->as<config::Value::List>() : nullptr;
  if (list != nullptr && list->empty() && options.topic_pattern.empty()) {
    file.problem("source.kafka.topics", "must name a topic, such as [\"clicks\"]");
  }
  std::set<std::string> names;
  for (const auto& topic : options.topics) {
    if (!names.insert(topic).second) {
      file.problem("source.kafka.topics", fmt::format("names {} twice", config::quoted(topic)));
    }
  }
  if (options.topic_pattern.empty()) return;
  try {
    const std::regex pattern(options.topic_pattern, std::regex::ECMAScript);
  } catch (const std::regex_error& error) {
    file.problem("source.kafka.topic_pattern",
                 fmt::format("is not a regular expression: {}", error.what()));
  }
}

void check_start(const kafka::Options& options, config::Whole& file) {
  const auto* offsets = std::get_if<kafka::StartOffsets>(&options.start);
  if (offsets == nullptr || options.topics.empty()) return;
  const std::set<std::string> names(options.topics.begin(), options.topics.end());
  std::set<std::string> complained;
  for (const auto& [tp, offset] : offsets->offsets) {
    if (!names.contains(tp.topic) && complained.insert(tp.topic).second) {
      file.problem("source.kafka.start",
                   fmt::format("names {}, which is not among source.kafka.topics",
                               config::quoted(tp.topic)));
    }
  }
}

void check_properties(const kafka::Options& options, config::Whole& file) {
  for (const auto& property : options.librdkafka) {
    if (const auto checked = kafka::validate_passthrough({property}); !checked) {
      file.problem_in("source.kafka.librdkafka", property.first, checked.error().message);
    }
  }
}

}  // namespace

std::vector<Setting> kafka_settings() {
  auto all = topic_settings();
  auto more = reading_settings();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

void check_kafka(const PipelineConfig& config, config::Whole& file) {
  check_topic_names(config.pipeline.kafka, file);
  check_start(config.pipeline.kafka, file);
  check_properties(config.pipeline.kafka, file);
}

}  // namespace semel::app
