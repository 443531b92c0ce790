// Transactions under the whole program: visible records are stored once, aborted ones never,
// wherever the ranges and the kills fall.
#include <fmt/format.h>

#include <csignal>
#include <random>
#include <thread>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/kafka_producer.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

/// What was produced in transactions: ids from 0 on in committed ones, below 0 in aborted ones.
class Transactions {
 public:
  explicit Transactions(Rig& rig, int partitions = 1)
      : rig_(rig),
        partitions_(partitions),
        producer_(KafkaServer::shared().bootstrap_servers(),
                  {{"transactional.id", unique_name("tx")}, {"reconnect.backoff.max.ms", "500"}}) {}

  void begin() { producer_.begin(); }
  /// Records of a transaction that will be committed, or aborted; they are in the log on return.
  void write(int count, bool commit = true) {
    for (int i = 0; i < count; ++i) {
      const auto id = commit ? committed_++ : --aborted_;
      const auto partition = static_cast<int>((committed_ - aborted_) % partitions_);
      producer_.produce(rig_.topic(), partition, std::nullopt, fmt::format(R"({{"id":{}}})", id));
    }
    producer_.flush();
  }
  void end(bool commit = true) { commit ? producer_.commit() : producer_.abort(); }
  void all(int count, bool commit = true) {
    begin();
    write(count, commit);
    end(commit);
  }
  std::int64_t committed() const { return committed_; }
  std::int64_t aborted() const { return -aborted_; }

  void expect_visible_once() const {
    CHECK(rig_.rows() == committed_);
    CHECK(rig_.number("SELECT count(DISTINCT id) FROM events WHERE id >= 0") == committed_);
    CHECK(rig_.number("SELECT count(*) FROM events WHERE id < 0") == 0);
    expect_no_dead_letters(rig_);
    const auto verified = rig_.finish("verify");
    INFO(verified.out << verified.err);
    CHECK(verified.code == 0);
  }

 private:
  Rig& rig_;
  int partitions_;
  KafkaProducer producer_;
  std::int64_t committed_ = 0;
  std::int64_t aborted_ = 0;
};

std::string ranges_of(int offsets) {
  return fmt::format(
      "[batch]\nmax_records_per_partition = {}\ninterval = \"10ms\"\n[retry]\nbackoff_min = "
      "\"10ms\"\nbackoff_max = \"50ms\"\n",
      offsets);
}

std::int64_t position(const Rig& rig) {
  if (rig.value("SELECT to_regclass('semel_progress')").empty()) return 0;  // not made yet
  return rig.number("SELECT coalesce(sum(until_offset), 0) FROM semel_progress");
}

}  // namespace

// librdkafka's 0098-consumer-txn, tests 0 to 3 (commit, abort, mixed, rapid, over partitions);
// Kafka's EosIntegrationTest, shouldNotViolateEosIfOneTaskFails.
TEST_CASE("commit and abort, mixed and rapid, with kills between: what is visible, once") {
  if (!kafka_available()) return;
  Rig rig(3);
  rig.configure(ranges_of(7));
  rig.drain();
  Transactions log(rig, 3);
  std::thread load([&] {
    std::mt19937 random(20261121);
    for (int i = 0; i < 150; ++i) {
      log.all(static_cast<int>(1 + random() % 40), random() % 3 != 0);
    }
  });
  int kills = 0;
  for (; kills < 8; ++kills) {
    auto semel = rig.start();
    const auto before = position(rig);
    CHECK(eventually([&] { return position(rig) > before; }, 20s));
    semel.kill();
  }
  load.join();
  CHECK(log.aborted() > 0);
  rig.drain();
  log.expect_visible_once();
}

