// Where each partition stands, as the driver saw it last.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <semel/types.hpp>

#include "metrics/page.hpp"

namespace semel::metrics {

struct PartitionFigures {
  TopicPartition tp;
  std::int64_t lag = 0;                    ///< offsets
  std::optional<std::int64_t> written_ms;  ///< Kafka's timestamp of the last committed record
  std::int64_t since_ms = 0;               ///< when it was entered, or committed to last

  /// How old what the sink has is, in milliseconds; 0 where nothing is left to read.
  std::int64_t age_ms(std::int64_t now_ms) const;
};

/// Thread safe: a reader never waits for long, nor does who publishes.
class Partitions {
 public:
  /// In (topic, partition) order.
  void publish(std::vector<PartitionFigures> figures);
  std::shared_ptr<const std::vector<PartitionFigures>> latest() const;
  /// Series of the first `series_max`; the others are in the sums only.
  void collect(Page& page, const Labels& labels, std::size_t series_max, std::int64_t now_ms) const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const std::vector<PartitionFigures>> latest_ =
      std::make_shared<const std::vector<PartitionFigures>>();
};

}  // namespace semel::metrics
