// What a careless program does, each tried: it cannot hurt, or is a clear error.
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <thread>

#include "integration/consumer/shop.hpp"

namespace semel::test {

using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// All of a transaction but its end.
void fill(pqxx::work& tx, Range& range) {
  postgres::begin(tx, range);
  insert_orders(tx, range);
  postgres::advance(tx, range);
}

}  // namespace

TEST_CASE("a transaction that throws comes again, and is stored once") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(100);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  const auto throws = [](pqxx::work& tx, Range& range) {
    insert_orders(tx, range);
    throw std::runtime_error("of the user's");
  };
  CHECK(thrown_by([&] { postgres::transact<pqxx::work>(connection, take(consumer), throws); }) ==
        "of the user's");
  CHECK(shop.orders() == 0);
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a range is not advanced before the user was told that it is over") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  const auto stops_early = [](pqxx::work&, Range& range) { (void)range.next(); };
  CHECK_THAT(
      thrown_by([&] { postgres::transact<pqxx::work>(connection, take(consumer), stops_early); }),
      Contains("until it returns nothing"));
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a record of another range, of earlier or of nowhere is no bad record of a range") {
  if (!kafka_available()) return;
  Shop shop(2);
  // Equal in all but the partition, or not.
  if (GENERATE(true, false)) {
    for (int partition : {0, 1}) shop.produce_value(std::nullopt, partition);
  } else {
    shop.produce(20);
  }
  auto consumer = shop.consumer([](auto& options) { options.ranges_in_hand = 2; });
  pqxx::connection connection(shop.dsn);
  auto range = take(consumer);
  auto other = take(consumer);
  const auto refuses = [&](const Record& record) {
    CHECK_THAT(thrown_by([&] { range.bad(record, "no good"); }),
               Contains("is none of those that " + to_string(range.offsets()) + " gave out last"));
  };
  pqxx::work tx(connection);
  postgres::begin(tx, range);
  const auto records = range.next();
  refuses(other.next()->front());
  refuses(Record{.offset = 0});
  refuses(Record{.offset = 1'000});
  const Record first = records->front();
  range.bad(first, "no good");
  while (range.next()) {
  }
  refuses(first);
  postgres::advance(tx, range);
  CHECK_THAT(thrown_by([&] { range.bad(first, "no good"); }), Contains("advanced already"));
  tx.commit();
  range.committed();
  CHECK(shop.number("SELECT \"partition\" FROM semel_dead_letters") ==
        range.offsets().tp.partition);
}

TEST_CASE("who commits without the advance and says nothing is stopped the second time") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  int taken = 0;
  const auto error = thrown_by([&] {
    while (taken < 5) {
      auto range = consumer.next(1s);
      if (!range) continue;
      ++taken;
      pqxx::work tx(connection);
      insert_orders(tx, *range);
      tx.commit();
    }
  });
  CHECK(taken == 2);
  CHECK_THAT(error, Contains("read to its end twice") && Contains("without the advance"));
  CHECK(shop.orders() == 20);
}

TEST_CASE("a range that is kept in hand is told of once, and once more where it keeps a stop") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  std::vector<std::string> log;
  auto consumer = shop.consumer([&](auto& options) {
    options.long_in_hand_ms = 50;
    options.log = [&](LogLevel level, std::string_view line) {
      if (level == LogLevel::warn) log.emplace_back(line);
    };
  });
  pqxx::connection connection(shop.dsn);
  auto range = take(consumer);
  const auto told = [&](std::size_t times) {
    return eventually([&] {
      CHECK_FALSE(consumer.next(20ms));
      return log.size() == times;
    });
  };
  REQUIRE(told(1));
  CHECK_THAT(log.at(0), Contains(shop.topic + "[0] [0, 10) has been in hand for") &&
                            Contains("nothing else of its partition"));
  // Later calls are silent.
  CHECK_FALSE(consumer.next(200ms));
  CHECK(log.size() == 1);
  consumer.request_stop();
  REQUIRE(told(2));
  CHECK_THAT(log.at(1),
             Contains(shop.topic + "[0] [0, 10) has been in hand for") && Contains("cannot stop"));
  CHECK_FALSE(consumer.done());
  postgres::transact<pqxx::work>(connection, std::move(range), insert_orders);
  CHECK_FALSE(consumer.next(60s));
  CHECK(consumer.done());
  CHECK(log.size() == 2);
  shop.expect_exactly_once();
}

TEST_CASE("a range that fails again and again ends the consumer, which says which") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer([](auto& options) { options.max_failures = 3; });
  int taken = 0;
  const auto error = thrown_by([&] {
    while (!consumer.done()) {
      if (auto range = consumer.next(1s)) ++taken;
    }
  });
  CHECK(taken == 3);
  CHECK_THAT(error, Contains(shop.topic + "[0] [0, 10)") && Contains("3 failures in a row"));
  CHECK(thrown_by([&] { consumer.next(0ms); }) == error);
}

