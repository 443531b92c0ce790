// A consumer that keeps its position in Kafka, under a group's name. The pipeline has no use for
// one: it is here for the bench's baselines, which are what people write without semel.
//
// The group is not joined: partitions are assigned by hand, so that a killed member does not keep
// them for its session time-out. That favours the baselines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

#include "kafka/options.hpp"

namespace semel::kafka {

struct GroupRecord {
  std::int32_t partition = 0;
  Record record;
};

/// One thread uses it.
class GroupConsumer {
 public:
  /// Goes on where the group has committed; at the beginning where it has not.
  static Result<std::unique_ptr<GroupConsumer>> connect(const Options& options,
                                                        const std::string& group,
                                                        const std::string& topic,
                                                        std::span<const std::int32_t> partitions);
  ~GroupConsumer();
  GroupConsumer(const GroupConsumer&) = delete;
  GroupConsumer& operator=(const GroupConsumer&) = delete;

  /// One past the last record polled (or committed before), by partition.
  const std::map<std::int32_t, Offset>& next() const;

  /// Up to `count` records, waiting up to `wait_ms` for the first. Valid until the next call.
  Result<std::span<const GroupRecord>> poll(std::size_t count, int wait_ms);

  /// Commits these positions to Kafka and waits for the answer.
  Result<void> commit(const std::map<std::int32_t, Offset>& next);

 private:
  struct Impl;
  explicit GroupConsumer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::kafka
