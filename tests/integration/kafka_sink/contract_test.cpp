// The contract of sinks, on a topic of the real broker.
#include <algorithm>

#include <semel/contract/catch2.hpp>

#include "integration/kafka_sink/rig.hpp"
#include "kafka_sink/ledger_record.hpp"
#include "kafka_sink/sink.hpp"
#include "support/kafka_producer.hpp"

namespace semel::test {

namespace {

constexpr int sessions = 3;  // that a case has open at once

class KafkaSubject final : public contract::Subject {
 public:
  KafkaSubject() : output_(1, {{"max.message.bytes", "2000"}}) {
    output_.options.cluster.librdkafka["compression.codec"] = "none";
  }
  std::unique_ptr<Sink> open(const Owner& owner) override {
    output_.options.ledger = ledger_of(owner.pipeline, owner.output);
    return output_.open(owner, sessions);
  }
  std::unique_ptr<Ledger> ledger(const std::string& pipeline, const std::string& output) override {
    const auto topic = ledger_of(pipeline, output);
    output_.options.ledger = topic;
    Owner owner{.pipeline = pipeline, .output = output};
    // Of a pipeline that never ran there are no topics, or such as `semel sql` makes.
    auto opened = kafka_sink::open_ledger(output_.options, output_.context(owner));
    if (!opened) {
      KafkaServer::shared().create_topic(topic, 1, {{"cleanup.policy", "compact"}});
      KafkaServer::shared().create_topic(topic + ".history", 1);
      opened = kafka_sink::open_ledger(output_.options, output_.context(owner));
    }
    if (!opened) FAIL(opened.error().message);
    return *std::move(opened);
  }
  std::string good_value(Offset offset) override {
    return "{\"id\": " + std::to_string(offset) + "}";
  }
  std::optional<std::string> bad_value() override { return std::string(5'000, 'x'); }
  std::vector<Offset> stored() override { return offsets_of(output_.stored()); }
  std::vector<Offset> dead() override { return offsets_of(output_.dead()); }
  std::optional<std::string> expected(const Record& record) override { return whole(record); }
  std::map<Offset, std::string> contents() override {
    std::map<Offset, std::string> all;
    for (const auto& record : output_.stored()) all[record.origin()] = whole(record);
    return all;
  }
  std::optional<std::string> expected_dead(const Record& record) override { return whole(record); }
  std::map<Offset, std::string> dead_contents() override {
    std::map<Offset, std::string> all;
    for (const auto& letter : output_.dead()) {
      // Its own timestamp is that of the letter.
      auto record = letter;
      const auto time = letter.header("semel.timestamp");
      record.timestamp_ms = time.empty() ? -1 : std::stoll(time);
      all[letter.origin()] = whole(record);
    }
    return all;
  }
  std::map<Offset, std::string> dead_reasons() override {
    std::map<Offset, std::string> all;
    for (const auto& letter : output_.dead()) all[letter.origin()] = letter.header("semel.reason");
    return all;
  }
  bool lose_positions() override {
    KafkaProducer producer(output_.options.cluster.brokers);
    producer.produce(ledger_of("pipe", "out"), 0, kafka_sink::key_of({"clicks", 3}), std::nullopt);
    producer.flush();
    return true;
  }
  std::shared_ptr<void> hold_up() override {
    KafkaServer::shared().freeze();
    return {&KafkaServer::shared(), [](KafkaServer* server) { server->thaw(); }};
  }

 private:
  template <class Headers>
  static std::string others_of(const Headers& headers) {
    std::string all;
    for (const auto& [name, value] : headers) {
      if (!name.starts_with("semel.")) all += ", " + contract::text_of(name, value);
    }
    return all;
  }
  static std::string whole(const Record& record) {
    std::vector<std::pair<std::string, std::optional<std::string_view>>> headers;
    for (const auto& [name, value] : record.headers()) headers.emplace_back(name, value);
    return contract::text_of(record.key, record.value) + " at " +
           std::to_string(record.timestamp_ms) + others_of(headers);
  }
  static std::string whole(const Seen& seen) {
    // The broker dates a record that has no timestamp; those of the contract are old.
    constexpr std::int64_t now_or_so = 1'750'000'000'000;
    return contract::text_of(seen.key, seen.value) + " at " +
           std::to_string(seen.timestamp_ms < now_or_so ? seen.timestamp_ms : -1) +
           others_of(seen.headers);
  }
  std::string ledger_of(const std::string& pipeline, const std::string& output) const {
    return output_.ledger + "." + pipeline + "." + output;
  }
  static std::vector<Offset> offsets_of(const std::vector<Seen>& records) {
    std::vector<Offset> all;
    for (const auto& record : records) all.push_back(record.origin());
    std::ranges::sort(all);
    return all;
  }

  KafkaOutput output_;
};

}  // namespace

TEST_CASE("the Kafka sink keeps the contract of sinks") {
  if (!kafka_available()) return;
  contract::run_in_catch2([] { return std::make_unique<KafkaSubject>(); },
                          Guarantee::transactional);
}

}  // namespace semel::test
