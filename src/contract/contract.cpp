#include <semel/contract.hpp>

#include <iterator>
#include <map>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

/// Which of `expected` are missing, and which others are there; as the guarantee counts them.
void same_records(std::string_view what, const std::vector<Offset>& came,
                  const std::vector<Offset>& expected, Guarantee guarantee) {
  if (guarantee == Guarantee::transactional) return same(what, came, expected);
  std::map<Offset, int> how_often;
  for (const auto offset : came) ++how_often[offset];
  for (const auto offset : expected) {
    const auto found = how_often.find(offset);
    const auto times = found == how_often.end() ? 0 : found->second;
    const bool enough = guarantee == Guarantee::none ? times >= 1 : times == 1;
    if (enough) continue;
    broken(what, told(expected) + (guarantee == Guarantee::none ? "" : ", each once"), told(came));
  }
}

bool is_kept_by(Guarantee guarantee, const Options& options, Needs needs) {
  switch (needs) {
    case Needs::nothing:
      return true;
    case Needs::ledger:
      return options.keeps_ledger;
    case Needs::forgets:
      return options.keeps_ledger && options.forgets;
    case Needs::one_fact:
      return guarantee == Guarantee::transactional;
    case Needs::home:
      return guarantee == Guarantee::transactional && options.keeps_state;
  }
  return true;
}

Case case_of(const Rule& rule, Guarantee guarantee, const Options& options) {
  return {std::string(rule.name), [rule, guarantee, options](const MakeSubject& make) {
            Trial trial{make(), guarantee, options};
            try {
              rule.run(trial);
            } catch (const Broken& broken) {
              throw Broken("\"" + std::string(rule.name) + "\" does not hold: " + broken.what());
            }
          }};
}

}  // namespace

std::set<Offset> Trial::bad(std::set<Offset> offsets) const {
  return subject->bad_value() ? std::move(offsets) : std::set<Offset>{};
}

void Trial::has_bad() const {
  if (!subject->bad_value()) skip("bad_value() has none: any value can be stored");
}

void Trial::stored(const std::vector<Offset>& expected) const {
  same_records("the rows that are stored", subject->stored(), expected, guarantee);
}

void Trial::dead(const std::set<Offset>& expected) const {
  if (!options.keeps_dead_letters) return;
  same_records("the dead letters", subject->dead(), {expected.begin(), expected.end()}, guarantee);
}

std::unique_ptr<Ledger> Trial::ledger() const {
  return subject->ledger("pipe", "out");
}

std::vector<Case> cases(Guarantee guarantee, const Options& options) {
  std::vector<Case> all;
  for (const auto& rules :
       {take_over_rules(), commit_rules(), refusal_rules(), owner_rules(), concurrency_rules(),
        ledger_rules(), batch_rules(), content_rules(), aside_rules(), state_rules()}) {
    for (const auto& rule : rules) {
      if (is_kept_by(guarantee, options, rule.needs)) {
        all.push_back(case_of(rule, guarantee, options));
      }
    }
  }
  return all;
}

}  // namespace semel::contract
