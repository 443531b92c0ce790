// What the rules of the contract have in common: a process that owns an output, as far as a sink
// sees it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "contract/sink_contract.hpp"
#include "support/catch.hpp"

namespace semel::contract {

inline const TopicPartition tp{"clicks", 3};
inline const std::string cluster = "cluster-a";

/// A UUID's worth of difference, readable in a failing test.
Owner owner_named(const std::string& who, const std::string& pipeline = "pipe");

/// Of [from, until).
std::vector<Offset> offsets(Offset from, Offset until);

/// The whole history.
std::vector<Move> moves_of(Ledger& ledger);

template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}
inline void must(const Result<void>& result) {
  if (!result) FAIL(result.error().message);
}

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

  Process(Subject& s, const std::string& who, const std::string& pipeline = "pipe");

  TakenOver take_over();
  /// Owns the output, and the partitions begin at `at`.
  void start(Offset at = 0, const std::vector<TopicPartition>& partitions = {tp});

  /// Of a batch of its own.
  Task task(Offset from, Offset until);
  /// Of one batch.
  std::vector<Task> tasks(const std::vector<OffsetRange>& ranges);

  SinkSession& in_session();
  Result<std::optional<Refused>> begin(const Task& task);
  Result<void> write(Offset from, Offset until, const std::set<Offset>& bad = {},
                     std::size_t task = 0);
  Result<CommitResult> commit();
  LedgerEntry resolve(const Task& task);

  Result<CommitResult> run(const Task& task, const std::set<Offset>& bad = {});
  /// In one transaction.
  Result<CommitResult> run(const std::vector<Task>& tasks, const std::set<Offset>& bad = {});
  Committed store(Offset from, Offset until, const std::set<Offset>& bad = {});
};

}  // namespace semel::contract
