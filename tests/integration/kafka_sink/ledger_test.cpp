// What others do to the ledger's topic: transactions that stay open, records, a second pipeline.
#include <atomic>
#include <thread>

#include "core/history.hpp"
#include "integration/kafka_sink/owning.hpp"
#include "kafka_sink/ledger_log.hpp"
#include "kafka_sink/sink.hpp"
#include "support/hostile_kafka.hpp"
#include "support/kafka_producer.hpp"
#include "support/told.hpp"

namespace semel::test {

namespace {

const std::string position_key = R"({"partition":0,"topic":"clicks"})";

void produce(const std::string& topic, const std::string& key,
             const std::optional<std::string>& value) {
  KafkaProducer producer(KafkaServer::shared().bootstrap_servers());
  producer.produce(topic, 0, key, value);
  producer.flush();
}

void store(const Owning& owning, Offset from, Offset until) {
  owning.begin(*owning.all[0], from, until);
  CHECK(committed(Owning::commit(*owning.all[0])).rows == static_cast<std::uint64_t>(until - from));
}

/// Where the heir of an output begins.
Offset heir_begins(const KafkaOutput& output) {
  const Owning heir(output, "heir", 1);
  return heir.sink->keep_alive().value().progress.at(0).until;
}

/// Of the take-over by an heir, which is not possible.
Error refusal(const KafkaOutput& output) {
  const auto taken = output.open(owner_named("heir"))->take_over("c");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::fatal);
  return taken.error();
}

/// The last good record of the partition's position.
std::string position_of(const KafkaOutput& output) {
  std::string last;
  for (const auto& record : output.read(output.ledger)) {
    if (record.key == position_key) last = record.value.value();
  }
  return last;
}

std::unique_ptr<Ledger> ledger_of(const KafkaOutput& output, const std::string& pipeline = "pipe") {
  auto owner = owner_named("people");
  owner.pipeline = pipeline;
  return kafka_sink::open_ledger(output.options, output.context(owner)).value();
}

/// What `semel verify` finds wrong.
std::vector<std::string> broken_chain(const KafkaOutput& output) {
  core::HistoryCheck check;
  auto stands = ledger_of(output)->history([&](std::span<const Move> moves) {
    for (const auto& move : moves) check.add(move);
  });
  REQUIRE(stands);
  std::vector<std::string> broken;
  for (const auto& history : check.finish(*stands)) {
    broken.insert(broken.end(), history.broken.begin(), history.broken.end());
  }
  return broken;
}

/// The remedy of what `semel check` does not find right; empty: all is right.
std::string check_refuses(const KafkaOutput& output) {
  for (const auto& finding :
       kafka_sink::check(output.options, output.context(owner_named("looker")))) {
    if (!finding.ok) return finding.remedy;
  }
  return "";
}

}  // namespace

TEST_CASE("a transaction that somebody leaves open on the ledger's topic takes nothing back") {
  if (!kafka_available()) return;
  KafkaOutput output;
  const Owning owning(output, "a", 1);
  store(owning, 0, 5);
  REQUIRE(owning.sink->keep_alive());
  KafkaProducer stranger(KafkaServer::shared().bootstrap_servers(),
                         {{"transactional.id", unique_name("stranger")}});
  stranger.begin();
  stranger.produce(output.ledger, 0, "x", "y");
  stranger.flush();
  store(owning, 5, 10);
  for (int beat = 0; beat < 2; ++beat) {
    CHECK(owning.sink->keep_alive().value().progress.at(0).until == 10);
  }
  store(owning, 10, 15);
  stranger.abort();
  CHECK(owning.sink->keep_alive().value().progress.at(0).until == 15);
  CHECK(heir_begins(output) == 15);
  CHECK(output.stored().size() == 15);
}

