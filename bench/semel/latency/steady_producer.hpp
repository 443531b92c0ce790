// Produces records at a steady rate, in a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <semel/error.hpp>

#include "bench/data/topic_writer.hpp"

namespace semel::bench {

struct Stream {
  std::string topic;
  int partitions = 1;
  std::int64_t first = 0;  ///< ids [first, until), record i into partition i % partitions
  std::int64_t until = 0;
  std::int64_t record_size = 165;
  double rate = 10'000;  ///< per second, evenly: each has a moment of its own, kept to 0.25 ms
};

class SteadyProducer {
 public:
  /// Begins at once. The first record's moment is now.
  SteadyProducer(std::unique_ptr<kafka::TopicWriter> writer, Stream stream);
  /// Stops early, if it has to.
  ~SteadyProducer();
  SteadyProducer(const SteadyProducer&) = delete;
  SteadyProducer& operator=(const SteadyProducer&) = delete;

  bool done() const { return done_; }
  /// Waits for the end: all were produced and acknowledged, or an error.
  Result<void> finish();

  // After finish():
  /// When it was given to the producer, just before the call.
  std::int64_t produced_ns(std::int64_t id) const;
  /// How long after its moment each was produced: what the machine kept it from.
  std::vector<double> late_ms() const;

 private:
  void run();
  Result<void> produce();
  std::int64_t moment_ns(std::int64_t nth) const;

  std::unique_ptr<kafka::TopicWriter> writer_;
  Stream stream_;
  std::vector<std::int64_t> produced_ns_;
  std::int64_t begun_ns_ = 0;
  Result<void> outcome_;
  std::atomic<bool> done_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace semel::bench