TEST_CASE("a commit without the advance is told at once, and the consumer ends") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  auto range = take(consumer);
  pqxx::work tx(connection);
  insert_orders(tx, range);
  tx.commit();
  const auto error = thrown_by([&] { range.committed(); });
  CHECK_THAT(error, Contains("[0, 10)") && Contains("without the advance"));
  CHECK(thrown_by([&] { consumer.next(0ms); }) == error);
}

TEST_CASE(
    "a forgotten BEGIN is refused before there are rows, and a forgotten begin_sql by advance") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  {
    auto range = take(consumer);
    pqxx::nontransaction none(connection);
    CHECK_THAT(thrown_by([&] { none.exec(postgres::begin_sql(range)); }),
               Contains("can only be used in transaction blocks"));
    while (range.next()) {
    }
    CHECK_THAT(thrown_by([&] { none.exec(postgres::advance_sql(range)); }),
               Contains("begin_sql() of this range was not run in this transaction"));
  }
  CHECK(shop.position() == 0);
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("an advance that was written and never run is told at once") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  auto range = take(consumer);
  pqxx::work tx(connection);
  insert_orders(tx, range);
  CHECK_FALSE(postgres::advance_sql(range).empty());
  tx.commit();
  CHECK_THAT(thrown_by([&] { range.committed(); }), Contains("without the advance"));
}

TEST_CASE("a range that is advanced twice is refused by the server, and stored once") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  {
    auto range = take(consumer);
    pqxx::work tx(connection);
    fill(tx, range);
    CHECK_THAT(thrown_by([&] { postgres::advance(tx, range); }),
               Contains("semel refuses " + shop.topic + "[0] [0, 10)") &&
                   Contains("the ledger stands at 10"));
  }
  CHECK(shop.orders() == 0);
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a range is not advanced before it was read to its end") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  auto range = take(consumer);
  CHECK_THAT(thrown_by([&] { postgres::advance_sql(range); }), Contains("read to its end"));
  CHECK(range.next()->size() == 10);
  CHECK_FALSE(range.next());
  CHECK_FALSE(postgres::advance_sql(range).empty());
}

TEST_CASE("of two consumers with one name, the first can commit nothing any more, and says why") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto first = shop.consumer();
  pqxx::connection connection(shop.dsn);
  auto range = take(first);
  pqxx::connection others(shop.dsn);
  auto second = shop.consumer();
  auto same = take(second);
  {
    pqxx::work tx(connection);
    CHECK_THAT(thrown_by([&] { postgres::begin(tx, range); }), Contains("fenced by semel on"));
  }
  {
    // Whom begin let pass meets the guard.
    pqxx::work tx(connection);
    tx.exec("SELECT set_config('semel.range', substring($$" + postgres::begin_sql(range) +
            "$$ FROM 'semel/[^'']*'), true)");
    insert_orders(tx, range);
    CHECK_THAT(thrown_by([&] { postgres::advance(tx, range); }), Contains("fenced by semel on"));
  }
  { Range gone(std::move(range)); }
  CHECK(cause_of([&] {
          while (true) first.next(1s);
        }) == Cause::fenced);
  postgres::transact<pqxx::work>(others, std::move(same), insert_orders);
  drain(second, others);
  shop.expect_exactly_once();
}

TEST_CASE("who blocks for long is silent to others, and what he commits then is refused") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto first = shop.consumer([](auto& options) { options.heartbeat_ms = 100; });
  pqxx::connection connection(shop.dsn);
  {
    auto range = take(first);
    pqxx::work tx(connection);
    postgres::begin(tx, range);
    insert_orders(tx, range);
    // The hour: nothing is called, so nothing is told.
    const std::string seen = "SELECT seen_at FROM semel_owners";
    const auto before = shop.value(seen);
    std::this_thread::sleep_for(600ms);
    CHECK(shop.value(seen) == before);
    auto second = shop.consumer();
    pqxx::connection others(shop.dsn);
    drain(second, others);
    // His session was ended, since it may have held locks.
    CHECK(thrown_by([&] {
            postgres::advance(tx, range);
            tx.commit();
          }) != "");
  }
  CHECK(cause_of([&] {
          while (true) first.next(1s);
        }) == Cause::fenced);
  shop.expect_exactly_once();
}

TEST_CASE("what was committed and not said is asked of the ledger, and comes no second time") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  {
    auto range = take(consumer);
    pqxx::work tx(connection);
    fill(tx, range);
    tx.commit();
  }
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a transaction that is open while its range is let go is ended") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  pqxx::connection second(shop.dsn);
  pqxx::work tx(connection);
  {
    auto range = take(consumer);
    fill(tx, range);
  }
  drain(consumer, second);
  CHECK(thrown_by([&] { tx.commit(); }) != "");
  shop.expect_exactly_once();
}

