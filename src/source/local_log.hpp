// A log on this machine: what a source that is no Kafka is to the engine.
#pragma once

#include <cstddef>
#include <string>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "base/kept_records.hpp"

namespace semel::source {

/// Records by number, in one partition, 0, of a topic of its own. Numbers are offsets: a record
/// keeps its number, and no number is used twice. Errors: fatal, Cause::state, where people must
/// mend it; data_loss where what was there is not there any more. Any thread.
class LocalLog {
 public:
  struct Bounds {
    Offset first = 0;  ///< the oldest record that is there, or `end`
    Offset end = 0;    ///< one past the newest
  };

  virtual ~LocalLog() = default;

  /// Begins with +, as no topic of Kafka's does, and sorts before ~batches.
  virtual const std::string& topic() const = 0;
  /// What can be read now; looks for what is new.
  virtual Result<Bounds> bounds() = 0;
  /// For people: why bounds().first is where it is; empty: nothing is missing below.
  virtual std::string why_first() { return {}; }
  /// Adds the records [from, until) to `into`; `max` of them at most, and at least one. All of them
  /// were in bounds() before.
  virtual Result<void> read(Offset from, Offset until, std::size_t max, KeptRecords& into) = 0;
  /// Nobody asks again for what is below `until`.
  virtual void passed(Offset until) = 0;
  /// Lets go of what is on disk, so that another may have it. The last call, when no other runs.
  virtual void close() {}
};

/// Of the one partition of a log.
inline TopicPartition partition_of(const LocalLog& log) {
  return {log.topic(), 0};
}

}  // namespace semel::source
