// The database of one output: rows and a ledger, moved by the rules of the protocol; and what it
// was once, which it may become again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <semel/sink.hpp>
#include <semel/types.hpp>

#include "state/version.hpp"
#include "testing/memory_ledger.hpp"
#include "testing/memory_state.hpp"

namespace semel::stream_simulation {

struct Row {
  std::size_t task = 0;
  Offset offset = 0;
  std::string value;
};

/// What a final message makes one fact.
struct Transaction {
  std::string owner;
  std::vector<Task> tasks;
  std::vector<RangeEnd> ends;
  std::vector<Row> rows;
  std::optional<testing::MemoryChange> state{};  ///< of what is remembered, where this is home
};

/// What comes into an output.
enum class Holds : std::uint8_t {
  records,  ///< each record, as a row at its offset
  seen,     ///< of each key of a batch, all records that it ever had: what the state has
};

class Database {
 public:
  Database(std::string name, Holds holds, std::size_t number)
      : name_(std::move(name)), holds_(holds), number_(number) {}

  const std::string& name() const { return name_; }
  Holds holds() const { return holds_; }
  std::size_t number() const { return number_; }

  /// The new epoch.
  std::int64_t fence(const std::string& owner);
  bool enter(const std::string& owner, std::int64_t epoch, const std::vector<Progress>& starts);
  /// What the ledger refuses, if it does; else all of it is done.
  CommitResult commit(const Transaction& transaction);
  LedgerEntry entry(const TopicPartition& tp) const { return state_.ledger.entry(tp); }
  std::vector<Progress> progress() const { return state_.ledger.progress(); }
  const Progress* progress(const TopicPartition& tp) const { return state_.ledger.progress(tp); }
  BatchTime highest() const { return state_.ledger.highest(); }
  state::Version version() const;
  /// Rows of a partition, by offset.
  const std::map<Offset, std::string>& rows(const TopicPartition& tp) const;
  /// What is remembered, where this is home.
  const testing::MemoryState& remembered() const { return state_.remembered; }
  const std::string& owner() const { return state_.ledger.owner(); }
  /// Whether somebody else has fenced since `owner` did first, in whatever history.
  bool was_fenced(const std::string& owner) const;

  void remember() { copy_ = state_; }
  /// False: what it was once knew nothing, and that is no ledger that went back but a new one.
  bool go_back();
  /// Sessions do not outlive a server.
  int incarnation() const { return incarnation_; }

  /// Its client has gone, and it may be executed later.
  void leave(Transaction transaction) { adrift_.push_back(std::move(transaction)); }
  bool anything_adrift() const { return !adrift_.empty(); }
  Transaction take_adrift();
  void end_sessions(const std::string& owner, bool of_others);

 private:
  struct State {
    testing::MemoryLedger ledger;
    std::map<TopicPartition, std::map<Offset, std::string>> rows;
    testing::MemoryState remembered;
  };

  std::string name_;
  Holds holds_;
  std::size_t number_;
  State state_;
  State copy_;
  std::vector<Transaction> adrift_;
  std::vector<std::string> fences_;
  int incarnation_ = 0;
};

}  // namespace semel::stream_simulation
