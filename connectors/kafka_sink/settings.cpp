#include "kafka_sink/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/mask.hpp"
#include "config/load.hpp"
#include "config/setting.hpp"
#include "connector/record_settings.hpp"
#include "kafka/broker_list.hpp"
#include "kafka/passthrough.hpp"
#include "kafka/secret_property.hpp"
#include "kafka/topic_name.hpp"
#include "kafka_sink/options.hpp"
#include "kafka_sink/target.hpp"

namespace semel::kafka_sink {

namespace {

using config::boolean;
using config::duration;
using config::integer;
using config::Setting;
using config::text;

const config::Field<kafka::Options> cluster(&Options::cluster);

std::optional<std::string> check_brokers(const std::string& given) {
  const auto list = kafka::broker_list(given);
  return list ? std::nullopt : std::optional(list.error().message);
}

std::optional<std::string> check_topic(const std::string& given) {
  if (kafka::is_topic_name(given)) return std::nullopt;
  return "is no topic's name: letters, digits and . _ -, at most 249";
}

std::optional<std::string> check_partition(const std::string& given) {
  const auto made = Partitioning::of(given);
  return made ? std::nullopt : std::optional(made.error().message);
}

/// Where records go.
std::vector<Setting> place_settings() {
  return {
      {.path = "brokers",
       .binding = text(cluster.of(&kafka::Options::brokers), check_brokers),
       .text = "Bootstrap servers of the cluster that gets the records, with commas between them. "
               "It may be the one that is read, or another one.",
       .example = "\"localhost:9092\"",
       .required = true},
      {.path = "topic",
       .binding = text(&Options::topic, check_topic),
       .text = "The topic that gets the records. It must exist. Key, value, headers and timestamp "
               "stay as they are, byte for byte, tombstones included.",
       .example = "\"clicks-copy\"",
       .required = true},
      {.path = "partition",
       .binding = text(&Options::partition, check_partition),
       .text = "Which of its partitions gets a record. `\"key\"`: the one that Kafka's own clients "
               "choose for its key (murmur2); a record without a key goes to the number that it "
               "came from, modulo how many there are. `\"same\"`: the number that it came from, "
               "which must exist. `\"3\"`: this one.",
       .example = "\"same\""},
      {.path = "origin_headers",
       .binding = boolean(&Options::origin_headers),
       .text = "Whether each record gets the headers `semel.topic`, `semel.partition` and "
               "`semel.offset`, which say where it came from."},
      {.path = "transaction_timeout",
       .binding = duration(&Options::transaction_timeout_ms, {2'000, 900'000}),
       .text =
           "After which the broker aborts a transaction that nobody ended. Readers of committed "
           "records wait so long, at most, for a process that is gone and is not started "
           "again. A range must be written within it; brokers allow "
           "`transaction.max.timeout.ms` (15 minutes) at most.",
       .example = "\"5m\""},
      {.path = "librdkafka",
       .binding = config::text_table(cluster.of(&kafka::Options::librdkafka),
                                     [](const std::string& name, const std::string& value) {
                                       return kafka::is_secret_property(name) ? mask : value;
                                     }),
       .text =
           "Any property of librdkafka for this cluster, as its own documentation names them: "
           "TLS, SASL, `compression.codec` (lz4, unless another one is given), `linger.ms`. "
           "Those that would break a promise (such as `acks` or `transactional.id`) are refused "
           "by name.",
       .example =
           "{ \"security.protocol\" = \"SASL_SSL\", \"sasl.mechanisms\" = \"SCRAM-SHA-512\", "
           "\"sasl.username\" = \"semel\", \"sasl.password\" = \"${KAFKA_PASSWORD}\" }",
       .secret = true,
       .strangers = "Properties of librdkafka"},
  };
}

/// What is said of the topic's bad records; the rest of what every sink asks is of columns.
std::vector<Setting> refusal_settings() {
  std::vector<Setting> all{
      {.path = "dead_letters",
       .binding = text(&Options::dead_letters, check_topic),
       .text = "The topic of what the topic refuses (too large, a timestamp out of bounds, no key "
               "where it is compacted), written in the same transaction: the record, and headers "
               "`semel.…` that say where it came from and what is wrong. Made where it does not "
               "exist. Default: the topic's name with `.dead-letters`.",
       .example = "\"clicks-refused\""}};
  static const std::map<std::string, std::string> texts{
      {"on_bad_record",
       "A record that the topic refuses while others go in: `dead_letter` puts it into the topic "
       "of dead letters in the same transaction, `stop` ends with exit code 7 and names topic, "
       "partition and offset. Outages never make dead letters."},
      {"bad_share_max",
       "A range in which at least this share of the records is bad stops the pipeline and writes "
       "nothing: the topic's settings have changed, or it is the wrong topic. 1.0: only when all "
       "records are bad."}};
  for (auto& setting : semel::bad_record_settings(&Options::policy)) {
    const auto wanted = texts.find(setting.path);
    if (wanted != texts.end()) setting.text = wanted->second;
    all.push_back(std::move(setting));
  }
  return all;
}

std::vector<Setting> ledger_settings() {
  constexpr std::int64_t hour = 3'600'000;
  constexpr int replicas_max = 32'767;
  return {
      {.path = "ledger.topic",
       .binding = text(&Options::ledger, check_topic),
       .text =
           "The topic of the ledger, compacted, with one partition, of this output alone; its "
           "history is in the topic of the same name with `.history`. Transactional ids begin "
           "with it, too. Made where it does not exist. Default: `semel.`, the pipeline's name, "
           "`.`, the output's.",
       .example = "\"semel.clicks.kafka\""},
      {.path = "ledger.replication",
       .binding = integer<int>(&Options::replication, {0, replicas_max}),
       .text = "Replicas of the topics that semel makes. 0: the broker's default. Give the ledger "
               "no fewer than the topic has."},
      {.path = "ledger.keep_commits",
       .binding = duration(&Options::keep_commits_hours, {0, 365ll * 100 * 24 * hour}, hour),
       .text = "The retention with which the topic of the history is made, in whole hours. "
               "`\"0s\"`: for ever. Of a topic that exists it is changed with Kafka's own tools.",
       .example = "\"30d\""},
  };
}

void check_properties(const config::Part& part, config::Whole& file) {
  for (const auto& property : part.as<Options>().cluster.librdkafka) {
    const auto checked = kafka::validate_passthrough({property}, kafka::Use::sink);
    if (!checked) {
      file.problem_in("sink.kafka.librdkafka", property.first, checked.error().message);
    }
  }
}

}  // namespace

config::Section settings() {
  config::Section section{.path = "sink.kafka",
                          .defaults = config::Part::of(Options{}),
                          .settings = place_settings(),
                          .check = check_properties};
  for (auto* more : {&refusal_settings, &ledger_settings}) {
    for (auto&& one : more()) section.settings.push_back(std::move(one));
  }
  return section;
}

}  // namespace semel::kafka_sink
