// Writes the demo's events into a topic of any broker.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <semel/error.hpp>

#include "events.hpp"

namespace semel::demo {

/// Makes the topic with `partitions` partitions, where it does not exist yet, and returns when it
/// has leaders. Errors name the broker's reason.
Result<void> ensure_topic(const std::string& brokers, const std::string& topic, int partitions);

/// Produces events [0, count), event i to partition i % partitions, lz4-compressed and in order.
/// Returns when the broker has acknowledged every one of them.
Result<Totals> produce_events(const std::string& brokers, const std::string& topic, int partitions,
                              std::int64_t count);

/// The same with what `append(id, value)` makes of each id.
Result<void> produce_records(const std::string& brokers, const std::string& topic, int partitions,
                             std::int64_t count,
                             const std::function<void(std::int64_t, std::string&)>& append);

}  // namespace semel::demo
