// The checked model of the commit protocol: docs/model.md. Each check is one exhaustive search by
// Spin; a rule left out (a mutant) must give a counterexample in the same run, or the check proves
// nothing. SEMEL_MODEL=long takes larger constants.
#include <string>
#include <utility>
#include <vector>

#include "search.hpp"
#include "support/catch.hpp"

using namespace semel::test::model;

namespace {

const std::string protocol = "protocol.pml";
const std::string reader = "reader.pml";
const std::string batch = "batch.pml";
const std::string topic = "topic.pml";
const std::string given_up = "given_up.pml";

// As pan prints the assertions of sink.pml and protocol.pml.
const std::string not_the_owner = "assertion violated ((db.o_epoch==bk";
const std::string newer_has_read = ".epoch>=db.taken_over";
const std::string not_from_where_it_stands = "assertion violated (db.until==bk";
const std::string rows_without_ledger = "assertion violated (db.rows==";
const std::string broken = "assertion violated (timeline>0)";
const std::string cycle = "acceptance cycle";

const Strings no_crash{"-DCRASHES=0"};
const Strings one_process_in_doubt{"-DPROCESSES=1", "-DSTRANGERS=0", "-DCRASHES=0"};
const Strings one_owner{"-DOWNERS=1", "-DCRASHES=0", "-DLOSSES=2"};
const Strings one_failover{"-DFAILOVERS=1", "-DLOSSES=0"};
// Cycles are searched for with fairness, which multiplies the states: one record is enough.
const Strings live{"-DLIVENESS", "-DLAST=1", "-DLENGTH=1"};
const Strings zombie_freezes{"-DUNIQUE", "-DCRASHES=0", "-DLOSSES=0", "-DFREEZES=1"};

}  // namespace

