// What is counted for one output: written by the threads that do the work, where they do it.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include <semel/error.hpp>
#include <semel/sink.hpp>

#include "metrics/batch_times.hpp"
#include "metrics/beats.hpp"
#include "metrics/contact.hpp"
#include "metrics/driver_cost.hpp"
#include "metrics/page.hpp"
#include "metrics/partitions.hpp"

namespace semel::metrics {

/// Seconds since the epoch, by the wall clock.
double unix_now();

/// A counter with one label. Thread safe.
class Labelled {
 public:
  /// To `count`, which is never less than before.
  void raise(const std::string& value, double count) {
    const std::lock_guard lock(mutex_);
    counts_[value] = count;
  }
  void add(const std::string& value, double count) {
    const std::lock_guard lock(mutex_);
    counts_[value] += count;
  }
  double sum() const;
  void collect(Page& page, std::string_view name, const Labels& labels,
               const std::string& label) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, double> counts_;
};

/// Thread safe, but for what the driver alone may write; declarations.cpp says what each
/// means.
struct OutputMetrics {
  // Executors
  prometheus::Counter read_records;
  prometheus::Counter read_bytes;
  prometheus::Gauge first_read_seconds;
  prometheus::Counter records;
  prometheus::Counter rows;
  prometheus::Counter bytes;
  Labelled dead_letters;  ///< by code
  prometheus::Counter ignored;
  prometheus::Counter suppressed;
  prometheus::Counter unknown_fields;
  prometheus::Histogram commit_seconds{second_buckets()};
  // Executors and keeper
  Contact sink;  ///< by commits, and by what the ledger is asked

  prometheus::Gauge last_progress_seconds;
  // The watcher
  Contact source;  ///< by questions for offsets
  // The driver
  prometheus::Counter offsets;
  prometheus::Counter lost_offsets;
  prometheus::Counter uncounted_offsets;
  prometheus::Counter batches;
  prometheus::Counter given_up_batches;
  Labelled retries;  ///< by kind
  prometheus::Counter takes;
  prometheus::Counter fenced;
  prometheus::Gauge epoch;
  prometheus::Gauge lag;
  prometheus::Gauge caught_up;
  std::atomic<bool> taken_over{false};  ///< false again while the ledger is read anew
  std::atomic<bool> stopping{false};    ///< asked to stop: nothing new is begun
  std::atomic<bool> ended{false};       ///< nothing more is committed
  Partitions partitions;
  BatchTimes batch_times;
  DriverCost driver_cost;
  // All of them
  Beats beats;

  /// Records of a range came from Kafka.
  void read(std::size_t count, std::size_t size);
  /// A range of `count` records was committed.
  void committed(std::uint64_t count, std::uint64_t size, const Committed& counts);
  /// A transaction was committed.
  void commit_took(std::chrono::nanoseconds took);

  void collect(Page& page, const Labels& labels, std::size_t partition_series) const;
};

}  // namespace semel::metrics