// Spark's KafkaMicroBatchSourceSuite, "read Kafka transactional messages: read_committed"; Kafka's
// TransactionsTest, testReadCommittedConsumerShouldNotSeeUndecidedData.
TEST_CASE("a pipeline waits at a transaction that is left open, and goes on when it ends") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(ranges_of(7));
  Transactions log(rig);
  log.all(20);
  log.begin();
  log.write(15);
  {
    // Another producer's committed records behind the open ones.
    rig.produce_value(R"({"id":1000000})");
  }
  auto semel = rig.start();
  REQUIRE(rig.grows(19));
  REQUIRE(eventually([&] { return position(rig) == 21; }));  // twenty and the marker
  // It looks again and again, and does not go on.
  REQUIRE(eventually([&] { return rig.group_offset(0) == 21; }));
  CHECK(rig.rows() == 20);
  SECTION("by a commit") {
    log.write(30);
    log.end();
    REQUIRE(rig.grows(65));
    stop(semel);
    CHECK(rig.number("SELECT count(*) FROM events WHERE id < 1000000") == log.committed());
  }
  SECTION("by a commit, while it is down") {
    semel.kill();
    log.end();
    rig.drain();
    CHECK(rig.number("SELECT count(*) FROM events WHERE id < 1000000") == log.committed());
  }
  SECTION("by an abort") {
    log.end(false);
    REQUIRE(rig.grows(20));
    stop(semel);
    CHECK(rig.rows() == 21);
  }
  CHECK(rig.number("SELECT count(*) FROM events WHERE id = 1000000") == 1);
  CHECK(rig.number("SELECT count(*) - count(DISTINCT id) FROM events") == 0);
  CHECK(rig.finish("verify").code == 0);
}

// librdkafka's 0098-consumer-txn, test 5: "split transaction across message sets".
TEST_CASE("a transaction that is larger than many ranges is stored once, over a kill") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(ranges_of(11));
  Transactions log(rig);
  log.begin();
  for (int i = 0; i < 40; ++i) log.write(25);  // message sets of their own
  log.end();
  log.begin();
  for (int i = 0; i < 40; ++i) log.write(25, false);
  log.end(false);
  log.all(3);
  for (int i = 0; i < 3; ++i) {
    auto semel = rig.start();
    const auto before = rig.rows();
    REQUIRE(rig.grows(before, 20s));
    semel.kill();
  }
  CHECK(rig.number("SELECT count(*) FROM semel_commits WHERE kind = 'commit'") >= 3);
  rig.drain();
  log.expect_visible_once();
}

// Kafka's EosIntegrationTest, shouldBeAbleToCommitMultiplePartitionOffsets: the position stands
// behind the marker. No suite has ranges of markers only.
TEST_CASE("ranges that hold a marker, or aborted records, and nothing else are committed too") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(ranges_of(1));
  Transactions log(rig);
  for (int i = 0; i < 10; ++i) log.all(1, i % 2 == 0);
  auto semel = rig.start();
  REQUIRE(eventually([&] { return position(rig) == 20; }));
  CHECK(rig.number("SELECT count(*) FROM semel_commits WHERE kind = 'commit' AND rows = 0") == 15);
  log.all(5);
  REQUIRE(rig.grows(9));
  REQUIRE(eventually([&] { return position(rig) == 26; }));
  stop(semel);
  log.expect_visible_once();
}

// Spark's KafkaMicroBatchSourceSuite, "read Kafka transactional messages: read_uncommitted".
TEST_CASE("read_uncommitted stores aborted records too, each once, over a kill") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(ranges_of(7));
  const std::vector<std::string> dirty{"--set", "source.kafka.isolation=read_uncommitted"};
  Transactions log(rig);
  for (int i = 0; i < 20; ++i) log.all(10, i % 2 == 0);
  log.begin();
  log.write(10);
  auto semel = rig.start("run", dirty);
  REQUIRE(rig.grows(50, 20s));
  semel.kill();
  semel = rig.start("run", dirty);
  REQUIRE(rig.grows(209));
  log.end();
  REQUIRE(eventually([&] { return position(rig) == 231; }));
  stop(semel);
  CHECK(rig.rows() == log.committed() + log.aborted());
  CHECK(rig.number("SELECT count(DISTINCT id) FROM events") == rig.rows());
}

// Kafka's TransactionsBounceTest, testWithGroupId: brokers die under transactions.
TEST_CASE("a broker killed under transactions: what is visible, once") {
  if (!kafka_available()) return;
  Rig rig(2);
  rig.configure(ranges_of(50));
  Transactions log(rig, 2);
  log.all(500);
  auto semel = rig.start();
  REQUIRE(rig.grows(499));
  log.begin();
  log.write(300);
  auto& kafka = KafkaServer::shared();
  kafka.kill();
  REQUIRE(says(semel, "trying again"));
  kafka.start();
  log.end();
  log.all(100, false);
  log.all(200);
  REQUIRE(rig.grows(999));
  stop(semel);
  log.expect_visible_once();
}
