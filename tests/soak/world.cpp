#include "soak/world.hpp"

#include <fmt/format.h>
#include <csignal>
#include <random>
#include <regex>
#include <stdexcept>

#include "soak/events.hpp"

namespace semel::test {

using namespace std::chrono_literals;

namespace {

constexpr int exit_fenced = 5;
// What may be while a server is away: it was out of reach when the program started.
constexpr bool is_outage(int code) {
  return code == 3 || code == 4;
}

}  // namespace

World::World(std::uint64_t seed) : topic_(unique_name("soak")), seed_(seed) {
  kafka.create_topic(topic_, partitions);
  dsn_ = postgres.create_database();
  sql(soak_table_sql());
  sql("CREATE ROLE soaker LOGIN; GRANT CREATE ON SCHEMA public TO soaker; GRANT INSERT ON events "
      "TO soaker");
  kafka_proxy = std::make_unique<HostileKafka>(
      std::stoi(kafka.bootstrap_servers().substr(kafka.bootstrap_servers().find(':') + 1)));
  postgres_proxy = std::make_unique<HostilePostgres>(postgres.port());
  const auto way = std::regex_replace(at_port(dsn_, postgres_proxy->port()), std::regex("//[^@]*@"),
                                      "//soaker@");
  write_file(dir_ / "soak.toml", fmt::format(R"(name = "{0}"
state_dir = "{1}"
[source.kafka]
brokers = "{2}"
topics = ["{0}"]
[sink.postgres]
dsn = "{3}"
table = "events"
columns = {{ p = "@partition", o = "@offset" }}
[batch]
max_records_per_partition = 500
interval = "20ms"
[retry]
backoff_min = "10ms"
backoff_max = "200ms"
[timeouts]
heartbeat = "500ms"
no_progress = "20s"
)",
                                             topic_, dir_ / "state", kafka_proxy->address(), way));
  semel_.emplace(start());
  load_ = std::thread([this] { produce(); });
}

World::~World() {
  done_ = true;
  if (load_.joinable()) load_.join();
}

std::int64_t World::number(const std::string& query) const {
  return std::stoll(PostgresServer::value(dsn_, query));
}

void World::produce() try {
  std::mt19937_64 random(seed_ + 1);
  KafkaProducer producer(kafka.bootstrap_servers(),
                         {{"enable.idempotence", "true"}, {"reconnect.backoff.max.ms", "500"}});
  while (!done_) {
    const auto count = random() % 60;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto partition = static_cast<int>(random() % partitions);
      if (random() % 500 == 0) {
        producer.produce(topic_, partition, std::nullopt,
                         soak_poison(static_cast<int>(random() % poison_kinds)));
        ++poison_;
      } else {
        producer.produce(topic_, partition, std::nullopt, soak_event(produced_));
        ++produced_;
      }
    }
    producer.flush();
    {
      const std::lock_guard lock(producer_mutex_);
      acknowledged_.assign(partitions, -1);
      for (int p = 0; p < partitions; ++p)
        acknowledged_[static_cast<std::size_t>(p)] = producer.last_offset(topic_, p).value_or(-1);
    }
    std::this_thread::sleep_for(15ms);
  }
} catch (const std::exception& error) {
  fmt::print(stderr, "the soak's own producer: {}\n", error.what());
  load_failed_ = true;
}

Process World::start() {
  ++starts_;
  return Process({.argv = {SEMEL_BINARY, "run", dir_ / "soak.toml"}, .env = {}});
}

void World::fail(const std::string& what) {
  auto said = semel_ ? semel_->err() : std::string();
  if (said.size() > 6'000) said = "…" + said.substr(said.size() - 6'000);
  throw std::runtime_error(
      fmt::format("{}\nseed {}, {} records produced, {} starts. semel said:\n{}", what, seed_,
                  produced_.load(), starts_, said));
}

void World::tend(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  do {
    if (load_failed_) fail("the soak's own producer failed");
    if (const auto ended = semel_->wait(0ms)) {
      if (ended->signal != 0) fail(fmt::format("semel was ended by signal {}", ended->signal));
      if (rival_ && ended->code == exit_fenced) {
        semel_.emplace(*std::move(rival_));
        rival_.reset();
        return;
      }
      if (!trouble_ || !is_outage(ended->code))
        fail(fmt::format("semel ended with {}", ended->code));
      const auto said = semel_->err();
      const auto line = said.rfind('\n', said.size() - 2);
      fmt::print("           ended with {}: {}", ended->code,
                 said.substr(line == std::string::npos ? 0 : line + 1));
      semel_.emplace(start());
    }
    std::this_thread::sleep_for(10ms);
  } while (std::chrono::steady_clock::now() < end);
}

