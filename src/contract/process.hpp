// What the rules of the contract have in common: a process that owns an output, as far as a sink
// sees it. All of it throws Broken where a call that has to succeed fails.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <semel/contract.hpp>

#include "contract/expect.hpp"

namespace semel::contract {

inline const TopicPartition tp{"clicks", 3};
inline const std::string cluster = "cluster-a";

/// A UUID's worth of difference, readable in a failing test.
Owner owner_named(const std::string& who, const std::string& pipeline = "pipe",
                  const std::string& output = "out");

/// Of [from, until).
std::vector<Offset> offsets(Offset from, Offset until);

/// Those of `offsets` that are not bad.
std::vector<Offset> good_of(std::vector<Offset> offsets, const std::set<Offset>& bad);

/// By partition, batch time and epoch.
void must_be_in_order(const std::vector<Move>& moves);

/// The whole history, which is in order.
std::vector<Move> moves_of(Ledger& ledger);

/// What a call answers that may be unavailable for a moment: whose session was ended learns it by
/// the next call, and not always before it is sent.
template <class Call>
auto answered(Call call) {
  auto result = call();
  for (int tries = 1; !result && result.error().kind == ErrorKind::unavailable && tries < 10;
       ++tries) {
    result = call();
  }
  return must(std::move(result));
}

/// Of a transaction of one task; all_committed() of any.
Committed committed(const Result<CommitResult>& result);
std::vector<Committed> all_committed(const Result<CommitResult>& result);
Refused refused(const Result<CommitResult>& result);

/// Records are good but where `bad` says so.
struct Process {
  Subject& subject;
  Owner owner;
  std::unique_ptr<Sink> sink;
  std::unique_ptr<SinkSession> session;
  std::int64_t epoch = -1;
  std::int64_t time = 1'000;
  std::string reads = cluster;

  Process(Subject& s, const std::string& who, const std::string& pipeline = "pipe",
          const std::string& output = "out");

  TakenOver take_over();
  /// The partitions begin there; they are new.
  void enter(const std::vector<Progress>& starts);
  /// Owns the output, and the partition begins at `at`.
  void start(Offset at = 0);

  /// Of a batch of its own.
  Task task(Offset from, Offset until);
  /// Of one batch.
  std::vector<Task> tasks(const std::vector<OffsetRange>& ranges);

  SinkSession& in_session();
  Result<std::optional<Refused>> begin(const Task& task);
  /// A begin that is not refused.
  void must_begin(const std::vector<Task>& tasks);
  void must_begin(const Task& task) { must_begin(std::vector{task}); }
  Result<void> write(Offset from, Offset until, const std::set<Offset>& bad = {},
                     std::size_t task = 0);
  void must_write(Offset from, Offset until, const std::set<Offset>& bad = {},
                  std::size_t task = 0) {
    must(write(from, until, bad, task), "write()");
  }
  Result<CommitResult> commit();
  LedgerEntry resolve(const Task& task);
  Alive keep_alive() {
    return answered([&] { return sink->keep_alive(); });
  }

  Result<CommitResult> run(const Task& task, const std::set<Offset>& bad = {});
  /// In one transaction.
  Result<CommitResult> run(const std::vector<Task>& tasks, const std::set<Offset>& bad = {});
  Committed store(Offset from, Offset until, const std::set<Offset>& bad = {});
};

}  // namespace semel::contract