TEST_CASE(
    "whether a lost answer was a commit is not said while a stranger's transaction hides it") {
  if (!kafka_available()) return;
  KafkaOutput output;
  HostileKafka proxy(KafkaServer::shared().port());
  output.options.cluster.brokers = proxy.address();
  const Owning owning(output, "a", 1);
  store(owning, 0, 5);
  KafkaProducer stranger(KafkaServer::shared().bootstrap_servers(),
                         {{"transactional.id", unique_name("stranger")}});
  stranger.begin();
  stranger.produce(output.ledger, 0, "x", "y");
  stranger.flush();
  proxy.delay(Api::end_txn, std::chrono::minutes(2));
  owning.begin(*owning.all[0], 5, 10);
  const auto doubt = Owning::commit(*owning.all[0]);
  REQUIRE_FALSE(doubt);
  CHECK(doubt.error().kind == ErrorKind::in_doubt);
  owning.all[0]->abort();
  proxy.delay(Api::end_txn, std::chrono::milliseconds(0));
  proxy.cut();
  const auto task = owning.task(5, 10);
  const auto hidden = owning.sink->resolve({&task, 1});
  REQUIRE_FALSE(hidden);
  CHECK(hidden.error().kind == ErrorKind::unavailable);
  CHECK_THAT(hidden.error().message, Catch::Contains(output.ledger));
  stranger.abort();
  CHECK(owning.sink->resolve({&task, 1}).value().at(0).until == 10);
  CHECK(output.stored().size() == 10);
}

