// What holds of the driver's state after every step.
#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <set>

#include "core/driver.hpp"

namespace semel::core {

namespace {

using Found = std::optional<std::string>;

/// P1, P6: the queue's ranges join up from `committed` to `position`, and only its head is under
/// way.
Found verify_chain(const TopicPartition& tp, const PartitionState& partition) {
  auto at = partition.committed;
  BatchTime time;
  for (const auto& range : partition.queue) {
    const auto& planned = range.planned.range;
    if (planned.tp != tp) return fmt::format("{} is queued elsewhere", to_string(planned));
    if (planned.from != at) {
      return fmt::format("P1: {} is planned where {} is due", to_string(planned), at);
    }
    if (range.planned.kind == TaskKind::load && planned.until <= planned.from) {
      return fmt::format("P1: {} is no range", to_string(planned));
    }
    if (range.time <= time) {
      return fmt::format("{} is of batch {}, after one of batch {}", to_string(planned),
                         range.time.ms, time.ms);
    }
    if (range.stage != Stage::planned && &range != &partition.queue.front()) {
      return fmt::format("P6: {} is under way before the one ahead of it is done",
                         to_string(planned));
    }
    at = planned.until;
    time = range.time;
  }
  if (at != partition.position) {
    return fmt::format("P1: {} is planned up to {}, its position is {}", to_string(tp), at,
                       partition.position);
  }
  return std::nullopt;
}

/// A batch counts the ranges that are not done, and lives as long as there are any.
Found verify_batches(const DriverState& state) {
  std::map<BatchTime, std::size_t> open;
  for (const auto& [tp, partition] : state.partitions) {
    for (const auto& range : partition.queue) ++open[range.time];
  }
  if (open.size() != state.batches.size()) return "ranges are queued of a batch that is over";
  for (const auto& [time, batch] : state.batches) {
    if (batch.open != open[time]) {
      return fmt::format("batch {} counts {} ranges where {} are open", time.ms, batch.open,
                         open[time]);
    }
    if (time > state.last_time) return fmt::format("batch {} is after the last one", time.ms);
  }
  return std::nullopt;
}

/// What is under way is in one group, with all that shares its transaction.
Found verify_groups(const DriverState& state) {
  std::set<TopicPartition> grouped;
  for (const auto& [id, tps] : state.groups) {
    if (tps.empty() || tps.front() != id.tp || !std::ranges::is_sorted(tps)) {
      return fmt::format("the group of {} has another first partition", to_string(id.tp));
    }
    if (state.options.commit == CommitUnit::range && tps.size() > 1) {
      return fmt::format("{} shares its transaction", to_string(id.tp));
    }
    const auto stage = state.partitions.at(id.tp).queue.front().stage;
    for (const auto& tp : tps) {
      const auto& queue = state.partitions.at(tp).queue;
      if (queue.empty() || queue.front().time != id.time || queue.front().stage != stage ||
          stage == Stage::planned) {
        return fmt::format("{} is in a group that it has left", to_string(tp));
      }
      if (!grouped.insert(tp).second) {
        return fmt::format("{} is in two groups", to_string(tp));
      }
    }
  }
  for (const auto& [tp, partition] : state.partitions) {
    const bool under_way =
        !partition.queue.empty() && partition.queue.front().stage != Stage::planned;
    if (under_way && !grouped.contains(tp)) {
      return fmt::format("{} is under way in no group", to_string(tp));
    }
  }
  return std::nullopt;
}

/// Each batch moves ~batches, but those that only record a loss; and Kafka is never asked about it.
Found verify_clock(const DriverState& state) {
  const auto found = state.partitions.find(batches_partition());
  const bool there = found != state.partitions.end();
  if (state.options.clock == BatchClock::none) {
    return there ? Found("~batches is there, and nothing is to be counted") : std::nullopt;
  }
  if (state.options.commit != CommitUnit::batch) return "~batches counts what is not one fact";
  std::set<BatchTime> moved;
  if (there) {
    const auto& clock = found->second;
    if (clock.latest || clock.earliest || clock.stop || clock.last || clock.recheck) {
      return "~batches is taken for a partition of Kafka";
    }
    for (const auto& range : clock.queue) {
      // One that other outputs have already may be several in one.
      const auto positions = range.planned.range.until - range.planned.range.from;
      if (range.fixed ? positions <= 0 : positions != positions_per_batch) {
        return fmt::format("{} is no batch's", to_string(range.planned.range));
      }
      moved.insert(range.time);
    }
  }
  for (const auto& [tp, partition] : in_kafka(state.partitions)) {
    for (const auto& range : partition.queue) {
      if (range.planned.kind == TaskKind::load && !moved.contains(range.time)) {
        return fmt::format("batch {} does not move ~batches", range.time.ms);
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> verify(const DriverState& state) {
  // What is left when it is over is nobody's any more.
  if (state.phase == Phase::finished) return std::nullopt;
  for (const auto& [tp, partition] : state.partitions) {
    if (auto found = verify_chain(tp, partition)) return found;
  }
  if (auto found = verify_batches(state)) return found;
  if (auto found = verify_clock(state)) return found;
  return verify_groups(state);
}

}  // namespace semel::core
