// What a process has read from Kafka and what that cost, in a file that is mapped into memory: a
// killed process has counted to its last instruction, and the one that watches reads it without
// asking.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <semel/error.hpp>

namespace semel::bench {

/// What a process's driver spent on a batch (engine::DriverCost), in nanoseconds.
struct DriverFigures {
  struct Figure {
    std::int64_t median_ns = 0;
    std::int64_t p99_ns = 0;
  };
  std::uint64_t batches = 0;
  Figure batch;     ///< all of it
  Figure deciding;  ///< of that: core::step
  Figure syncing;   ///< of that: the plan log's sync
};

class Tally {
 public:
  /// Maps the file, made where it is missing.
  static Result<std::unique_ptr<Tally>> open(const std::string& path);
  ~Tally();
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  void add(std::uint64_t records);
  std::uint64_t records() const;
  /// A range was committed, now.
  void committed();
  /// The last time, on the monotonic clock; 0: never.
  std::int64_t committed_ns() const;

  /// When this process counted its first record, on the monotonic clock; 0: it has not.
  std::int64_t first_ns() const;
  /// Before another process starts.
  void forget_first();

  /// Written once, before the process ends, and read afterwards.
  void set_driver(const DriverFigures& figures);
  const DriverFigures& driver() const;

 private:
  struct Shared {
    std::atomic<std::uint64_t> records;
    std::atomic<std::int64_t> first_ns;
    std::atomic<std::int64_t> committed_ns;
    DriverFigures driver;
  };
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

  explicit Tally(Shared* shared) : shared_(shared) {}
  Shared* shared_;
};

/// The monotonic clock, the same in all processes.
std::int64_t monotonic_ns();

}  // namespace semel::bench