TEST_CASE("a range that was moved is one, and what it was moved from says so") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer();
  pqxx::connection connection(shop.dsn);
  auto range = take(consumer);
  Range moved(std::move(range));
  CHECK_THAT(thrown_by([&] { range.next(); }), Contains("moved from"));  // NOLINT
  CHECK_THAT(thrown_by([&] { range.task(); }), Contains("moved from"));
  range = std::move(moved);
  postgres::transact<pqxx::work>(connection, std::move(range), insert_orders);
  CHECK_THAT(thrown_by([&] { range.committed(); }), Contains("moved from"));
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a range that is done with, or whose consumer is gone, says so") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  pqxx::connection connection(shop.dsn);
  std::optional<Range> late;
  {
    auto consumer = shop.consumer();
    auto range = take(consumer);
    pqxx::work tx(connection);
    fill(tx, range);
    tx.commit();
    range.committed();
    CHECK_THAT(thrown_by([&] { range.committed(); }), Contains("after its end"));
    shop.produce(5);
  }
  {
    auto consumer = shop.consumer();
    late = take(consumer);
  }
  CHECK_THAT(thrown_by([&] { late->next(); }), Contains("its consumer was destroyed"));
  CHECK(late->offsets().from == 10);
  late.reset();
  auto consumer = shop.consumer();
  drain(consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a second thread in a consumer is told so, and the first goes on") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = shop.consumer([](auto& options) { options.once = false; });
  pqxx::connection connection(shop.dsn);
  postgres::transact<pqxx::work>(connection, take(consumer), insert_orders);
  // Which of them is told depends on who comes first.
  std::atomic<bool> told{false};
  const auto call = [&] {
    while (!told && !consumer.done()) {
      const auto message = thrown_by([&] { consumer.next(200ms); });
      if (message.empty()) continue;
      told = message.find("for one thread at a time") != std::string::npos;
    }
  };
  std::thread first(call);
  std::thread second(call);
  first.join();
  second.join();
  CHECK(told);
  // From any thread.
  std::thread third([&] { consumer.request_stop(); });
  CHECK_FALSE(consumer.next(60s));
  third.join();
  CHECK(consumer.done());
  shop.expect_exactly_once();
}

TEST_CASE("a forked child can do nothing with a consumer, and its end harms the parent's nothing") {
  if (!kafka_available()) return;
  Shop shop;
  shop.produce(10);
  auto consumer = std::make_unique<DirectConsumer>(shop.consumer());
  pqxx::connection connection(shop.dsn);
  auto range = std::make_unique<Range>(take(*consumer));
  const auto child = fork();
  if (child == 0) {
    const bool told =
        thrown_by([&] { consumer->next(0ms); }).find("before fork()") != std::string::npos &&
        thrown_by([&] { range->next(); }).find("before fork()") != std::string::npos;
    range.reset();
    consumer.reset();
    _exit(told ? 0 : 1);
  }
  int status = -1;
  CHECK(eventually([&] { return waitpid(child, &status, WNOHANG) == child; }, 20s));
  CHECK(status == 0);
  postgres::transact<pqxx::work>(connection, std::move(*range), insert_orders);
  drain(*consumer, connection);
  shop.expect_exactly_once();
}

TEST_CASE("a ledger's factory that returns no ledger is an error that says so, and ends it") {
  if (!kafka_available()) return;
  const Shop shop;
  DirectConsumer consumer(shop.options(), [](const LedgerContext&) {
    return Result<std::unique_ptr<TransactionLedger>>(nullptr);
  });
  const auto error = thrown_by([&] { consumer.start(); });
  CHECK_THAT(error, Contains("LedgerFactory") && Contains("no ledger"));
  CHECK(thrown_by([&] { consumer.next(0ms); }) == error);
}

TEST_CASE("options that cannot be are refused before anything is connected to") {
  const LedgerFactory none =
      [](const LedgerContext&) -> Result<std::unique_ptr<TransactionLedger>> {
    return fail(ErrorKind::fatal, Cause::internal, "not to be called");
  };
  const auto refusal = [&](const std::function<void(ConsumerOptions&)>& change) {
    ConsumerOptions options{.pipeline = "p", .brokers = "localhost:1", .topics = {"t"}};
    change(options);
    return thrown_by([&] { DirectConsumer(options, none); });
  };
  CHECK(refusal([](auto&) {}).empty());
  CHECK_THAT(refusal([](auto& o) { o.pipeline.clear(); }), Contains("pipeline is empty"));
  // As `semel status FILE` takes them.
  for (const auto* name : {"a b", "päy", "a/b", ".."}) {
    CHECK_THAT(refusal([&](auto& o) { o.pipeline = name; }),
               Contains("ConsumerOptions: pipeline m"));
    CHECK_THAT(refusal([&](auto& o) { o.output = name; }), Contains("ConsumerOptions: output m"));
  }
  CHECK_THAT(refusal([](auto& o) { o.brokers.clear(); }), Contains("brokers is empty"));
  CHECK_THAT(refusal([](auto& o) { o.topics.clear(); }), Contains("either topics or"));
  CHECK_THAT(refusal([](auto& o) { o.topic_pattern = "t.*"; }), Contains("either topics or"));
  CHECK_THAT(refusal([](auto& o) { o.ranges_in_hand = 0; }), Contains("ranges_in_hand is 0"));
  CHECK_THAT(refusal([](auto& o) { o.max_records_per_range = 0; }), Contains("is 0"));
  CHECK_THAT(thrown_by([] { DirectConsumer({}, nullptr); }), Contains("no ledger is given"));
}

}  // namespace semel::test
