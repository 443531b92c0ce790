// What Kafka has.
#include <fmt/format.h>
#include <algorithm>
#include <set>
#include <utility>

#include "core/stepper.hpp"

namespace semel::core {

namespace {

// How soon Kafka is asked again what there is, where an answer was not what was expected.
constexpr std::int64_t discover_again_ms = 1'000;
constexpr std::int64_t tell_again_ms = 30'000;

/// "clicks[0]", or "clicks[0] and 4 more partitions".
std::string and_more(const TopicPartition& first, std::size_t all) {
  return to_string(first) +
         (all > 1 ? fmt::format(" and {} more partition{}", all - 1, all > 2 ? "s" : "") : "");
}

}  // namespace

void Stepper::on(const OffsetsSeen& event) {
  s_.asking = false;
  s_.answered_ms = now_;
  s_.offsets_known = true;
  s_.source_failing_since_ms = -1;
  // Offsets alone do not take back that a topic is denied: those of the others are answered.
  if (event.partitions) {
    s_.source_denied_since_ms = -1;
    if (s_.silence_of_kafka.on()) {
      notice(false, fmt::format("Kafka answers again after an outage of {} s",
                                seconds_of(s_.silence_of_kafka.end(now_))));
    }
  }
  s_.source_failures = 0;
  if (s_.phase != Phase::running) return;
  if (event.partitions) discovered(event);
  if (s_.phase != Phase::running) return;
  see_silence(event);
  see_ends(event);
  if (s_.phase == Phase::running) set_stops();
}

void Stepper::on(const OffsetsFailed& event) {
  s_.asking = false;
  s_.answered_ms = now_;
  if (s_.source_failing_since_ms < 0) s_.source_failing_since_ms = now_;
  const bool waiting_helps = event.error.kind != ErrorKind::fatal;
  // Not reset by what waiting helps against: the end of an unknown partition cannot be asked for
  // either, and that comes between two denials.
  if (!waiting_helps && s_.source_denied_since_ms < 0) s_.source_denied_since_ms = now_;
  // Ranges under way find out by themselves what is gone, and then it is known to be lost.
  const bool under_way = std::ranges::any_of(
      in_kafka(s_.partitions), [](const auto& entry) { return !entry.second.queue.empty(); });
  const auto grace = s_.options.source_grace_ms * (under_way ? 2 : 1);
  // At the start nobody has seen it work: believe a fatal error at once. Later Kafka may deny what
  // it had for a moment (metadata after a restart), however long the outage before that was.
  const bool give_up =
      s_.offsets_known
          ? !waiting_helps && now_ - s_.source_denied_since_ms >= grace
          : !waiting_helps || now_ - s_.source_failing_since_ms >= s_.options.startup_timeout_ms;
  if (give_up) return finish(event.error);
  ++s_.source_failures;
  tell_outage(s_.silence_of_kafka, event.error.message);
  s_.next_ask_ms =
      now_ +
      decide_retry(s_.options.retry, ErrorKind::unavailable, s_.source_failures, 0.5).delay_ms;
  discover_soon();
}

void Stepper::on(const Entered& event) {
  if (s_.phase != Phase::running) return;
  s_.enter_failures = 0;
  s_.enter_failing_since_ms = -1;
  for (const auto& start : event.starts) {
    s_.entering.erase(start.tp);
    auto [found, added] = s_.partitions.try_emplace(start.tp);
    if (!added) continue;
    found->second.subscribed = found->second.seen = true;
    stand_at(found->second, start);
  }
  s_.next_ask_ms = now_;
}

void Stepper::on(const EnterFailed& event) {
  if (s_.phase != Phase::running) return;
  if (event.error.kind == ErrorKind::fatal) return finish(event.error);
  if (s_.enter_failing_since_ms < 0) s_.enter_failing_since_ms = now_;
  for (const auto& tp : event.tps) {
    if (const auto found = s_.entering.find(tp); found != s_.entering.end()) {
      found->second.asked = false;
    }
  }
  // Others go on without these; but a run of its own, or a pipeline that has nothing else, does not
  // wait for ever.
  const bool needed = in_kafka(s_.partitions).empty() || (s_.options.once && !s_.stops_known);
  if (needed && now_ - s_.enter_failing_since_ms >= s_.options.startup_timeout_ms) {
    return finish(event.error);
  }
  if (++s_.enter_failures == 1) {
    notice(true, fmt::format("{}; its topic is read when that is known, trying again",
                             event.error.message));
  }
  s_.next_enter_ms =
      now_ +
      decide_retry(s_.options.retry, ErrorKind::unavailable, s_.enter_failures, 0.5).delay_ms;
}

void Stepper::discovered(const OffsetsSeen& event) {
  const std::set<TopicPartition> seen(event.partitions->begin(), event.partitions->end());
  std::set<std::string> topics;
  for (const auto& tp : seen) topics.insert(tp.topic);
  for (auto& [tp, partition] : in_kafka(s_.partitions)) {
    if (seen.contains(tp)) {
      listed(tp, partition);
    } else if (const auto denial = event.denied.find(tp.topic); denial != event.denied.end()) {
      denied(tp, partition, denial->second);
      if (s_.phase != Phase::running) return;
    } else if (!event.unclear.contains(tp.topic)) {
      missing(tp, partition, topics.contains(tp.topic));
      if (s_.phase != Phase::running) return;
    }
  }
  std::erase_if(s_.entering, [&](const auto& entry) {
    return !entry.second.asked && !seen.contains(entry.first) &&
           !event.unclear.contains(entry.first.topic) && !event.denied.contains(entry.first.topic);
  });

  std::set<std::string> known_topics;
  for (const auto& [tp, partition] : s_.partitions) known_topics.insert(tp.topic);
  for (const auto& [tp, entering] : s_.entering) known_topics.insert(tp.topic);

  for (const auto& tp : seen) {
    if (s_.partitions.contains(tp) || s_.entering.contains(tp)) continue;
    s_.entering[tp].at_start =
        !s_.discovered && begins_at_start(known_topics, tp.topic, s_.options.pattern);
    s_.next_enter_ms = now_;
  }
  s_.discovered = true;
}

bool may_enter(const DriverState& state, const TopicPartition& tp) {
  const auto& wanted = state.entering.at(tp);
  if (wanted.asked || wanted.at_start) return !wanted.asked;
  // First the partitions with which a topic begins: if only others of it were in the ledger, the
  // next start would take those for later ones.
  auto of_topic = state.entering.lower_bound({tp.topic, 0});
  for (; of_topic != state.entering.end() && of_topic->first.topic == tp.topic; ++of_topic) {
    if (of_topic->second.at_start) return false;
  }
  return true;
}

void Stepper::enter_if_due() {
  // Behind others: a ledger that has nothing else would look as if the pipeline had begun.
  if (counts() && !in_kafka(s_.partitions).empty() &&
      !s_.partitions.contains(batches_partition())) {
    s_.entering.try_emplace(batches_partition());
  }
  if (now_ < s_.next_enter_ms) return;
  EnterPartitions enter;
  for (auto& [tp, entering] : s_.entering) {
    if (!may_enter(s_, tp)) continue;
    entering.asked = true;
    if (is_batches(tp)) {
      enter.batches = true;
    } else {
      (entering.at_start ? enter.at_start : enter.at_earliest).push_back(tp);
    }
  }
  if (enter.at_start.empty() && enter.at_earliest.empty() && !enter.batches) return;
  actions_.push_back(std::move(enter));
}

void Stepper::discover_soon() {
  s_.next_discovery_ms = std::min(s_.next_discovery_ms, now_ + discover_again_ms);
}

void Stepper::see_silence(const OffsetsSeen& event) {
  bool any = false;
  bool more = false;
  for (auto& [tp, partition] : s_.partitions) {
    const bool silent = event.unanswered.contains(tp);
    if (!silent && !event.latest.contains(tp)) continue;
    any = any || silent;
    more = more || (silent && !partition.silent);
    partition.silent = silent;
  }
  if (more) {
    s_.silence_untold = true;
    discover_soon();  // it may be gone
  }
  if (any) return tell_silence(event);
  if (std::exchange(s_.silence_told_ms, -1) >= 0) {
    notice(false, "Kafka says again where every partition ends");
  }
  s_.silence_untold = false;
}

void Stepper::tell_silence(const OffsetsSeen& event) {
  if (!s_.silence_untold) return;
  if (s_.silence_told_ms >= 0 && now_ - s_.silence_told_ms < tell_again_ms) return;
  s_.silence_untold = false;
  s_.silence_told_ms = now_;
  const auto& [tp, why] = *event.unanswered.begin();
  notice(true, fmt::format("{}: {}. Nothing is read of it until then; the other partitions go on",
                           and_more(tp, event.unanswered.size()), why));
}

void Stepper::see_ends(const OffsetsSeen& event) {
  for (const auto& [tp, offset] : event.earliest) {
    const auto found = s_.partitions.find(tp);
    if (found == s_.partitions.end()) continue;
    auto& partition = found->second;
    // A log's beginning only moves forward: one that moved back is another log.
    if (partition.earliest && offset < *partition.earliest) partition.recheck = true;
    partition.earliest = offset;
  }
  for (const auto& [tp, offset] : event.latest) {
    const auto found = s_.partitions.find(tp);
    if (found == s_.partitions.end()) continue;
    see_end(tp, found->second, offset);
    if (s_.phase != Phase::running) return;
  }
}

void Stepper::see_end(const TopicPartition& tp, PartitionState& partition, Offset end) {
  if (partition.latest && end < *partition.latest) partition.recheck = true;
  partition.latest = end;
  drop_beyond(partition, end);
  const bool busy = !partition.queue.empty() && !partition.queue.front().whole;
  if (end >= std::max(partition.position, partition.seen_end) ||
      (busy && end < partition.position)) {
    partition.seen_end = std::max(partition.seen_end, end);
    partition.below_since_ms = -1;
  } else if (partition.below_since_ms < 0) {
    partition.below_since_ms = now_;
    s_.next_discovery_ms = now_;  // earliest must be fresh when this is believed
  } else if (now_ - partition.below_since_ms >= below_position_ms) {
    partition.below_since_ms = -1;
    ends_lower(tp, partition, end);
  }
}

/// A plan ends where the log ends: what was planned beyond it, by us or by who was here before, is
/// planned anew.
void Stepper::drop_beyond(PartitionState& partition, Offset end) {
  const auto first = std::ranges::find_if(partition.queue, [end](const QueuedRange& range) {
    return range.stage == Stage::planned && range.planned.kind == TaskKind::load &&
           range.planned.range.until > end;
  });
  // What may not be planned anew waits: an end may lag for a moment.
  if (first == partition.queue.end() || first->whole) return;
  notice(true, fmt::format("{} was planned, but the log ends at offset {} now: it was cut off (an "
                           "unclean leader election) or created anew; planned anew",
                           to_string(first->planned.range), end));
  partition.recheck = true;
  drop_behind(partition, static_cast<std::size_t>(first - partition.queue.begin()));
}

/// The log has ended below what was seen of it, or committed from it, for some time.
void Stepper::ends_lower(const TopicPartition& tp, PartitionState& partition, Offset end) {
  const auto earliest = partition.earliest.value_or(0);
  if (end < partition.position) {
    if (s_.options.skip_batch && !partition.queue.empty() && !partition.queue.front().fixed) {
      // What is under way finds out by itself.
      if (partition.queue.front().stage != Stage::planned) return;
      if (end >= partition.committed) return cut_off(tp, partition, end);
    }
    const LogBounds bounds{earliest, end, true};
    return lost(tp, ends_below(tp, partition.position, bounds), bounds);
  }
  const auto what = fmt::format(
      "{}: the records from offset {} to {} are gone before they were read: the log was cut off "
      "(an "
      "unclean leader election) or created anew",
      to_string(tp), end, partition.seen_end);
  if (!s_.options.skip_lost) {
    return finish(Error{ErrorKind::data_loss, Cause::data_loss,
                        what + ". Start again to go on with what is there"});
  }
  notice(true, fmt::format("{}; going on with what is there ({})", what, skipping()));
  partition.seen_end = end;
  if (partition.stop) partition.stop = std::min(*partition.stop, end);
}

std::optional<Offset> Stepper::stop_of(const TopicPartition& tp,
                                       const PartitionState& partition) const {
  const bool answered = partition.latest && *partition.latest >= partition.position;
  if (!s_.options.ends) return answered ? partition.latest : std::nullopt;
  const auto end = s_.options.ends->find(tp);
  if (end == s_.options.ends->end() || end->second <= partition.position) {
    return partition.position;
  }
  return answered ? std::optional(end->second) : std::nullopt;
}

void Stepper::set_stops() {
  if (!s_.options.once || !s_.discovered) return;
  if (!s_.entering.empty()) {
    s_.stops_wanted_since_ms = -1;  // what enters only now has not been waited for yet
    return;
  }
  if (s_.stops_known) {
    // What appeared after the start is left for the next run.
    for (auto& [tp, partition] : in_kafka(s_.partitions)) {
      if (!partition.stop) partition.stop = partition.position;
    }
    return;
  }
  // A log that ends below what was committed is not "nothing to do": see_ends finds out what it is.
  const auto partitions = in_kafka(s_.partitions);
  const auto unknown = std::ranges::find_if(partitions, [this](const auto& entry) {
    return entry.second.subscribed && !stop_of(entry.first, entry.second);
  });
  if (unknown != partitions.end()) {
    if (s_.stops_wanted_since_ms < 0) s_.stops_wanted_since_ms = now_;
    if (now_ - s_.stops_wanted_since_ms < s_.options.startup_timeout_ms) return;
    return finish(Error{ErrorKind::unavailable, Cause::source,
                        fmt::format("{}: Kafka did not say where it ends within timeouts.startup: "
                                    "it has no leader, or its leader does not answer",
                                    to_string(unknown->first))});
  }
  for (auto& [tp, partition] : partitions) {
    if (partition.subscribed) partition.stop = stop_of(tp, partition);
  }
  s_.stops_known = true;
}

void Stepper::ask_if_due() {
  if (s_.asking || now_ < s_.next_ask_ms) return;
  AskOffsets ask{.discover = now_ >= s_.next_discovery_ms, .tps = {}};
  for (const auto& [tp, partition] : in_kafka(s_.partitions)) {
    const bool there = partition.gone_since_ms < 0 && partition.denied_since_ms < 0;
    if (partition.subscribed && there) ask.tps.push_back(tp);
    // A topic that is listed by name and was never seen is a mistake in the configuration; of a
    // pattern it is enough to know once that a topic is gone.
    if (ask.discover && (s_.options.pattern ? !partition.gone_told : partition.seen)) {
      ask.topics.insert(tp.topic);
    }
  }
  if (!ask.discover && ask.tps.empty()) {
    s_.next_ask_ms = s_.next_discovery_ms;  // there is nothing to ask
    return;
  }
  if (ask.discover) s_.next_discovery_ms = now_ + s_.options.discovery_interval_ms;
  s_.asking = true;
  const auto interval = std::max<std::int64_t>(s_.options.limits.interval_ms, 1);
  s_.next_ask_ms = now_ - now_ % interval + interval;
  actions_.push_back(std::move(ask));
}

}  // namespace semel::core
