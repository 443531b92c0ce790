#include "simulation/settings.hpp"

#include <array>

namespace semel::simulation {

namespace {

core::CommitUnit any_commit_unit(Choices& choices) {
  using enum core::CommitUnit;
  constexpr std::array units{automatic, batch, range};
  return units[choices.below(3)];
}

}  // namespace

Settings choose_settings(Choices& choices, const Variant& variant) {
  Settings settings;
  settings.bugs = variant.bugs;
  settings.driver = {
      .limits = {.interval_ms = 10,
                 .max_records = choices.one_in(2) ? 30 : 0,
                 .max_records_per_partition = 5 + choices.below(20),
                 .backpressure = choices.one_in(4)},
      // Few in half of the runs: then the last attempt is another one, and some give up.
      .retry = {.max_failures =
                    choices.one_in(2) ? 2 + static_cast<int>(choices.below(3)) : tries_for_ever,
                .backoff_ms_min = 1,
                .backoff_ms_max = 50},
      .owner = {},
      .commit = any_commit_unit(choices),
      .executors = 1 + choices.below(3),
      .once = choices.one_in(4),
      .skip_lost = choices.one_in(2),
      .pattern = choices.one_in(2),
      .discovery_interval_ms = 50 + choices.below(400)};
  settings.driver.skip_batch = settings.driver.skip_lost && choices.one_in(2);
  settings.start_latest = choices.one_in(4);
  settings.may_end_sessions = !choices.one_in(4);
  auto& faults = settings.faults;
  for (auto* fault : {&faults.sink, &faults.adrift, &faults.bad_rows, &faults.tp, &faults.crashes,
                      &faults.power, &faults.zombies, &faults.failover, &faults.state_lost,
                      &faults.log_lost, &faults.log_changes, &faults.clocks}) {
    *fault = choices.one_in(2);
  }
  // Who tries for ever has no last resort.
  faults.poison = settings.driver.retry.max_failures < tries_for_ever && choices.one_in(2);
  // A first start resolved as "latest" that a failover undoes is resolved again, later: what came
  // in between was committed by nobody the ledger knows of (docs/guarantees.md).
  if (settings.start_latest) faults.failover = false;
  if (variant.clock != core::BatchClock::none) {
    settings.driver.commit = core::CommitUnit::batch;
    settings.driver.clock = variant.clock;
    // Two ledgers that go back apart are another matter (tests/model/state.pml).
    faults.ahead = !faults.failover && choices.one_in(2);
  }
  return settings;
}

}  // namespace semel::simulation
