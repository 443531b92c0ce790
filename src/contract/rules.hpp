// The rules of the contract, by what they are about, and what each is given.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/process.hpp"

namespace semel::contract {

/// A rule at work on a subject of its own.
struct Trial {
  std::shared_ptr<Subject> subject;
  Guarantee guarantee = Guarantee::transactional;
  Options options;

  /// These, or none where any value can be stored.
  std::set<Offset> bad(std::set<Offset> offsets) const;
  /// Or the rule is skipped.
  void has_bad() const;
  /// The rows, or dead letters, of the ranges that were committed are there; where they are one
  /// fact with the ledger, no others are. Of dead letters nothing is said where there is no place
  /// for them.
  void stored(const std::vector<Offset>& expected) const;
  void dead(const std::set<Offset>& expected) const;
  std::unique_ptr<Ledger> ledger() const;
};

/// What a rule rests on.
enum class Needs : std::uint8_t {
  nothing,   ///< one process
  ledger,    ///< another process, or an operator, sees what the first one did
  forgets,   ///< and an operator can make the ledger forget an output
  one_fact,  ///< rows and ledger are one fact
  home,      ///< and it can be the home of a state
};

struct Rule {
  std::string_view name;
  Needs needs = Needs::nothing;
  void (*run)(Trial&) = nullptr;
};

std::span<const Rule> take_over_rules();
std::span<const Rule> commit_rules();
std::span<const Rule> refusal_rules();
std::span<const Rule> owner_rules();
std::span<const Rule> concurrency_rules();
std::span<const Rule> ledger_rules();
std::span<const Rule> batch_rules();
std::span<const Rule> content_rules();
std::span<const Rule> aside_rules();
std::span<const Rule> state_rules();

/// A call in a thread of its own. Who destroys it waits for its end, but not beyond hangs_after:
/// then the thread is left behind, with what `call` holds.
class InThread {
 public:
  InThread(std::function<void()> call, std::chrono::milliseconds hangs_after);
  ~InThread();
  InThread(const InThread&) = delete;
  InThread& operator=(const InThread&) = delete;

  /// Throws what the call threw; Broken where it hangs: `what` begins the sentence.
  void end(std::string_view what);

 private:
  struct State;
  bool ended();

  std::shared_ptr<State> state_;
  std::chrono::milliseconds hangs_after_;
};

}  // namespace semel::contract
