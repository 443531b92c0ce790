// What a process has read from Kafka, in a file that is mapped into memory: a killed process has
// counted to its last instruction, and the one that watches reads it without asking.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <semel/error.hpp>

namespace semel::bench {

class Tally {
 public:
  /// Maps the file, made where it is missing.
  static Result<std::unique_ptr<Tally>> open(const std::string& path);
  ~Tally();
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  void add(std::uint64_t records);
  std::uint64_t records() const;

  /// When this process counted its first record, on the monotonic clock; 0: it has not.
  std::int64_t first_ns() const;
  /// Before another process starts.
  void forget_first();

 private:
  struct Shared {
    std::atomic<std::uint64_t> records;
    std::atomic<std::int64_t> first_ns;
  };
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

  explicit Tally(Shared* shared) : shared_(shared) {}
  Shared* shared_;
};

/// The monotonic clock, the same in all processes.
std::int64_t monotonic_ns();

}  // namespace semel::bench
