// The contract of include/semel/sink.hpp and ledger.hpp as cases that anybody's test can run:
// written once for every sink, and bound to no test framework. To test a sink of your own:
// implement Subject, and run each of cases(). <semel/contract/catch2.hpp>,
// <semel/contract/googletest.hpp> and <semel/contract/main.hpp> do it in a line. In the library
// semel-contract.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <semel/api.hpp>
#include <semel/ledger.hpp>
#include <semel/record.hpp>
#include <semel/sink.hpp>

namespace semel::contract {

/// A store, empty when it is made, and how to look into it. Its sinks and ledgers are gone before
/// it is. A case uses it from its own thread; the sinks, from any.
class Subject {
 public:
  virtual ~Subject() = default;

  /// A sink onto the store, as another process would open it. Not null.
  virtual std::unique_ptr<Sink> open(const Owner& owner) = 0;
  /// The same store's ledger, as an operator opens it; a sink has taken over before. Not called
  /// where Options::keeps_ledger is false.
  virtual std::unique_ptr<Ledger> ledger(const std::string& pipeline,
                                         const std::string& output) = 0;

  /// A record's value that can be stored. Those of different offsets may be equal.
  virtual std::string good_value(Offset offset) = 0;
  /// One that never can be, a dead letter at once, without isolating; absent: any can be stored.
  virtual std::optional<std::string> bad_value() = 0;

  /// The offsets of the records that are stored as rows, in ascending order and as often as they
  /// are there; and of those that are dead letters. Of all partitions together.
  virtual std::vector<Offset> stored() = 0;
  virtual std::vector<Offset> dead() = 0;  ///< see stored()

  /// What a right store has of this record, as text: all that it keeps of it, for instance
  /// text_of() of key and value, and headers and timestamp where it has these. Absent: nobody can
  /// tell, or such a record is no row; then none is written. Records have keys and values of any
  /// bytes and of up to 70,000 of them. Of those that are long or no UTF-8 the store may set aside
  /// what it cannot hold, whatever is said here. Said of nothing: cases() that ask are skipped.
  virtual std::optional<std::string> expected(const Record& /*record*/) { return std::nullopt; }
  /// What the store has of each row, by its offset, in the words of expected().
  virtual std::map<Offset, std::string> contents() { return {}; }
  /// The same of a record that is set aside; absent: nobody can tell.
  virtual std::optional<std::string> expected_dead(const Record& /*record*/) {
    return std::nullopt;
  }
  /// What the store has of each dead letter, by its offset, in the words of expected_dead().
  virtual std::map<Offset, std::string> dead_contents() { return {}; }
  /// What the store has of why each record was set aside, by its offset. Said of nothing: what
  /// SinkSession::set_aside() was given as a reason is not asked for.
  virtual std::map<Offset, std::string> dead_reasons() { return {}; }

  /// The ledger loses its positions, and keeps its history: somebody deletes them, or restores a
  /// part of a backup. False, and nothing has happened: in this store they cannot be lost alone.
  virtual bool lose_positions() = 0;
  /// Keeps sinks from writing until what is returned is gone, as a lock or a server that stands
  /// still does. Null: nobody can.
  virtual std::shared_ptr<void> hold_up() = 0;
};

/// Tells null from empty: `key "a", value null`. Bytes are as they are.
SEMEL_API std::string text_of(std::optional<std::string_view> key,
                              std::optional<std::string_view> value);

using MakeSubject = std::function<std::unique_ptr<Subject>()>;

/// What a case throws where the sink breaks its rule. what(): the rule, what was expected, what
/// came.
class SEMEL_API Broken : public std::runtime_error {
 public:
  explicit Broken(const std::string& message);  ///< says `message`
  Broken(const Broken&) = default;              ///< says the same
  ~Broken() override;
};

/// What a case throws where the subject cannot be asked: it has no bad_value(), says nothing in
/// expected(). Neither passed nor failed. what(): why.
class SEMEL_API Skipped : public std::runtime_error {
 public:
  explicit Skipped(const std::string& why);  ///< says `why`
  Skipped(const Skipped&) = default;         ///< says the same
  ~Skipped() override;
};

/// One rule. Independent of the others: makes a subject (or several) of its own.
struct Case {
  std::string name;  ///< the fact that has to hold: "a zombie's commit is refused, …"
  /// Returns where it holds; throws Broken where it does not, Skipped where nobody can say, and
  /// whatever the subject throws.
  std::function<void(const MakeSubject&)> run;
};

/// What is known of the sink beside its guarantee.
struct Options {
  /// False, of a sink that guarantees nothing: it has no memory, and each start is the first one.
  bool keeps_ledger = true;
  /// False, of a sink that guarantees nothing: it has no place for dead letters. What is set aside
  /// is counted, and no row.
  bool keeps_dead_letters = true;
  /// True, of a transactional sink that can be the home of a state (Sink::become_home()): it keeps
  /// that right, too.
  bool keeps_state = false;
  /// True, of a sink whose ledger can be made to forget an output (Ledger::forget()).
  bool forgets = false;
  /// A call that is interrupted and has not returned after this hangs: Broken. Its thread, the sink
  /// and the subject are left behind then. So long, too, a case waits for what time has to bring.
  std::chrono::milliseconds hangs_after{20'000};
};

/// What a sink that declares `guarantee` has to keep, in an order that reads well. All there is for
/// one that is transactional. Of one that declares less, what does not rest on rows and ledger
/// being one fact: an idempotent one has stored each record of a committed range exactly once, and
/// may have stored others; one that guarantees nothing has stored it at least once. Thread safe.
SEMEL_API std::vector<Case> cases(Guarantee guarantee, const Options& options = {});

}  // namespace semel::contract
