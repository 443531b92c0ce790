#include <fmt/format.h>
#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <utility>

#include <semel/testing.hpp>

namespace semel::testing {

namespace {

/// Texts by what has them: an output's rows, its dead letters, the notes.
using Outcome = std::map<std::string, std::vector<std::string>>;

std::string text_of(const std::optional<std::string>& bytes) {
  return bytes ? *bytes : "(none)";
}

std::string text_of(const Row& row) {
  return fmt::format("{} {} at {}: key {}, value {}", to_string(row.tp), row.offset,
                     row.timestamp_ms, text_of(row.key), text_of(row.value));
}

template <class Item, class RowOf>
std::vector<std::string> in_order(std::vector<Item> items, RowOf row_of, auto text) {
  std::ranges::stable_sort(
      items, {}, [&](const Item& item) { return std::pair(row_of(item).tp, row_of(item).offset); });
  std::vector<std::string> texts;
  for (const auto& item : items) texts.push_back(text(item));
  return texts;
}

Outcome outcome_of(const Trial& trial) {
  Outcome outcome{{"notes", trial.notes()}};
  for (const auto& output : trial.outputs()) {
    outcome["output " + output] = in_order(
        trial.rows(output), [](const Row& row) -> const Row& { return row; },
        [](const Row& row) { return text_of(row); });
    outcome["dead letters of output " + output] = in_order(
        trial.dead_letters(output),
        [](const DeadLetter& dead) -> const Row& { return dead.record; },
        [](const DeadLetter& dead) { return text_of(dead.record) + ": " + dead.reason; });
  }
  return outcome;
}

/// The first text that one of them has otherwise.
std::string difference(const std::vector<std::string>& wanted,
                       const std::vector<std::string>& came) {
  const auto [without, with] = std::ranges::mismatch(wanted, came);
  if (with == came.end()) return "missing is " + *without;
  if (without == wanted.end()) return "too many is " + *with;
  return fmt::format("{}, and without a crash {}", *with, *without);
}

void compare(const Outcome& wanted, const Outcome& came, const std::string& where,
             CrashReport& report) {
  static const std::vector<std::string> nothing;
  auto all = wanted;
  all.insert(came.begin(), came.end());
  for (const auto& [what, texts] : all) {
    const auto a = wanted.find(what);
    const auto b = came.find(what);
    const auto& without = a == wanted.end() ? nothing : a->second;
    const auto& with = b == came.end() ? nothing : b->second;
    if (without == with) continue;
    report.differences.push_back(fmt::format("{}: {}: {}", where, what, difference(without, with)));
  }
}

/// One scenario, as often as it can be disturbed.
class Disturbing {
 public:
  using Scenario = std::function<void(Trial&)>;

  Disturbing(const Trial::Program& program, const Scenario& scenario, TrialOptions options)
      : program_(program), scenario_(scenario), options_(std::move(options)) {
    options_.go_on = true;
  }

  CrashReport run() {
    Trial undisturbed(program_, options_);
    scenario_(undisturbed);
    const auto wanted = outcome_of(undisturbed);
    for (const auto place : all_places()) {
      for (int pass = 1; pass <= undisturbed.passes(place); ++pass) {
        ++report_.crashes;
        run_with(wanted, fmt::format("{}, time {}", to_string(place), pass),
                 [&](Trial& trial) { trial.crash_at(place, pass); });
      }
    }
    for (const auto trouble : {Trouble::unavailable, Trouble::lost_request, Trouble::lost_reply}) {
      for (int commit = 1; commit <= undisturbed.commits(); ++commit) {
        ++report_.troubles;
        run_with(wanted, fmt::format("{}, commit {}", to_string(trouble), commit),
                 [&](Trial& trial) { trial.fail_commit(trouble, commit); });
      }
    }
    return std::move(report_);
  }

 private:
  void run_with(const Outcome& wanted, const std::string& where, const Scenario& disturb) {
    Trial trial(program_, options_);
    disturb(trial);
    try {
      scenario_(trial);
    } catch (const std::exception& error) {
      report_.differences.push_back(fmt::format("{}: {}", where, error.what()));
      return;
    }
    compare(wanted, outcome_of(trial), where, report_);
  }

  const Trial::Program& program_;
  const Scenario& scenario_;
  TrialOptions options_;
  CrashReport report_;
};

}  // namespace

CrashReport crash_everywhere(const Trial::Program& program,
                             const std::function<void(Trial&)>& scenario,
                             const TrialOptions& options) {
  return Disturbing(program, scenario, options).run();
}

}  // namespace semel::testing
