// What operators read of the ledger: in pieces, and with an end to every wait.
#include <fmt/format.h>
#include <algorithm>
#include <functional>
#include <future>
#include <numeric>
#include <pqxx/pqxx>
#include <set>

#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

TEST_CASE("a history of any length is read in pieces, in order, and at one moment") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  Writer writer(database.options(), "a");
  writer.start();
  database.sql(
      "DELETE FROM semel_commits; INSERT INTO semel_commits (pipeline, output, topic, "
      "\"partition\", batch_time, epoch, from_offset, until_offset, kind, rows, dead_letters, "
      "committed_at) SELECT 'pipe', 'out', 'clicks', i % 2, i, 1, i / 2, i / 2 + 1, 'commit', 1, "
      "0, clock_timestamp() FROM generate_series(0, 23456) i");
  const auto ledger = must(postgres::open_ledger(database.options(), "pipe", "out"));
  std::vector<std::size_t> pieces;
  std::set<std::string> states;
  std::vector<Move> at_the_ends;
  const auto progress = must(ledger->history([&](std::span<const Move> moves) {
    // The server keeps the rest: it waits to be asked for the next piece.
    states.insert(database.value(
        "SELECT state FROM pg_stat_activity WHERE application_name = 'semel ledger'"));
    if (pieces.empty()) database.sql("UPDATE semel_progress SET until_offset = 77");
    pieces.push_back(moves.size());
    at_the_ends.push_back(moves.front());
    at_the_ends.push_back(moves.back());
  }));
  CHECK(std::accumulate(pieces.begin(), pieces.end(), std::size_t{0}) == 23'457);
  CHECK(pieces.size() > 2);
  CHECK(*std::ranges::max_element(pieces) <= 10'000);
  CHECK(states == std::set<std::string>{"idle in transaction"});
  CHECK(std::ranges::is_sorted(
      at_the_ends, {}, [](const Move& move) { return std::tuple(move.tp, move.batch_time); }));
  CHECK(at_the_ends.back().until == 11'728);
  REQUIRE(progress.size() == 1);
  CHECK(progress[0].until == 0);
  CHECK(must(ledger->progress()).at(0).until == 77);
}

TEST_CASE("a server that stands still ends every look at the ledger with one line") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  options.connect_timeout_ms = 500;
  options.statement_timeout_ms = 500;
  Writer writer(options, "a");
  writer.start();
  const std::vector<std::function<Result<void>(Ledger&)>> looks{
      [](Ledger& ledger) { return ledger.owner().map([](const auto&) {}); },
      [](Ledger& ledger) { return ledger.progress().map([](const auto&) {}); },
      [](Ledger& ledger) { return ledger.history([](auto) {}).map([](const auto&) {}); },
      [](Ledger& ledger) { return ledger.dead_letters().map([](const auto&) {}); }};
  std::vector<std::unique_ptr<Ledger>> ledgers;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    ledgers.push_back(must(postgres::open_ledger(options, "pipe", "out")));
  }
  PostgresServer::shared().freeze();
  std::vector<std::future<Result<void>>> answers;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    answers.push_back(std::async(std::launch::async, [&, i] { return looks[i](*ledgers[i]); }));
  }
  std::vector<bool> ended;
  for (auto& answer : answers) {
    ended.push_back(answer.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
  }
  PostgresServer::shared().thaw();
  for (std::size_t i = 0; i < looks.size(); ++i) {
    CAPTURE(i);
    CHECK(ended[i]);
    const auto answer = answers[i].get();
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == ErrorKind::unavailable);
    CHECK(answer.error().cause == Cause::sink);
    CHECK_THAT(answer.error().message,
               Catch::Contains("while reading the ledger") && Catch::Contains("no answer in time"));
    CHECK(answer.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("a table that somebody has locked ends a look at the ledger by the configured timeout") {
  Database database;
  database.sql("CREATE TABLE t (id bigint)");
  auto options = database.options();
  options.statement_timeout_ms = 300;
  Writer writer(options, "a");
  writer.start();
  const auto ledger = must(postgres::open_ledger(options, "pipe", "out"));
  {
    pqxx::connection psql(database.dsn);
    pqxx::work holder(psql);
    holder.exec("LOCK TABLE semel_commits, semel_progress");
    CHECK_THAT(ledger->progress().error().message, Catch::Contains("57014"));
    CHECK_THAT(ledger->history([](auto) {}).error().message, Catch::Contains("57014"));
  }
  // The session is as good as before.
  CHECK(must(ledger->progress()).size() == 1);
}
