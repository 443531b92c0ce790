// Who may write, by transactional ids: zombies, and heirs with fewer slots.
#include "integration/kafka_sink/owning.hpp"
#include "kafka/transactional_producer.hpp"
#include "kafka_sink/sink.hpp"

namespace semel::test {

namespace {

const kafka::Stop never_stop = [] { return false; };

}  // namespace

TEST_CASE("an heir with fewer sessions ends what its predecessor has begun in all of its own") {
  if (!kafka_available()) return;
  KafkaOutput output;
  Owning first(output, "a", 4);
  auto& last = *first.all.back();
  first.begin(last, 0, 10);
  Owning heir(output, "b", 1);
  const auto late = Owning::commit(last);
  if (late) {
    CHECK(std::get<Refused>(*late).ledger.owner == owner_named("b").id);
  } else {
    CHECK(
        (late.error().kind == ErrorKind::in_doubt || late.error().kind == ErrorKind::unavailable));
  }
  last.abort();
  CHECK(output.stored().empty());
  heir.begin(*heir.all[0], 0, 10);
  CHECK(committed(Owning::commit(*heir.all[0])).rows == 10);
  CHECK(output.stored().size() == 10);
}

// What a process does that was stopped behind its look at the ledger, and wakes up: it begins with
// its id, sees that it is nobody, and ends.
TEST_CASE("an owner whose slot a zombie has begun with finds out from the ledger, and goes on") {
  if (!kafka_available()) return;
  KafkaOutput output;
  Owning heir(output, "b", 1);
  auto& session = *heir.all[0];
  heir.begin(session, 0, 10);
  {
    auto zombie = kafka::TransactionalProducer::create(output.options.cluster, "zombie",
                                                       {.transactional_id = output.ledger + "-0"})
                      .value();
    REQUIRE(zombie->fence(20'000, never_stop));
  }
  const auto disturbed = Owning::commit(session);
  REQUIRE_FALSE(disturbed);
  CHECK(disturbed.error().kind == ErrorKind::in_doubt);
  session.abort();
  const auto task = heir.task(0, 10);
  const auto entries = heir.sink->resolve({&task, 1});
  REQUIRE(entries);
  CHECK(entries->at(0).until == 0);
  CHECK(entries->at(0).owner == owner_named("b").id);
  heir.begin(session, 0, 10);
  CHECK(committed(Owning::commit(session)).rows == 10);
  CHECK(output.stored().size() == 10);
}

TEST_CASE("a ledger that Kafka would delete from is refused by name") {
  if (!kafka_available()) return;
  KafkaOutput output;
  KafkaServer::shared().create_topic(output.ledger, 1, {{"cleanup.policy", "compact,delete"}});
  const auto taken = output.open(owner_named("a"))->take_over("c");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().kind == ErrorKind::fatal);
  CHECK_THAT(taken.error().message, Catch::Contains(output.ledger) && Catch::Contains("compact"));
}

TEST_CASE("another output's ledger is refused, and nobody is fenced") {
  if (!kafka_available()) return;
  KafkaOutput output;
  Owning first(output, "a", 1);
  auto other = owner_named("b");
  other.pipeline = "another";
  const auto taken = output.open(other)->take_over("c");
  REQUIRE_FALSE(taken);
  CHECK(taken.error().cause == Cause::configuration);
  first.begin(*first.all[0], 0, 5);
  CHECK(committed(Owning::commit(*first.all[0])).rows == 5);
}

}  // namespace semel::test
