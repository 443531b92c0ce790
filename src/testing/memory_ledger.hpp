// The ledger of one output in memory: what the protocol demands of one, and no more.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/sink.hpp>
#include <semel/types.hpp>

namespace semel::testing {

class MemoryLedger {
 public:
  /// The new epoch.
  std::int64_t fence(const std::string& owner);
  /// What is known stays where it is. False: it is another's, and nothing is changed.
  bool enter(const std::string& owner, std::int64_t epoch, std::span<const Progress> starts);
  /// The first of the tasks that it does not let this owner commit.
  std::optional<std::size_t> refused(std::span<const Task> tasks, const std::string& owner) const;
  /// None of the tasks is refused.
  void move(std::span<const Task> tasks, std::span<const RangeEnd> ends);

  LedgerEntry entry(const TopicPartition& tp) const;
  /// nullptr: it does not know the partition.
  const Progress* progress(const TopicPartition& tp) const;
  std::vector<Progress> progress() const;
  BatchTime highest() const;
  const std::string& owner() const { return owner_; }
  bool empty() const { return partitions_.empty(); }

 private:
  std::int64_t epoch_ = 0;
  std::string owner_;
  std::map<TopicPartition, Progress> partitions_;
};

}  // namespace semel::testing
