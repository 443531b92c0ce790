// The example of an own transaction, with rows in two tables, killed, stopped, woken and lied to
// under load. SEMEL_KILL_CYCLES: how often (the long mode: 200).
#include <fmt/format.h>
#include <signal.h>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <random>
#include <string>
#include <thread>

#include "support/catch.hpp"
#include "support/hostile_postgres.hpp"
#include "support/kafka_producer.hpp"
#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

constexpr int partitions = 4;

int cycles_wanted() {
  const auto* wanted = std::getenv("SEMEL_KILL_CYCLES");
  return wanted == nullptr ? 25 : std::stoi(wanted);
}

/// Payments of ten customers: amounts are 0, 1, 2, …
class Payments {
 public:
  Payments() : topic(unique_name("payments")), dsn(PostgresServer::shared().create_database()) {
    KafkaServer::shared().create_topic(topic, partitions);
    PostgresServer::execute(
        dsn,
        "CREATE TABLE payments (customer text, amount bigint, p int, o bigint);"
        "CREATE TABLE balances (customer text PRIMARY KEY, amount bigint NOT NULL)");
  }

  void produce(int count) {
    KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
    for (int i = 0; i < count; ++i, ++produced) {
      producer.produce(topic, static_cast<int>(produced % partitions),
                       "customer " + std::to_string(produced % 10), std::to_string(produced));
    }
    producer.flush();
  }

  Process start(const std::string& through, bool once = false) const {
    ProcessOptions options{
        .argv = {SEMEL_EXAMPLE, KafkaServer::shared().bootstrap_servers(), topic, through}};
    if (once) options.argv.push_back("once");
    return Process(std::move(options));
  }

  std::int64_t number(const std::string& query) const {
    return std::stoll(PostgresServer::value(dsn, query));
  }
  std::int64_t position() const {
    return number(
        "SELECT CASE WHEN to_regclass('semel_progress') IS NULL THEN 0 ELSE (SELECT "
        "coalesce(sum(until_offset), 0) FROM semel_progress) END");
  }
  std::int64_t epoch() const { return number("SELECT max(epoch) FROM semel_owners"); }

  std::string topic;
  std::string dsn;
  std::int64_t produced = 0;
};

}  // namespace

TEST_CASE("an own transaction under kills, zombies and lost replies loses and doubles nothing") {
  if (!kafka_available()) return;
  Payments payments;
  payments.produce(2'000);
  HostilePostgres proxy(PostgresServer::shared().port());
  const auto hostile = at_port(payments.dsn, proxy.port());
  payments.start(payments.dsn, true).wait(1min);

  std::jthread load([&](const std::stop_token& done) {
    while (!done.stop_requested()) {
      payments.produce(100);
      std::this_thread::sleep_for(20ms);
    }
  });
  std::mt19937 random(20261126);
  std::deque<Process> zombies;
  int fenced = 0;
  for (int cycle = 0; cycle < cycles_wanted(); ++cycle) {
    const auto before = payments.position();
    const auto epoch = payments.epoch();
    if (cycle % 3 == 2) proxy.random(static_cast<std::uint64_t>(cycle), 0.15);
    auto consumer = payments.start(hostile);
    // The last transaction of one that was killed moves the position, too: the epoch is this one's.
    const auto works = [&] { return payments.epoch() > epoch && payments.position() > before; };
    if (!eventually(works, 2min)) {
      FAIL("cycle " << cycle << " makes no progress: " << consumer.err());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % (cycle % 3 == 2 ? 600 : 120)));
    proxy.clear();
    if (cycle % 4 == 3) {
      // It holds whatever it held, and wakes up when another one has gone on.
      consumer.signal(SIGSTOP);
      zombies.push_back(std::move(consumer));
    } else {
      consumer.kill();
    }
    if (zombies.size() > 1) {
      zombies.front().signal(SIGCONT);
      const auto end = zombies.front().wait(1min);
      REQUIRE(end);
      CHECK(end->code == 5);
      ++fenced;
      zombies.pop_front();
    }
  }
  load.request_stop();
  load.join();
  for (auto& zombie : zombies) zombie.signal(SIGCONT);
  auto last = payments.start(payments.dsn, true);
  const auto end = last.wait(2min);
  REQUIRE(end);
  INFO(last.err());
  CHECK(end->code == 0);
  CHECK((fenced > 0 || cycles_wanted() < 8));

  const auto n = payments.produced;
  WARN(n << " records, " << cycles_wanted() << " ends, " << fenced << " of them woken zombies, "
         << proxy.happened() << " faults of the database's");
  CHECK(payments.number("SELECT count(*) FROM payments") == n);
  CHECK(payments.number("SELECT count(DISTINCT amount) FROM payments") == n);
  CHECK(payments.number("SELECT sum(amount) FROM balances") == n * (n - 1) / 2);
  CHECK(payments.number("SELECT count(*) FROM (SELECT from_offset, lag(until_offset) OVER "
                        "(PARTITION BY topic, \"partition\" ORDER BY batch_time, epoch, "
                        "from_offset) AS before FROM semel_commits) AS chain WHERE from_offset <> "
                        "before") == 0);
  CHECK(payments.number("SELECT coalesce(sum(rows), 0) FROM semel_commits") == n);
}
