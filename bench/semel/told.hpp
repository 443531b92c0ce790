// What a process tells of itself by its metrics: asked while it runs, and in a file when it has
// ended in order. One that was killed has told what it was asked for last.
#pragma once

#include <cstdint>
#include <string>

#include "http/address.hpp"

namespace semel::bench {

/// What a process's driver spent on a batch, in nanoseconds.
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

struct Figures {
  std::uint64_t read = 0;  ///< records that came from Kafka
  double first_read = 0;   ///< when the first of them did, in seconds since the epoch; 0: none has
  double last_commit = 0;  ///< likewise
  DriverFigures driver;
};

/// Reads a page of metrics; what is not on it is 0.
Figures figures_in(const std::string& page);

class Told {
 public:
  Told() = default;
  /// Of a process that answers there, and writes into `file` at its end.
  Told(http::Address address, std::string file)
      : address_(std::move(address)), file_(std::move(file)) {}

  /// What it says now; where it does not answer soon, nothing changes.
  void ask();
  /// After its end.
  void look_into_file();

  const Figures& figures() const { return figures_; }

 private:
  void take(const std::string& page);

  http::Address address_;
  std::string file_;
  Figures figures_;
};

}  // namespace semel::bench
