// The processes that the bench compares semel with. Decent implementations of what people write:
// large transactions, binary COPY, prefetching, as many threads as semel has.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "bench/semel/baselines/spec.hpp"
#include "metrics/output.hpp"

namespace semel::bench {

/// `semel bench baseline SPEC START`: runs one to the end of the records. It tells what it reads as
/// semel does: over HTTP, and in a file at its end.
Result<void> be_baseline(const std::string& spec_file, int start, const std::string& listen,
                         const std::string& metrics_file);

/// What a question to Kafka asks for at most, and how long it waits for that.
inline constexpr std::size_t records_per_poll = 10'000;
inline constexpr int poll_wait_ms = 50;

/// What one thread is given: some of the partitions.
struct Worker {
  const Spec& spec;
  metrics::OutputMetrics& metrics;
  int start = 0;
  int number = 0;
  std::vector<std::int32_t> partitions;

  /// Whether these positions are the ends, or somebody asked to stop (SIGTERM, SIGINT): what was
  /// begun is finished then.
  bool finished(const std::map<std::int32_t, Offset>& next) const;
};

// One thread's work, to the end of its partitions.
Result<void> receive_and_process(const Worker& worker);
Result<void> process_then_commit(const Worker& worker);
Result<void> commit_then_process(const Worker& worker);

}  // namespace semel::bench