TEST_CASE("the commit protocol keeps P1, P2, P3, P6 and P7 in every interleaving") {
  if (!spin_is_there()) return;
  SECTION("two owners, a crash, a lost connection") {
    holds(protocol, {}, 100'000);
  }
  SECTION("a database that goes back, a lost connection") {
    holds(protocol, {"-DFAILOVERS=1", "-DCRASHES=0", "-DLOSSES=1"}, 100'000);
  }
  SECTION("backends that may not be ended") {
    holds(protocol, {"-DREFUSALS=1", "-DCRASHES=0", "-DLOSSES=1"}, 10'000);
  }
  if (!long_mode()) return;
  SECTION("long: a database that goes back, a crash, a lost connection") {
    holds(protocol, {"-DFAILOVERS=1"}, 10'000'000);
  }
  SECTION("long: two crashes, a lost connection, three offsets") {
    holds(protocol, {"-DCRASHES=2", "-DLAST=3"}, 1'000'000);
  }
  SECTION("long: a backend that may not be ended, a crash, two lost connections") {
    holds(protocol, {"-DREFUSALS=1", "-DLOSSES=2"}, 1'000'000);
  }
}

TEST_CASE("no good record becomes a dead letter, and no pipeline stops for one") {
  if (!spin_is_there()) return;
  holds(protocol, {"-DUNIQUE", "-DREFUSALS=1", "-DCRASHES=0"}, 10'000);
  if (long_mode()) holds(protocol, {"-DUNIQUE", "-DREFUSALS=1"}, 1'000'000);
}

TEST_CASE("once no fault comes any more, the last record is committed and stays so") {
  if (!spin_is_there()) return;
  SECTION("after a lost connection") {
    holds(protocol, live + Strings{"-DCRASHES=0"}, 1'000);
  }
  SECTION("after a crash, into a table with a unique key") {
    holds(protocol, live + Strings{"-DUNIQUE", "-DLOSSES=0"}, 10'000);
  }
  if (!long_mode()) return;
  SECTION("long: after a crash and a lost connection") {
    holds(protocol, live, 100'000);
  }
  SECTION("long: two offsets") {
    holds(protocol, {"-DLIVENESS", "-DLOSSES=0"}, 100'000);
  }
}

TEST_CASE(
    "ranges that share a transaction are committed all or none, and settled each for itself") {
  if (!spin_is_there()) return;
  const Strings whole{"-DWHOLE"};
  SECTION("any ranges, two owners, a crash, a lost connection") {
    holds(batch, {}, 100'000);
  }
  SECTION("a whole batch: nobody sees a part of it") {
    holds(batch, whole, 10'000);
    holds(batch, whole + Strings{"-DREFUSALS=1"}, 50'000);
  }
  SECTION("a database that goes back") {
    holds(batch, {"-DFAILOVERS=1", "-DCRASHES=0", "-DLAST=1"}, 100'000);
    holds(batch, whole + Strings{"-DFAILOVERS=1", "-DLAST=1"}, 100'000);
  }
  SECTION("once no fault comes any more, all of it is committed and stays so") {
    holds(batch, {"-DLIVENESS", "-DLAST=1", "-DCRASHES=0"}, 10'000);
    holds(batch, whole + Strings{"-DLIVENESS", "-DLOSSES=0"}, 10'000);
  }
  if (!long_mode()) return;
  SECTION("long: sessions that may not be ended, two lost connections, groups formed anew") {
    holds(batch, {"-DREFUSALS=1", "-DCRASHES=0", "-DLOSSES=2"}, 1'000'000);
  }
}

TEST_CASE("a guard of several ranges that accepts one row fewer is caught") {
  if (!spin_is_there()) return;
  const Strings late{"-DREFUSALS=1", "-DCRASHES=0"};
  is_caught(batch, late + Strings{"-DM_ONE_ROW_FEWER"}, "assertion violated ((db.rows[");
  is_caught(batch, late + Strings{"-DM_NOT_COUNTED"}, "assertion violated ((db.rows[");
}

TEST_CASE("a model in which one range in doubt answers for all is caught") {
  if (!spin_is_there()) return;
  is_caught(batch, no_crash + Strings{"-DM_FIRST_ANSWERS_FOR_ALL", "-DREFUSALS=1", "-DLOSSES=2"},
            broken);
}

TEST_CASE("a batch that has lost records is stored as a whole, or given up as a whole") {
  if (!spin_is_there()) return;
  holds(given_up, {}, 40);
  holds(given_up, {"-DSTATE_LOST"}, 60);
}

TEST_CASE("a model that stores or forgets the rest of a batch that is given up is caught") {
  if (!spin_is_there()) return;
  const std::string half = "assertion violated (machine_lost||(range[0]==range[1]))";
  is_caught(given_up, {"-DM_DECISION_NOT_DURABLE"}, half);
  is_caught(given_up, {"-DM_REST_IS_PLANNED_ANEW"}, half);
  is_caught(given_up, {"-DM_LEAVES_ITS_BATCH"}, "assertion violated ( !(((range[0]==");
}

TEST_CASE("a range ends, whole, whatever its tail is made of") {
  if (!spin_is_there()) return;
  const Strings size = long_mode() ? Strings{"-DLAST=6"} : Strings{};
  holds(reader, size, 10'000);
  holds(reader, size + Strings{"-DLIVENESS"}, 10'000);
}

TEST_CASE("rules that only add to the compare-and-set are not what safety hangs on") {
  if (!spin_is_there()) return;
  SECTION("a commit that is tried again in doubt, without reading") {
    holds(protocol, {"-DM_DOUBT_RETRIED", "-DCRASHES=0"}, 10'000);
  }
  SECTION("a doubt that is resolved while the old backend lives") {
    holds(protocol, {"-DM_DOUBT_RESOLVED_EARLY", "-DCRASHES=0"}, 10'000);
  }
  SECTION("a final message that a library sends again") {
    holds(protocol, {"-DRESEND", "-DCRASHES=0"}, 10'000);
  }
  SECTION("and with one owner and resolved doubts, the compare-and-set itself") {
    holds(protocol, one_owner + Strings{"-DM_NO_COMPARE_AND_SET"}, 100);
  }
}

TEST_CASE("a model that reads the ledger before it fences is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, no_crash + Strings{"-DM_READ_BEFORE_FENCE"}, newer_has_read);
}

TEST_CASE("a model that commits rows where nothing moved is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, no_crash + Strings{"-DM_NO_COMPARE_AND_SET"}, not_the_owner);
}

TEST_CASE("a model that tries again in doubt, without reading and without a guard, is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, one_owner + Strings{"-DM_NO_COMPARE_AND_SET", "-DM_DOUBT_RETRIED"},
            not_from_where_it_stands);
}

TEST_CASE("a model that resolves a doubt while the old backend lives, without a guard, is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, one_owner + Strings{"-DM_NO_COMPARE_AND_SET", "-DM_DOUBT_RESOLVED_EARLY"},
            not_from_where_it_stands);
}

TEST_CASE("a model that takes a doubt for a commit is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, no_crash + Strings{"-DM_DOUBT_IS_SUCCESS"}, broken);
}

TEST_CASE("a model that compares epochs but not owners is caught when epochs repeat") {
  if (!spin_is_there()) return;
  is_caught(protocol, one_failover + Strings{"-DM_NO_UUID"}, "assertion violated");
}

TEST_CASE("a model that fences the owner's row but not the partitions' is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, no_crash + Strings{"-DM_FENCE_OWNERS_ROW_ONLY"}, not_the_owner);
}

TEST_CASE("a model that enters a partition without the owner's row lock is caught") {
  if (!spin_is_there()) return;
  // That BEGIN asks whose the output is protects as well: both have to be gone.
  is_caught(protocol, no_crash + Strings{"-DM_BEGIN_DOES_NOT_ASK", "-DM_ENTER_WITHOUT_LOCK"},
            not_the_owner);
}

TEST_CASE("a model that sends the final message again, without RELEASE, is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, no_crash + Strings{"-DRESEND", "-DM_NO_RELEASE"}, rows_without_ledger);
}

TEST_CASE("a model that hunts bad rows before it reads the ledger is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, no_crash + Strings{"-DUNIQUE", "-DREFUSALS=1", "-DM_HUNT_WITHOUT_READING"},
            "assertion violated 0");
}

TEST_CASE("a model that trusts its plan log over the ledger is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, {"-DM_PLAN_LOG_TRUSTED"}, "assertion violated");
}

TEST_CASE("a model that does not end the old owner's backends is caught") {
  if (!spin_is_there()) return;
  is_caught(protocol, live + zombie_freezes + Strings{"-DM_BACKENDS_NOT_ENDED"}, cycle);
}

TEST_CASE("a reader that forgets an end it saw before its range is caught") {
  if (!spin_is_there()) return;
  is_caught(reader, {"-DLIVENESS", "-DM_EOF_FORGOTTEN"}, cycle);
}

TEST_CASE("a reader that ends a range only by a record past it is caught") {
  if (!spin_is_there()) return;
  is_caught(reader, {"-DLIVENESS", "-DM_RECORD_PAST_ONLY"}, cycle);
}

TEST_CASE("a reader that drops the record past its range is caught") {
  if (!spin_is_there()) return;
  is_caught(reader, {"-DM_PAST_DROPPED"}, "assertion violated");
}

TEST_CASE("a reader that takes an older end for its own is caught") {
  if (!spin_is_there()) return;
  is_caught(reader, {"-DM_ANY_END"}, "assertion violated");
}

// What the model found in the protocol as the code had it: what mended it holds, and is caught
// where it is taken out. docs/model.md
TEST_CASE("a zombie that connects again and freezes cannot hold the new owner up, for BEGIN asks") {
  if (!spin_is_there()) return;
  holds(protocol, live + zombie_freezes, 1'000);
  is_caught(protocol, live + zombie_freezes + Strings{"-DM_BEGIN_DOES_NOT_ASK"}, cycle);
}

TEST_CASE("progress lost by a failover under the same epoch is noticed, also by who has no work") {
  if (!spin_is_there()) return;
  const Strings idle = live + one_failover + Strings{"-DOWNERS=1", "-DCRASHES=0"};
  holds(protocol, idle, 100);
  holds(protocol, one_failover + Strings{"-DCRASHES=0"}, 50'000);
  is_caught(protocol, idle + Strings{"-DM_LOWER_IS_BROKEN"}, cycle);
}

TEST_CASE("a late take-over cannot fence its own owner, for it is ended before the second try") {
  if (!spin_is_there()) return;
  const Strings late{"-DLATE_TAKE_OVER", "-DCRASHES=0"};
  const std::string not_ended = "-DM_OWN_TAKE_OVER_NOT_ENDED";
  holds(protocol, late, 10'000);
  holds(protocol, live + late, 10'000);
  is_caught(protocol, late + Strings{not_ended}, "assertion violated (db.o_owner!=uuid)");
  // Taking over again on seeing one's own UUID is not enough: it may fence another, and be too
  // late.
  is_caught(protocol, live + late + Strings{not_ended, "-DM_OWN_HIGHER_EPOCH"}, cycle);
}

// The Kafka sink: nobody compares, the order of beginning and reading is all.
TEST_CASE("a topic is written by its owner alone, from where it ends") {
  if (!spin_is_there()) return;
  SECTION("two processes, an answer that is lost") {
    holds(topic, {"-DSTRANGERS=0", "-DCRASHES=0", "-DLAST=1"}, 100'000);
  }
  SECTION("a stranger's transaction on the ledger's topic") {
    holds(topic, {"-DCRASHES=0", "-DLOSSES=0", "-DLAST=1"}, 100'000);
  }
  SECTION("it does get to its end") {
    is_caught(topic, {"-DREACHES_THE_END"}, "assertion violated (until<2)");
  }
  if (!long_mode()) return;
  SECTION("long: a crash, an answer that is lost") {
    holds(topic, {"-DSTRANGERS=0", "-DLAST=1"}, 1'000'000);
  }
  SECTION("long: a stranger, an answer that is lost") {
    holds(topic, {"-DCRASHES=0", "-DLAST=1"}, 1'000'000);
  }
  SECTION("long: a stranger, two ranges") {
    holds(topic, {"-DCRASHES=0", "-DLOSSES=0"}, 1'000'000);
  }
}

TEST_CASE("a topic's owner that leaves a rule of the order out is caught") {
  if (!spin_is_there()) return;
  const Strings calm{"-DSTRANGERS=0", "-DCRASHES=0", "-DLOSSES=0"};
  const Strings crash{"-DSTRANGERS=0", "-DLOSSES=0", "-DLAST=1"};
  const Strings loss{"-DSTRANGERS=0", "-DCRASHES=0"};
  const Strings stranger{"-DCRASHES=0"};
  const std::vector<std::pair<Strings, std::string>> mutants{
      {calm, "READ_BEFORE_FENCE"},        {calm, "FENCE_OWN_SLOTS_ONLY"},
      {calm, "ROW_NOT_WAITED_FOR"},       {crash, "ROW_HAS_OWN_SLOTS"},
      {loss, "NO_LOOK_BEHIND"},           {stranger, "READ_TO_THE_SEEN_END"},
      {stranger, "LOOK_TO_THE_SEEN_END"},
  };
  for (const auto& [flags, mutant] : mutants) {
    is_caught(topic, flags + Strings{"-DM_" + mutant}, "assertion violated (until==id[");
  }
}

TEST_CASE("who reads a topic to what can be seen has to end what is in doubt before") {
  if (!spin_is_there()) return;
  // One process: nobody else hides anything.
  const Strings seen = one_process_in_doubt + Strings{"-DM_READ_TO_THE_SEEN_END"};
  holds(topic, seen, 100);
  is_caught(topic, seen + Strings{"-DM_DOUBT_NOT_FENCED"}, "assertion violated (until==id[");
}
