// Commits whose fate the program cannot know: the ledger tells, and the run goes on.
#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"
#include "support/tcp_proxy.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

struct Proxied {
  Rig rig;
  TcpProxy proxy{PostgresServer::shared().port()};

  explicit Proxied(int partitions, const std::string& parameters = {},
                   std::string_view settings = quick)
      : rig(partitions) {
    rig.through_dsn(at_port(rig.dsn(), proxy.port()) + parameters);
    rig.configure(std::string(settings));
  }
};

/// Eight commits are lost in this way under load, each after work has gone on since the one before.
void lose_commits_under_load(TcpProxy::Loss loss) {
  Proxied through(4);
  auto& rig = through.rig;
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  for (int i = 1; i <= 8; ++i) {
    through.proxy.lose(loss, final_message, i);
    REQUIRE(eventually([&] { return through.proxy.lost(); }));
    REQUIRE(rig.grows(rig.rows()));
  }
  load.finish();
  finish_well(rig, semel);
}

}  // namespace

TEST_CASE("a lost commit reply under load is resolved by the ledger, and the run goes on",
          "[commit-unit]") {
  if (!kafka_available()) return;
  lose_commits_under_load(TcpProxy::Loss::reply);
}

TEST_CASE("a commit that the server never saw is replayed", "[commit-unit]") {
  if (!kafka_available()) return;
  lose_commits_under_load(TcpProxy::Loss::request);
}

TEST_CASE("a network that swallows everything from the final message on is noticed and replaced") {
  if (!kafka_available()) return;
  // One partition: that the table grows means that the very range goes on. The kernel's patience is
  // shortened by the DSN; semel's own default would take a minute.
  Proxied through(1,
                  "?keepalives_idle=1&keepalives_interval=1&keepalives_count=2"
                  "&tcp_user_timeout=2000");
  auto& rig = through.rig;
  rig.sql("CREATE UNIQUE INDEX ON events (id)");  // the old backend's rows would be in the way
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  for (int i = 0; i < 2; ++i) {
    through.proxy.lose(TcpProxy::Loss::network, final_message, 3);
    REQUIRE(eventually([&] { return through.proxy.lost(); }));
    CHECK(rig.grows(rig.rows(), 20s));
  }
  load.finish();
  finish_well(rig, semel);
}

TEST_CASE("a shutdown that is announced after COMMIT has finished is doubt, not failure") {
  if (!kafka_available()) return;
  Proxied through(1);  // one partition: one session that commits
  auto& rig = through.rig;
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  for (int i = 0; i < 3; ++i) {
    // The server has answered COMMIT; before the client hears of it, 57P01 follows.
    through.proxy.lose(TcpProxy::Loss::hold_answer, final_message);
    REQUIRE(eventually([&] { return through.proxy.lost(); }));
    std::string backend;
    REQUIRE(eventually([&] {
      backend = rig.value(
          "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' "
          "AND query LIKE '%RELEASE SAVEPOINT%' AND application_name LIKE 'semel/%'");
      return !backend.empty();
    }));
    rig.value("SELECT pg_terminate_backend(" + backend + ")");
    REQUIRE(eventually([&] {
      return rig.number("SELECT count(*) FROM pg_stat_activity WHERE pid = " + backend) == 0;
    }));
    through.proxy.release();
    REQUIRE(rig.grows(rig.rows()));
  }
  load.finish();
  finish_well(rig, semel);
}

TEST_CASE("a connection cut at any message of a run's way does no harm", "[commit-unit]") {
  if (!kafka_available()) return;
  struct Cut {
    std::string at;
    int nth = 1;
  };
  const std::vector<Cut> cuts{
      {"pg_catalog.pg_class c"},        // what the table looks like
      {"FOR UPDATE;UPDATE"},            // the take-over
      {"pg_stat_activity"},             // looking for old sessions
      {"SELECT pg_is_in_recovery();"},  // reading the ledger
      {"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;SAVEPOINT"},
      {"COPY "},
      {copy_data},
      {"name-", 300},                 // CopyData, in the middle of a range
      {std::string("c\0\0\0\4", 5)},  // CopyDone
      {final_message},
      {final_message, 7},
  };
  Proxied through(2);
  auto& rig = through.rig;
  rig.produce(1'000);
  rig.drain();
  for (const auto& cut : cuts) {
    for (const auto loss : {TcpProxy::Loss::request, TcpProxy::Loss::answer}) {
      // COPY's data is answered only at its end: the two are one case there.
      INFO(cut.at << (loss == TcpProxy::Loss::request ? " lost" : " not answered"));
      rig.produce(8'000);
      through.proxy.lose(loss, cut.at, cut.nth);
      rig.drain();
      CHECK(through.proxy.lost());
      CHECK(rig.rows() == rig.produced());
    }
  }
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}

TEST_CASE("a connection cut while partitions enter the ledger does no harm") {
  if (!kafka_available()) return;
  for (const auto loss : {TcpProxy::Loss::request, TcpProxy::Loss::answer}) {
    Proxied through(3);
    auto& rig = through.rig;
    rig.produce(3'000);
    through.proxy.lose(loss, "WITH owned AS");
    rig.drain();
    CHECK(through.proxy.lost());
    CHECK(rig.number("SELECT count(*) FROM semel_commits WHERE kind = 'start'") == 3);
    expect_no_dead_letters(rig);
    rig.expect_exactly_once();
  }
}

TEST_CASE("a connection cut while the owner says that it is alive does no harm") {
  if (!kafka_available()) return;
  Proxied through(2);
  auto& rig = through.rig;
  auto semel = rig.start();
  rig.produce(1'000);
  REQUIRE(rig.grows(999));
  const auto alive = [&] { return rig.value("SELECT max(seen_at) FROM semel_owners"); };
  for (const auto loss :
       {TcpProxy::Loss::request, TcpProxy::Loss::answer, TcpProxy::Loss::request}) {
    through.proxy.lose(loss, "SET seen_at = clock_timestamp() WHERE");
    REQUIRE(eventually([&] { return through.proxy.lost(); }));
    const auto before = alive();
    CHECK(eventually([&] { return alive() > before; }));
    rig.produce(1'000);
    CHECK(rig.grows(rig.produced() - 1));
  }
  finish_well(rig, semel);
}