TEST_CASE("what was committed and is nowhere in the ledger's topic is known to be lost") {
  if (!kafka_available()) return;
  KafkaOutput output;
  { const Owning owning(output, "a", 1); }
  kafka_sink::LedgerLog log(output.options.cluster, "pipe", output.ledger,
                            kafka_sink::LedgerLog::Reader::owner, {});
  const auto never_stop = [] { return false; };
  REQUIRE(log.refresh(never_stop));
  kafka_sink::Position position;
  position.at = {.tp = {"clicks", 0}, .until = 5, .batch_time = {9'000}};
  position.owner = log.owner()->id;
  log.committed({&position, 1});
  CHECK(log.positions().at({"clicks", 0}).at.until == 5);
  REQUIRE(log.refresh(never_stop));
  CHECK(log.positions().at({"clicks", 0}).at.until == 0);
}

TEST_CASE("records of others in the ledger's topic are passed over, and said once") {
  if (!kafka_available()) return;
  KafkaOutput output;
  {
    const Owning owning(output, "a", 1);
    store(owning, 0, 5);
  }
  for (const auto* key : {"x", R"({"topic":"clicks"})", R"({"owner":"me"})"}) {
    produce(output.ledger, key, "y");
  }
  const Told told;
  auto context = output.context(owner_named("heir"));
  context.log = told.log();
  const auto heir = kafka_sink::make_sink(output.options, context).value();
  REQUIRE(heir->take_over("c"));
  CHECK(heir->keep_alive().value().progress.at(0).until == 5);
  const auto said = told.all();
  const auto at = said.find("none of semel's");
  REQUIRE(at != std::string::npos);
  CHECK(said.find("none of semel's", at + 1) == std::string::npos);
  CHECK(heir_begins(output) == 5);
}

TEST_CASE("a position that is none is mended by the command that the error names") {
  if (!kafka_available()) return;
  KafkaOutput output;
  {
    const Owning owning(output, "a", 1);
    store(owning, 0, 5);
  }
  produce(output.ledger, position_key, "no position");
  CHECK_THAT(refusal(output).message, Catch::Contains("semel offsets FILE set clicks:0="));
  SECTION("set") {
    const std::vector to{Progress{.tp = {"clicks", 0}, .until = 5}};
    REQUIRE(ledger_of(output)->set(to, true));
    CHECK(heir_begins(output) == 5);
  }
  SECTION("reset") {
    REQUIRE(ledger_of(output)->reset(true));
    CHECK(heir_begins(output) == 0);
  }
}

TEST_CASE(
    "whatever a position has become, the command that the error names makes all whole again") {
  if (!kafka_available()) return;
  KafkaOutput output;
  std::string old;
  {
    const Owning owning(output, "a", 1);
    store(owning, 0, 5);
    old = position_of(output);
    store(owning, 5, 10);
  }
  CHECK(check_refuses(output).empty());
  CHECK(broken_chain(output).empty());
  const auto spoil =
      GENERATE(std::optional<std::string>("no position"), std::optional<std::string>("an old one"),
               std::optional<std::string>());
  if (spoil == "an old one") {
    produce(output.ledger, position_key, old);
    CHECK_THAT(broken_chain(output).at(0),
               Catch::Contains("the history ends at 10, but the ledger stands at 5"));
    CHECK(ledger_of(output)->disputed().value() == std::vector{TopicPartition{"clicks", 0}});
  } else {
    produce(output.ledger, position_key, spoil);
  }
  CHECK_THAT(refusal(output).message, Catch::Contains("`semel offsets FILE set clicks:0=10`"));
  CHECK_THAT(check_refuses(output), Catch::Contains("`semel offsets FILE set clicks:0=10`"));
  SECTION("set") {
    const std::vector to{Progress{.tp = {"clicks", 0}, .until = 10}};
    REQUIRE(ledger_of(output)->set(to, true));
    CHECK(ledger_of(output)->disputed().value().empty());
    CHECK(broken_chain(output).empty());
    CHECK(check_refuses(output).empty());
    CHECK(heir_begins(output) == 10);
    // And what is old is missed as before.
    produce(output.ledger, position_key, old);
    CHECK_THAT(refusal(output).message, Catch::Contains("ends at 10, and its position is 5"));
  }
  SECTION("reset") {
    REQUIRE(ledger_of(output)->reset(true));
    CHECK(broken_chain(output).empty());
    CHECK(heir_begins(output) == 0);
    CHECK(broken_chain(output).empty());
  }
  SECTION("set behind a reset") {
    REQUIRE(ledger_of(output)->reset(true));
    const std::vector to{Progress{.tp = {"clicks", 0}, .until = 3}};
    REQUIRE(ledger_of(output)->set(to, true));
    CHECK(broken_chain(output).empty());
    CHECK(heir_begins(output) == 3);
  }
}

TEST_CASE("to set one partition takes none away that is missed") {
  if (!kafka_available()) return;
  KafkaOutput output;
  {
    const Owning owning(output, "a", 1);
    store(owning, 0, 5);
    const std::vector starts{Progress{.tp = {"clicks", 1}, .until = 0}};
    REQUIRE(owning.sink->enter(starts));
  }
  produce(output.ledger, position_key, std::nullopt);
  const std::vector to{Progress{.tp = {"clicks", 2}, .until = 7}};
  REQUIRE(ledger_of(output)->set(to, true));
  CHECK_THAT(refusal(output).message, Catch::Contains("`semel offsets FILE set clicks:0=5`"));
}

TEST_CASE("an owner that is none is mended by its last record, as the error says") {
  if (!kafka_available()) return;
  KafkaOutput output;
  {
    const Owning owning(output, "a", 1);
    store(owning, 0, 5);
  }
  std::string good;
  for (const auto& record : output.read(output.ledger)) {
    if (record.key == R"({"owner":true})") good = record.value.value();
  }
  produce(output.ledger, R"({"owner":true})", "{}");
  CHECK_THAT(refusal(output).message, Catch::Contains("kcat -P"));
  CHECK_FALSE(ledger_of(output)->owner());
  produce(output.ledger, R"({"owner":true})", good);
  CHECK(heir_begins(output) == 5);
}

TEST_CASE("of two pipelines with one topic for their ledgers one owns it, however they begin") {
  if (!kafka_available()) return;
  constexpr int rounds = 5;
  for (int round = 0; round < rounds; ++round) {
    KafkaOutput output;
    std::atomic<int> ready{0};
    const auto begin = [&](const std::string& pipeline) {
      auto owner = owner_named(pipeline);
      owner.pipeline = pipeline;
      const auto sink = output.open(owner);
      ++ready;
      while (ready < 2) std::this_thread::yield();
      auto taken = sink->take_over("c");
      // As the driver does it.
      while (!taken && taken.error().kind != ErrorKind::fatal) taken = sink->take_over("c");
      return taken;
    };
    Result<TakenOver> other;
    std::thread thread([&] { other = begin("other"); });
    const auto one = begin("one");
    thread.join();
    REQUIRE(one.has_value() != other.has_value());
    const auto& refused = one ? other.error() : one.error();
    CHECK(refused.cause == Cause::configuration);
    CHECK_THAT(refused.message, Catch::Contains(one ? "pipeline one" : "pipeline other"));
    // Nor is it somebody else's to look at, or to change.
    const auto ledger = ledger_of(output, one ? "other" : "one");
    CHECK_FALSE(ledger->owner());
    CHECK_FALSE(ledger->progress());
    const std::vector to{Progress{.tp = {"clicks", 0}, .until = 5}};
    const auto set = ledger->set(to, true);
    REQUIRE_FALSE(set);
    CHECK(set.error().cause == Cause::configuration);
  }
}

}  // namespace semel::test
