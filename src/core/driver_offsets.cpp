// What Kafka has, and what is planned from it.
#include <fmt/format.h>
#include <algorithm>
#include <set>

#include "core/stepper.hpp"

namespace semel::core {

namespace {

// A new leader may answer with an end that lags for a moment; a log that stays below our position
// for this long has been recreated or truncated.
constexpr std::int64_t below_position_ms = 3'000;

}  // namespace

void Stepper::on(const OffsetsSeen& event) {
  s_.asking = false;
  s_.offsets_known = true;
  s_.source_failing_since_ms = s_.source_denied_since_ms = -1;
  s_.source_failures = 0;
  if (s_.phase != Phase::running) return;
  if (event.partitions) discovered(*event.partitions);
  see_ends(event);
  set_stops();
}

void Stepper::on(const OffsetsFailed& event) {
  s_.asking = false;
  if (s_.source_failing_since_ms < 0) s_.source_failing_since_ms = now_;
  const bool waiting_helps = event.error.kind != ErrorKind::fatal;
  // Not reset by what waiting helps against: the end of an unknown partition cannot be asked for
  // either, and that comes between two denials.
  if (!waiting_helps && s_.source_denied_since_ms < 0) s_.source_denied_since_ms = now_;
  // At the start nobody has seen it work: believe a fatal error at once. Later Kafka may deny what
  // it had for a moment (metadata after a restart), however long the outage before that was.
  const bool give_up =
      s_.offsets_known
          ? !waiting_helps && now_ - s_.source_denied_since_ms >= s_.options.source_grace_ms
          : !waiting_helps || now_ - s_.source_failing_since_ms >= s_.options.startup_timeout_ms;
  if (give_up) return finish(event.error);
  ++s_.source_failures;
  if (s_.source_failures == 1) {
    notice(true, fmt::format("{}; trying again", event.error.message));
  }
  s_.next_ask_ms =
      now_ +
      decide_retry(s_.options.retry, ErrorKind::unavailable, s_.source_failures, 0.5).delay_ms;
}

void Stepper::on(const Entered& event) {
  if (s_.phase != Phase::running) return;
  for (const auto& start : event.starts) {
    s_.entering.erase(start.source);
    auto [found, added] = s_.partitions.try_emplace(start.source);
    if (!added) continue;
    found->second.subscribed = true;
    stand_at(found->second, start);
  }
  s_.next_ask_ms = now_;
}

void Stepper::discovered(const std::vector<TopicPartition>& partitions) {
  const std::set<TopicPartition> seen(partitions.begin(), partitions.end());
  for (auto& [source, partition] : s_.partitions) {
    if (seen.contains(source)) {
      partition.subscribed = true;
    } else {
      unsubscribe(source, partition);
    }
  }

  std::set<std::string> known_topics;
  for (const auto& [source, partition] : s_.partitions) known_topics.insert(source.topic);
  for (const auto& source : s_.entering) known_topics.insert(source.topic);

  // `start` is for topics that are new to the whole pipeline. What appears later begins at its
  // earliest record: nothing written to it may be skipped.
  const bool first = !s_.discovered && !(s_.options.pattern && !s_.partitions.empty());
  EnterPartitions enter;
  for (const auto& source : seen) {
    if (s_.partitions.contains(source) || s_.entering.contains(source)) continue;
    auto& where =
        first && !known_topics.contains(source.topic) ? enter.at_start : enter.at_earliest;
    where.push_back(source);
  }
  s_.discovered = true;
  if (enter.at_start.empty() && enter.at_earliest.empty()) return;
  s_.entering.insert(enter.at_start.begin(), enter.at_start.end());
  s_.entering.insert(enter.at_earliest.begin(), enter.at_earliest.end());
  actions_.push_back(std::move(enter));
}

void Stepper::unsubscribe(const TopicPartition& source, PartitionState& partition) {
  if (partition.subscribed) {
    notice(true, fmt::format("{} is gone from Kafka; its progress stays in the ledger at offset {}",
                             to_string(source), partition.committed));
  }
  partition.subscribed = false;
  const bool busy = !partition.queue.empty() && partition.queue.front().stage != Stage::planned;
  if (!busy) drop_queue(partition);
}

void Stepper::see_ends(const OffsetsSeen& event) {
  for (const auto& [source, offset] : event.earliest) {
    const auto found = s_.partitions.find(source);
    if (found == s_.partitions.end()) continue;
    auto& partition = found->second;
    // A log's beginning only moves forward: one that moved back is another log.
    if (partition.earliest && offset < *partition.earliest) partition.recheck = true;
    partition.earliest = offset;
  }
  for (const auto& [source, offset] : event.latest) {
    const auto found = s_.partitions.find(source);
    if (found == s_.partitions.end()) continue;
    auto& partition = found->second;
    if (partition.latest && offset < *partition.latest) partition.recheck = true;
    partition.latest = offset;
    if (offset >= partition.position || !partition.queue.empty()) {
      partition.below_since_ms = -1;
    } else if (partition.below_since_ms < 0) {
      partition.below_since_ms = now_;
      s_.next_discovery_ms = now_;  // earliest must be fresh when this is believed
    } else if (now_ - partition.below_since_ms >= below_position_ms) {
      partition.below_since_ms = -1;
      lost(source,
           {ErrorKind::data_loss, Cause::data_loss,
            fmt::format("{}: offset {} was committed, but the log ends at {} and begins at {}: the "
                        "topic was created anew or truncated",
                        to_string(source), partition.position, offset,
                        partition.earliest.value_or(0))},
           {partition.earliest.value_or(0), offset, true});
      if (s_.phase != Phase::running) return;
    }
  }
}

void Stepper::set_stops() {
  if (!s_.options.once || !s_.entering.empty() || !s_.discovered) return;
  if (s_.stops_known) {
    // What appeared after the start is left for the next run.
    for (auto& [source, partition] : s_.partitions) {
      if (!partition.stop) partition.stop = partition.position;
    }
    return;
  }
  // A log that ends below what was committed is not "nothing to do": see_ends finds out what it is.
  const bool all_known = std::ranges::all_of(s_.partitions, [](const auto& entry) {
    const auto& partition = entry.second;
    return !partition.subscribed || (partition.latest && *partition.latest >= partition.position);
  });
  if (!all_known) return;
  for (auto& [source, partition] : s_.partitions) {
    if (partition.subscribed) partition.stop = *partition.latest;
  }
  s_.stops_known = true;
}

void Stepper::ask_if_due() {
  if (s_.asking || now_ < s_.next_ask_ms) return;
  AskOffsets ask{.discover = now_ >= s_.next_discovery_ms, .sources = {}};
  for (const auto& [source, partition] : s_.partitions) {
    if (partition.subscribed) ask.sources.push_back(source);
  }
  if (ask.discover) s_.next_discovery_ms = now_ + s_.options.discovery_interval_ms;
  s_.asking = true;
  const auto interval = std::max<std::int64_t>(s_.options.limits.interval_ms, 1);
  s_.next_ask_ms = now_ - now_ % interval + interval;
  actions_.push_back(std::move(ask));
}

std::size_t Stepper::depth() const {
  // One range runs while the next is already durable. A measured rate wants what it planned to be
  // over before it plans again.
  const auto& limits = s_.options.limits;
  const bool first_is_bounded = limits.initial_rate > 0 && s_.totals.batches == 0;
  return limits.backpressure || first_is_bounded ? 1 : 2;
}

void Stepper::plan() {
  if (s_.options.once && !s_.stops_known) return;
  const auto& limits = s_.options.limits;
  while (s_.phase == Phase::running) {
    std::vector<Plannable> free;
    for (const auto& [source, partition] : s_.partitions) {
      if (!partition.subscribed || !partition.latest || partition.queue.size() >= depth()) continue;
      const auto end =
          partition.stop ? std::min(*partition.stop, *partition.latest) : *partition.latest;
      if (end > partition.position) free.push_back({source, partition.position, end});
    }
    if (free.empty()) return;

    Budget budget{.rate = std::nullopt, .mean_record_bytes = s_.mean_record_bytes};
    if (limits.backpressure) budget.rate = s_.rate.rate();
    if (!budget.rate && limits.initial_rate > 0 && s_.totals.batches == 0) {
      budget.rate = static_cast<double>(limits.initial_rate);
    }
    Batch batch{next_batch_time(now_, limits.interval_ms, s_.last_time), {}};
    for (auto& range : plan_ranges(free, limits, budget)) {
      batch.ranges.push_back({.range = std::move(range), .kind = TaskKind::load, .reason = {}});
    }
    add_batch(std::move(batch));
    start_ready();
  }
}

void Stepper::add_batch(Batch batch) {
  s_.last_time = batch.time;
  s_.batches[batch.time] = {.open = batch.ranges.size(), .planned_ms = now_};
  for (const auto& planned : batch.ranges) {
    auto& partition = s_.partitions.at(planned.range.source);
    partition.position = planned.range.until;
    partition.queue.push_back({.time = batch.time, .planned = planned});
  }
  actions_.push_back(PersistPlan{std::move(batch)});
}

}  // namespace semel::core
