#include "fault/kafka_sink/copy_rig.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

namespace semel::test {

namespace {

constexpr std::int64_t keys = 100;

std::string key_of(std::int64_t id) {
  return fmt::format("key-{}", id % keys);
}

std::unique_ptr<rd_kafka_t, void (*)(rd_kafka_t*)> reader_of_committed(const std::string& brokers) {
  char reason[512];
  auto* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), reason, sizeof reason);
  rd_kafka_conf_set(conf, "isolation.level", "read_committed", reason, sizeof reason);
  rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "500", reason, sizeof reason);
  return {rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason), rd_kafka_destroy};
}

}  // namespace

bool kcat_available() {
  try {
    if (run({.argv = {"kcat", "-V"}}).code == 0) return true;
  } catch (const std::runtime_error&) {
  }
  fmt::print("skipped: {}: no kcat here\n", Catch::getResultCapture().getCurrentTestName());
  return false;
}

CopyRig::CopyRig(int partitions)
    : partitions_(partitions),
      brokers_(KafkaServer::shared().bootstrap_servers()),
      sink_brokers_(brokers_),
      source_(unique_name("copy")),
      asks_(reader_of_committed(brokers_)) {
  KafkaServer::shared().create_topic(source_, partitions);
  KafkaServer::shared().create_topic(target(), partitions);
  configure();
}

void CopyRig::configure(const std::string& lines, const std::string& transaction_timeout) {
  write_file(dir_ / "pipeline.toml",
             fmt::format(R"(name = "{0}"
[source.kafka]
brokers = "{1}"
topics = ["{0}"]
[sink.kafka]
brokers = "{2}"
topic = "{3}"
transaction_timeout = "{5}"
{4}
[batch]
max_records_per_partition = 500
interval = "20ms"
[retry]
backoff_min = "10ms"
backoff_max = "50ms"
[timeouts]
heartbeat = "200ms"
)",
                         source_, brokers_, sink_brokers_, target(), lines, transaction_timeout));
}

void CopyRig::produce(std::int64_t count) {
  KafkaProducer producer(brokers_,
                         {{"enable.idempotence", "true"}, {"reconnect.backoff.max.ms", "500"}});
  for (std::int64_t i = 0; i < count; ++i, ++produced_) {
    const auto key = key_of(produced_);
    producer.produce(source_, static_cast<int>(produced_ % keys % partitions_), key,
                     std::to_string(produced_));
  }
  producer.flush();
}

Process CopyRig::start(const std::string& state, std::vector<std::string> args) {
  std::vector<std::string> argv{SEMEL_BINARY, "run", dir_ / "pipeline.toml", "--set",
                                "state_dir=" + (dir_ / ("state-" + state))};
  if (const auto* unit = std::getenv("SEMEL_TEST_COMMIT")) {
    argv.insert(argv.end(), {"--set", fmt::format("batch.commit={}", unit)});
  }
  argv.insert(argv.end(), args.begin(), args.end());
  return Process({.argv = std::move(argv), .env = environment_});
}

ProcessResult CopyRig::finish(const std::string& command, std::vector<std::string> args) {
  std::vector<std::string> argv{SEMEL_BINARY, command, dir_ / "pipeline.toml", "--set",
                                "state_dir=" + (dir_ / "state-a")};
  argv.insert(argv.end(), args.begin(), args.end());
  return run({.argv = std::move(argv), .env = environment_});
}

void CopyRig::drain() {
  const auto result = finish("run", {"--once"});
  INFO(result.out << result.err);
  REQUIRE(result.signal == 0);
  REQUIRE(result.code == 0);
}

std::vector<std::string> CopyRig::read() const {
  const auto result =
      test::run({.argv = {"kcat", "-C", "-q", "-e", "-b", brokers_, "-X",
                          "isolation.level=read_committed", "-t", target(), "-f", "%p %k %s\n"}});
  std::vector<std::string> lines;
  std::istringstream text(result.out);
  for (std::string line; std::getline(text, line);) lines.push_back(std::move(line));
  return lines;
}

std::int64_t CopyRig::ends() const {
  std::int64_t all = 0;
  for (int partition = 0; partition < partitions_; ++partition) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    rd_kafka_query_watermark_offsets(asks_.get(), target().c_str(), partition, &low, &high, 2'000);
    all += high;
  }
  return all;
}

bool CopyRig::grows(std::int64_t above) const {
  return eventually([&] { return ends() > above; });
}

bool CopyRig::all_there() const {
  constexpr auto at_most = std::chrono::seconds(60);
  const auto give_up = std::chrono::steady_clock::now() + at_most;
  while (static_cast<std::int64_t>(read().size()) < produced_) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  return true;
}

void CopyRig::expect_exactly_once() {
  // A commit is answered before each partition has its marker.
  CHECK(all_there());
  std::vector<int> times(static_cast<std::size_t>(produced_));
  std::map<std::string, std::pair<std::string, std::int64_t>> last;  // partition and id, by key
  std::int64_t out_of_order = 0;
  std::int64_t elsewhere = 0;
  for (const auto& line : read()) {
    std::istringstream words(line);
    std::string partition;
    std::string key;
    std::int64_t id = -1;
    words >> partition >> key >> id;
    REQUIRE(id >= 0);
    REQUIRE(id < produced_);
    ++times[static_cast<std::size_t>(id)];
    CHECK(key == key_of(id));
    const auto [before, first] = last.try_emplace(key, partition, id);
    if (first) continue;
    if (before->second.first != partition) ++elsewhere;
    if (before->second.second >= id) ++out_of_order;
    before->second.second = id;
  }
  CHECK(std::count(times.begin(), times.end(), 0) == 0);
  CHECK(std::count(times.begin(), times.end(), 1) == produced_);
  CHECK(out_of_order == 0);
  CHECK(elsewhere == 0);
  const auto verified = finish("verify");
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
}

CopyLoad::CopyLoad(CopyRig& rig)
    : thread_([this, &rig] {
        while (!done_) {
          rig.produce(100);
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
      }) {}

void CopyLoad::finish() {
  done_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace semel::test
