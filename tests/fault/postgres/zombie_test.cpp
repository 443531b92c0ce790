// Owners that sleep or are cut off at the worst moment: a successor goes on at once, and they add
// nothing when they wake up.
#include <csignal>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"
#include "support/tcp_proxy.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

struct Phase {
  std::string name;
  TcpProxy::Loss loss;
  std::string text;
  int nth = 1;
};

const std::vector<Phase> phases{
    {"idle", TcpProxy::Loss::none, ""},
    {"before BEGIN", TcpProxy::Loss::hold, "READ COMMITTED READ WRITE;SAVEPOINT", 3},
    {"in the middle of COPY", TcpProxy::Loss::hold, "name-", 7'000},
    {"before the final message", TcpProxy::Loss::hold, final_message, 4},
    {"between the final message and its reply", TcpProxy::Loss::hold_answer, final_message, 4},
};

struct Zombies {
  Rig rig{2};
  TcpProxy proxy{PostgresServer::shared().port()};

  Zombies() {
    // What the sleeper has written and not committed would block its successor for ever.
    rig.sql("CREATE UNIQUE INDEX ON events (id)");
    rig.through_dsn(at_port(rig.dsn(), proxy.port()));
    rig.configure(std::string(quick));
    rig.produce(2'000);
  }

  /// Held where the phase says; it may still run.
  Process start_and_hold(const Phase& phase) {
    auto zombie = rig.start();
    if (phase.loss == TcpProxy::Loss::none) {
      REQUIRE(rig.grows(rig.produced() - 1));
      return zombie;
    }
    REQUIRE(rig.grows(0));
    proxy.lose(phase.loss, phase.text, phase.nth);
    rig.produce(40'000);
    REQUIRE(eventually([&] { return proxy.lost(); }));
    return zombie;
  }

  void stop(Process& heir) {
    heir.signal(SIGTERM);
    const auto ended = heir.wait(20s);
    INFO(heir.err());
    REQUIRE(ended);
    CHECK(ended->code == 0);
  }
};

}  // namespace

TEST_CASE("an owner that falls asleep in any phase neither holds its successor up nor adds a row",
          "[commit-unit]") {
  if (!kafka_available()) return;
  for (const auto& phase : phases) {
    for (const bool late : {false, true}) {
      // So late it only matters whether something of it is still on its way.
      const bool on_its_way = phase.text == final_message && phase.loss == TcpProxy::Loss::hold;
      if (late && !on_its_way && phase.loss != TcpProxy::Loss::none) continue;
      INFO(phase.name << (late ? ", woken when the successor had finished"
                               : ", woken while the successor works"));
      Zombies all;
      auto& rig = all.rig;
      auto zombie = all.start_and_hold(phase);
      zombie.signal(SIGSTOP);
      rig.produce(2'000);
      const auto asleep_at = rig.rows();
      auto heir = rig.start();
      CHECK(rig.grows(asleep_at, 5s));
      if (late) {
        REQUIRE(rig.grows(rig.produced() - 1));
        all.stop(heir);
      }
      all.proxy.release();
      zombie.signal(SIGCONT);
      if (!late) rig.produce(2'000);
      expect_end(zombie, 5, {"fenced", "pid " + std::to_string(heir.pid())});
      if (!late) {
        REQUIRE(rig.grows(rig.produced() - 1));
        all.stop(heir);
      }
      expect_no_dead_letters(rig);
      rig.expect_exactly_once();
    }
  }
}

TEST_CASE("an owner whose network hangs leaves by itself once it is fenced") {
  if (!kafka_available()) return;
  for (const auto& phase : phases) {
    INFO(phase.name);
    Zombies all;
    auto& rig = all.rig;
    auto cut_off = all.start_and_hold(phase);
    auto heir = rig.start();
    rig.produce(2'000);
    REQUIRE(rig.grows(rig.produced() - 1));
    // Nothing is released: the heartbeat, on a connection of its own, is what tells it.
    expect_end(cut_off, 5, {"fenced", "pid " + std::to_string(heir.pid())});
    all.stop(heir);
    expect_no_dead_letters(rig);
    rig.expect_exactly_once();
  }
}
