// State that is exactly once (docs/decisions/0015): the model of its protocol, and what goes wrong
// where a rule of it is left out. docs/model.md
#include <string>
#include <vector>

#include "search.hpp"
#include "support/catch.hpp"

using namespace semel::test::model;

namespace {

const std::string state_model = "state.pml";

// As pan prints the assertions of state.pml.
const std::string another_state = "assertion violated (out[i].content==base)";
const std::string counted_wrong = "assertion violated ((store[me].content%16)==";
const std::string forked = ".version/16)<(";
const std::string two_results = ".result==";
const std::string refused_for_nothing = "assertion violated ((went_back||";
const std::string nobody_is_left = "assertion violated (went_back|| !(is_fenced[";

const Strings in_the_sink{"-DSINK"};
const Strings ledger_goes_back{"-DFAILOVERS=1", "-DLOSSES=0", "-DLAST=1", "-DSTARTS=2"};
const Strings not_deterministic{"-DFICKLE", "-DLAST=1"};
const Strings commits_late{"-DREFUSALS=1", "-DFICKLE", "-DLAST=1", "-DSTARTS=2"};
const Strings one_machine{"-DMACHINES=1"};

struct Mutant {
  Strings flags;
  std::string rule;
  std::string found_as;
};

void are_caught(const std::vector<Mutant>& mutants) {
  for (const auto& [flags, rule, found_as] : mutants) {
    is_caught(state_model, flags + Strings{"-DM_" + rule}, found_as);
  }
}

}  // namespace

TEST_CASE("state and two outputs count each record once, in every interleaving") {
  if (!spin_is_there()) return;
  SECTION("two machines, three starts, kills, losses of power, a lost answer") {
    holds(state_model, {}, 100'000);
  }
  SECTION("functions that are not deterministic") {
    holds(state_model, not_deterministic, 100'000);
  }
  SECTION("commits of sessions that may not be ended") {
    holds(state_model, commits_late + one_machine, 100'000);
  }
  SECTION("one ledger that goes back, or both") {
    holds(state_model, ledger_goes_back, 100'000);
    holds(state_model, ledger_goes_back + Strings{"-DCHECKPOINT"}, 100'000);
  }
  SECTION("it does get to its end, and to its checkpoint") {
    is_caught(state_model, ledger_goes_back + Strings{"-DREACHES_THE_END"},
              "assertion violated (at[0]==0)");
    is_caught(state_model, ledger_goes_back + Strings{"-DCHECKPOINT", "-DREACHES_THE_CHECKPOINT"},
              "assertion violated 0");
  }
  if (!long_mode()) return;
  SECTION("long: four starts, three batches") {
    holds(state_model, {"-DSTARTS=4", "-DTIMES=3", "-DLAST=1"}, 1'000'000);
  }
  SECTION("long: a ledger that goes back, and a lost answer") {
    holds(state_model, {"-DFAILOVERS=1", "-DLAST=1", "-DSTARTS=2", "-DCHECKPOINT"}, 1'000'000);
  }
  SECTION("long: commits that arrive late, with an heir, or with a ledger that goes back") {
    holds(state_model, {"-DREFUSALS=1", "-DLAST=1", "-DSTARTS=2"}, 500'000);
    holds(state_model, commits_late + one_machine + Strings{"-DFAILOVERS=1", "-DLOSSES=0"},
          500'000);
  }
}

TEST_CASE("state in the sink counts each record once, in every interleaving") {
  if (!spin_is_there()) return;
  SECTION("two machines, three starts, kills, losses of power, a lost answer") {
    holds(state_model, in_the_sink + Strings{"-DLAST=1"}, 100'000);
  }
  SECTION("functions that are not deterministic") {
    holds(state_model, in_the_sink + not_deterministic + Strings{"-DSTARTS=2"}, 10'000);
  }
  SECTION("commits of sessions that may not be ended") {
    holds(state_model, in_the_sink + commits_late + one_machine, 100'000);
  }
  SECTION("one ledger that goes back, or both") {
    holds(state_model, in_the_sink + ledger_goes_back + one_machine, 10'000);
  }
  if (!long_mode()) return;
  SECTION("long: a ledger that goes back, two machines") {
    holds(state_model, in_the_sink + ledger_goes_back, 1'000'000);
  }
}

TEST_CASE("a model of state that leaves a rule of its order out is caught") {
  if (!spin_is_there()) return;
  are_caught({
      {{}, "STATE_FIRST", another_state},
      {{}, "STATE_LATER", forked},
      {{}, "PREPARE_NOT_SYNCED", refused_for_nothing},
      {{}, "NO_ROLL_FORWARD", "assertion violated went_back"},
      {in_the_sink, "HOME_FIRST", another_state},
  });
}

TEST_CASE("a model of state that takes a version for another one is caught") {
  if (!spin_is_there()) return;
  are_caught({
      {{}, "TIME_ONLY", forked},
      {ledger_goes_back, "ADOPTS_ANOTHERS", counted_wrong},
      {ledger_goes_back, "NEWER_BASE", another_state},
      {in_the_sink + ledger_goes_back, "CACHE_BY_TIME", counted_wrong},
  });
}

TEST_CASE("a model of state whose outputs are not all asked who owns them is caught") {
  if (!spin_is_there()) return;
  are_caught({
      {{}, "NOT_ALL_OURS", forked},
      {ledger_goes_back, "NO_UUID", forked},
  });
}

// What the model found in the design. docs/decisions/0015
TEST_CASE(
    "whoever opens a session anew asks all outputs then, for a failover brings an owner back") {
  if (!spin_is_there()) return;
  is_caught(state_model, ledger_goes_back + Strings{"-DM_OPENED_WITHOUT_ASKING"}, forked);
  const Strings one_batch{"-DFAILOVERS=1", "-DLAST=1", "-DSTARTS=2", "-DTIMES=1"};
  holds(state_model, one_batch, 100'000);
  is_caught(state_model, one_batch + Strings{"-DM_ASKED_BEFORE_OPENED"}, forked);
}

TEST_CASE("of two that start at once one is left, for the first output decides") {
  if (!spin_is_there()) return;
  is_caught(state_model, {"-DM_STOPS_WHEREVER_FENCED"}, nobody_is_left);
}

TEST_CASE("a name is given to one version only, for a cache may come back with an older one") {
  if (!spin_is_there()) return;
  const std::string by_owner = "-DM_NAMED_BY_OWNER";
  is_caught(state_model, in_the_sink + ledger_goes_back + Strings{by_owner}, counted_wrong);
  // In a store of our own the name is written over, synced, before anybody can see it.
  holds(state_model, ledger_goes_back + Strings{by_owner}, 100'000);
}

TEST_CASE("a batch is computed again for all of its outputs, once nothing of it can be committed") {
  if (!spin_is_there()) return;
  are_caught({
      {{"-DFICKLE"}, "COMPUTED_AGAIN_FOR_ONE", two_results},
      {commits_late, "LATE_NOT_FENCED", forked},
  });
}

TEST_CASE("a guard that does not compare the version is safe where sessions ask") {
  if (!spin_is_there()) return;
  holds(state_model, ledger_goes_back + Strings{"-DM_VERSION_NOT_COMPARED"}, 100'000);
}