void World::kill() {
  semel_->kill();
  semel_.emplace(start());
}

void World::stop_and_start() {
  semel_->signal(SIGCONT);  // a frozen one is not asked anything
  semel_->signal(SIGTERM);
  const auto ended = semel_->wait(30s);
  if (!ended) fail("semel does not stop when it is asked to");
  if (ended->code != 0) fail(fmt::format("asked to stop, semel ended with {}", ended->code));
  semel_.emplace(start());
}

void World::freeze_and_replace() {
  const auto epoch = [this] { return number("SELECT coalesce(max(epoch), 0) FROM semel_owners"); };
  const auto before = epoch();
  semel_->signal(SIGSTOP);
  rival_.emplace(*std::move(semel_));
  semel_.emplace(start());
  tend(1s);
  rival_->signal(SIGCONT);
  std::optional<ExitStatus> ended;
  for (int i = 0; rival_ && !ended && i < 600; ++i) {
    tend(50ms);
    if (rival_) ended = rival_->wait(0ms);
  }
  // One that was frozen while it took over does so once more: then the other one is fenced.
  if (!rival_) return;
  Process old = *std::move(rival_);
  rival_.reset();
  // Where somebody locks the table for so long, no other comes to take over.
  if (!ended && epoch() == before) return;
  if (!ended) fail("a process that was replaced does not end:\n" + old.err());
  // The other one of the two is fenced where the old one was never in.
  if (ended->code != exit_fenced)
    fail(fmt::format("a process that was replaced ended with {} (signal {}):\n{}", ended->code,
                     ended->signal, old.err()));
}

void World::abort_a_transaction() {
  KafkaProducer producer(kafka.bootstrap_servers(), {{"transactional.id", unique_name("soak")}});
  producer.begin();
  for (int i = 0; i < 40; ++i)
    producer.produce(topic_, i % partitions, std::nullopt,
                     R"({"id":0,"name":"of an aborted transaction"})");
  producer.flush();
  tend(500ms);
  producer.abort();
}

void World::expect_progress(std::chrono::seconds at_most) {
  const auto wanted = [this] {
    const std::lock_guard lock(producer_mutex_);
    return acknowledged_;
  }();
  std::string behind = "SELECT count(*) FROM (VALUES (-1, -1)";
  for (std::size_t p = 0; p < wanted.size(); ++p) behind += fmt::format(", ({}, {})", p, wanted[p]);
  behind += fmt::format(
      ") w(partition, last) LEFT JOIN semel_progress s ON s.topic = '{}' AND s.partition = "
      "w.partition WHERE w.last >= 0 AND coalesce(s.until_offset, 0) <= w.last",
      topic_);
  const auto end = std::chrono::steady_clock::now() + at_most;
  while (number("SELECT count(*) FROM pg_class WHERE relname = 'semel_progress'") == 0 ||
         number(behind) > 0) {
    if (std::chrono::steady_clock::now() > end) {
      fail(fmt::format("no progress for {} s although all is well: hangs in {} of {} partitions",
                       at_most.count(), number(behind), partitions));
    }
    tend(50ms);
  }
}

void World::expect_exactly_once() {
  done_ = true;
  if (load_.joinable()) load_.join();
  expect_progress(120s);
  semel_->signal(SIGTERM);
  const auto ended = semel_->wait(30s);
  if (!ended || ended->code != 0) fail("semel does not end well when it is asked to stop");
  const auto differences = PostgresServer::value(dsn_, soak_differences_sql(produced_));
  if (!differences.empty()) fail("records were lost, doubled or altered: " + differences);
  const auto letters = number("SELECT count(*) FROM semel_dead_letters");
  if (letters != poison_)
    fail(fmt::format("{} bad records were produced, {} are set aside", poison_.load(), letters));
  const auto verified = run({.argv = {SEMEL_BINARY, "verify", dir_ / "soak.toml"}});
  if (verified.code != 0) fail("semel verify: " + verified.out + verified.err);
}

}  // namespace semel::test
