// What the engine is configured with. Filled by settings in src/app; values only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/batch_clock.hpp"
#include "core/grouping.hpp"
#include "core/limits.hpp"
#include "core/retry.hpp"
#include "kafka/options.hpp"
#include "source/interface.hpp"

namespace semel::engine {

/// What is done where records are gone before they were read.
enum class OnDataLoss : std::uint8_t {
  stop,
  skip,        ///< what is gone is recorded
  skip_batch,  ///< and with it what is left of the batch that it was planned in
};

/// Of memory_limit, for all but the executors: program, plan log, connections. 26 MiB measured for
/// an idle pipeline, and room for many partitions.
inline constexpr std::int64_t memory_of_the_rest = 48ll << 20;
/// What each output after the first needs of that again: its plan log, and its clients of Kafka.
inline constexpr std::int64_t memory_of_another_output = 16ll << 20;
/// An executor with less than this fetches beyond it.
inline constexpr std::int64_t memory_per_executor_min = 4ll << 20;

struct PipelineOptions {
  const Log& log() const { return kafka.log; }

  /// Makes another source of Kafka's; empty: that one.
  std::function<std::shared_ptr<source::Source>(std::shared_ptr<source::Source> kafka)>
      around_kafka;
  std::shared_ptr<source::Source> source;  ///< of the output; made of these by the pipeline

  std::string name;  ///< of the pipeline; also the consumer group shown to Kafka
  kafka::Options kafka;
  core::Limits limits;
  core::RetryPolicy retry;
  OnDataLoss on_data_loss = OnDataLoss::stop;
  Delivery delivery = Delivery::exactly_once;
  core::CommitUnit commit = core::CommitUnit::range;
  /// More than none only with CommitUnit::batch, and a sink that is transactional.
  core::BatchClock clock = core::BatchClock::none;
  int executors = 4;  ///< threads that fetch, encode and commit, of each output
  std::int64_t memory_limit_bytes = 512ll << 20;  ///< of the process, whatever its outputs
  std::string
      state_dir;  ///< the folder of all pipelines' folders; empty: under the user's state directory
  bool once = false;                         ///< stop at the end offsets seen at the start
  /// With `once`: stop at these; nothing is read of a partition that is not among them.
  std::optional<std::map<TopicPartition, Offset>> ends;
  std::int64_t startup_timeout_ms = 30'000;  ///< how long servers may be unreachable at the start
  std::int64_t heartbeat_ms = 3'000;         ///< how often the owner's row is touched
  std::int64_t no_progress_timeout_ms =
      60'000;  ///< a range that yields nothing for so long is an error
};

/// The output of a pipeline that has one, and the first of one that has several.
inline constexpr auto default_output = "default";

/// What is left of memory_limit for each executor of each output.
inline std::int64_t memory_per_executor(const PipelineOptions& options, std::int64_t outputs) {
  const auto rest = memory_of_the_rest + (outputs - 1) * memory_of_another_output;
  return (options.memory_limit_bytes - rest) / (outputs * std::max(options.executors, 1));
}

/// A start below what the log still holds is a loss: it is recorded, or refused.
inline kafka::BelowEarliest below_earliest(const PipelineOptions& options) {
  return options.on_data_loss == OnDataLoss::stop ? kafka::BelowEarliest::refused
                                                  : kafka::BelowEarliest::accepted;
}

}  // namespace semel::engine
