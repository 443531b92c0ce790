// Which records have been seen in the table, and when first. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace semel::bench {

class Arrivals {
 public:
  /// Records have the ids [0, records); id i is in partition i % partitions.
  Arrivals(std::int64_t records, int partitions);

  /// An answer that came at `now_ns` (not 0) shows these ids. Seen again, one stays as it was; one
  /// that was never produced is nobody's (the oracle finds it).
  void see(const std::vector<std::int64_t>& ids, std::int64_t now_ns);

  /// For each partition: all of its ids below have been seen. What is asked for next begins here.
  const std::vector<std::int64_t>& low() const { return low_; }
  std::int64_t count() const { return count_; }
  /// All ids below `until` have been seen.
  bool complete(std::int64_t until) const;
  /// When it was seen first; 0: not yet.
  std::int64_t seen_ns(std::int64_t id) const { return seen_ns_[static_cast<std::size_t>(id)]; }

 private:
  std::vector<std::int64_t> seen_ns_;
  std::vector<std::int64_t> low_;
  std::int64_t count_ = 0;
};

}  // namespace semel::bench
