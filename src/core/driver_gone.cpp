// What Kafka does not list any more: denied for a while, or gone.
#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "base/beside_kafka.hpp"
#include "core/stepper.hpp"

namespace semel::core {

namespace {

/// How far the records go that were there.
Offset known_end(const PartitionState& partition) {
  return std::max({partition.position, partition.seen_end, partition.stop.value_or(0)});
}

}  // namespace

bool rests(const PartitionState& partition) {
  return partition.silent || partition.gone_since_ms >= 0 || partition.denied_since_ms >= 0;
}

void Stepper::listed(const TopicPartition& tp, PartitionState& partition) {
  const bool away = partition.gone_told || partition.denied_since_ms >= 0;
  // Meanwhile it may have become another log.
  if (away || partition.gone_since_ms >= 0) partition.recheck = true;
  if (away) {
    notice(false, fmt::format("{} is there again; going on at offset {}", to_string(tp),
                              partition.committed));
  }
  partition.subscribed = partition.seen = true;
  partition.gone_told = false;
  partition.gone_since_ms = partition.denied_since_ms = -1;
  if (!partition.queue.empty()) partition.queue.front().denied_since_ms = -1;
}

/// A topic that may not be seen may be there, as it was: it is waited for.
void Stepper::denied(const TopicPartition& tp, PartitionState& partition, const std::string& why) {
  partition.gone_since_ms = -1;
  if (!partition.subscribed) {
    if (std::exchange(partition.gone_told, true)) return;
    return notice(true, fmt::format("{}: {}; its progress stays in the ledger at offset {}",
                                    to_string(tp), why, partition.committed));
  }
  if (partition.denied_since_ms < 0) {
    partition.denied_since_ms = now_;
    notice(true, fmt::format("{}: {}. It is read on from offset {} when that is allowed again; the "
                             "others go on",
                             to_string(tp), why, partition.committed));
  }
  if (now_ - partition.denied_since_ms < s_.options.source_grace_ms) return discover_soon();
  const bool wanted = !partition.stop || partition.committed < *partition.stop;
  if (s_.options.once && wanted) {
    finish(Error{ErrorKind::fatal, Cause::source, fmt::format("{}: {}", to_string(tp), why)});
  }
}

/// Kafka does not list a partition that the ledger knows, and would say if it were denied.
void Stepper::missing(const TopicPartition& tp, PartitionState& partition, bool has_topic) {
  const auto end = known_end(partition);
  const bool unread = end > partition.committed;
  const bool busy = !partition.queue.empty() && partition.queue.front().stage != Stage::planned;
  const bool needed = !s_.options.pattern && !has_topic;
  partition.denied_since_ms = -1;
  if (partition.subscribed && (unread || needed)) {
    // Metadata may lag, and forget for a moment what is there.
    if (partition.gone_since_ms < 0) partition.gone_since_ms = now_;
    if (now_ - partition.gone_since_ms < s_.options.source_grace_ms || busy) {
      return discover_soon();
    }
    const auto what =
        has_topic ? fmt::format("{} is no longer a partition of its topic, which was created anew",
                                to_string(tp))
        : is_beside_kafka(tp) ? fmt::format("{} is no source of this program any more", tp.topic)
                              : fmt::format("topic {} no longer exists in Kafka", tp.topic);
    const auto lost_of_it =
        unread ? fmt::format(", and the records of {} from offset {} to {} were not read",
                             to_string(tp), partition.committed, end)
               : fmt::format("; what was seen of {} is stored", to_string(tp));
    return lost(tp, {ErrorKind::data_loss, Cause::data_loss, what + lost_of_it}, {.gone = true});
  }
  if (!std::exchange(partition.gone_told, true)) {
    const bool unknown = !partition.latest;
    notice(true,
           fmt::format("{} is {}; its progress stays in the ledger at offset {}{}", to_string(tp),
                       has_topic ? "no longer a partition of its topic, which was created anew"
                       : is_beside_kafka(tp) ? "no source of this program any more"
                                             : "gone from Kafka",
                       partition.committed,
                       unknown ? ", and whether there were records behind it is not known" : ""));
  }
  partition.subscribed = false;
  if (!busy) drop_queue(partition);
}

/// There is nothing to skip to while there is no log. Position and mark stay: when the partition is
/// listed again, the mark tells whether it is the log that was read.
void Stepper::gone(const TopicPartition& tp, const std::string& why) {
  auto& partition = s_.partitions.at(tp);
  if (!drop_queue(partition)) return;
  partition.subscribed = partition.silent = false;
  partition.gone_told = true;
  partition.gone_since_ms = partition.denied_since_ms = partition.below_since_ms = -1;
  partition.latest.reset();
  partition.earliest.reset();
  partition.stop.reset();
  partition.seen_end = 0;
  notice(true,
         fmt::format("{}; its progress stays in the ledger at offset {}, and the others go on "
                     "({})",
                     why, partition.committed, skipping()));
  discover_soon();
}

}  // namespace semel::core
