// What became of tasks, and which may start.
#include <fmt/format.h>
#include <algorithm>
#include <bit>

#include "core/stepper.hpp"

namespace semel::core {

QueuedRange* Stepper::head(const TaskId& id) {
  const auto found = s_.partitions.find(id.source);
  if (found == s_.partitions.end() || found->second.queue.empty()) return nullptr;
  auto& range = found->second.queue.front();
  return range.time == id.time ? &range : nullptr;
}

Task Stepper::task_of(const PartitionState& partition) const {
  const auto& range = partition.queue.front();
  return {.time = range.time,
          .range = range.planned.range,
          .kind = range.planned.kind,
          .epoch = s_.epoch,
          .careful = range.careful,
          .last_resort = range.last_resort,
          .recheck = partition.recheck,
          .last = partition.last,
          .moved = partition.moved,
          .reason = range.planned.reason};
}

bool may_start(const PartitionState& partition) {
  if (partition.queue.empty()) return false;
  const auto& range = partition.queue.front();
  if (range.stage == Stage::in_doubt) return true;
  if (range.stage != Stage::planned) return false;
  // What Kafka does not have at the moment would only keep an executor from others. And a plan may
  // be older than the log: nothing of it is read before it is known where the log ends.
  return range.planned.kind == TaskKind::lost ||
         (partition.subscribed && !rests(partition) && partition.latest.has_value());
}

void Stepper::start_ready() {
  for (auto& [source, partition] : s_.partitions) {
    if (!may_start(partition)) continue;
    auto& range = partition.queue.front();
    if (now_ < range.not_before_ms) continue;
    if (range.stage == Stage::in_doubt) {
      range.stage = Stage::settling;
      actions_.push_back(SettleDoubt{task_of(partition)});
    } else {
      range.stage = Stage::running;
      if (s_.busy_since_ms < 0) s_.busy_since_ms = now_;
      if (auto& batch = s_.batches[range.time]; batch.started_ms < 0) batch.started_ms = now_;
      actions_.push_back(StartTask{task_of(partition)});
      partition.recheck = false;
    }
  }
}

void Stepper::on(const TaskCommitted& event) {
  if (head(event.id) == nullptr) return;
  auto& partition = s_.partitions.at(event.id.source);
  if (event.records > 0) {
    const auto mean = static_cast<double>(event.bytes) / static_cast<double>(event.records);
    s_.mean_record_bytes =
        s_.mean_record_bytes > 0 ? 0.8 * s_.mean_record_bytes + 0.2 * mean : mean;
  }
  if (event.last) partition.last = event.last;
  const bool load = partition.queue.front().planned.kind == TaskKind::load;
  const auto offsets = settled(partition, event.counts);
  if (load) {
    s_.totals.records += event.records;
  } else {
    s_.totals.lost += offsets;
  }
}

void Stepper::on(const TaskRefused& event) {
  by_verdict(event.id, event.ledger);
}

void Stepper::on(const DoubtSettled& event) {
  by_verdict(event.id, event.ledger);
}

void Stepper::on(const DoubtUnsettled& event) {
  auto* range = head(event.id);
  if (range == nullptr) return;
  failed(*range, event.error, event.jitter);
  range->stage = Stage::in_doubt;
}

void Stepper::on(const TaskFailed& event) {
  auto* range = head(event.id);
  if (range == nullptr) return;
  range->stage = Stage::planned;
  switch (event.error.kind) {
    case ErrorKind::in_doubt:
      range->stage = Stage::in_doubt;
      range->not_before_ms = now_;
      return;
    case ErrorKind::bad_data:
      if (!range->careful) {
        range->careful = true;
        range->not_before_ms = now_;
        return;
      }
      return failed(*range, event.error, event.jitter);
    case ErrorKind::data_loss:
      if (!event.bounds) return finish(event.error);
      // Whoever was away for long finds that others have committed the range, and retention deleted
      // it: that is not data loss, that is being fenced.
      range->loss = Loss{event.error, *event.bounds};
      range->stage = Stage::in_doubt;
      range->not_before_ms = now_;
      return;
    case ErrorKind::unavailable:
    case ErrorKind::retriable:
    case ErrorKind::fatal:
      return failed(*range, event.error, event.jitter);
  }
}

void Stepper::failed(QueuedRange& range, const Error& error, double jitter) {
  // As where offsets are asked for: while brokers start, Kafka may deny for a moment what it had.
  const bool denied = error.kind == ErrorKind::fatal && error.cause == Cause::source;
  if (denied && range.denied_since_ms < 0) range.denied_since_ms = now_;
  if (denied) discover_soon();
  const bool believed = now_ - range.denied_since_ms >= s_.options.source_grace_ms;
  const bool outage = error.kind == ErrorKind::unavailable || (denied && !believed);

  ++range.failures;
  if (!outage) ++range.counted_failures;
  const auto decision = decide_retry(s_.options.retry, outage ? ErrorKind::unavailable : error.kind,
                                     outage ? range.failures : range.counted_failures, jitter);
  if (decision.give_up) {
    auto last = error;
    last.kind = ErrorKind::fatal;
    if (error.kind != ErrorKind::fatal) {
      last.message = fmt::format("{}; gave up after {} failures in a row (retry.max_failures)",
                                 error.message, range.counted_failures);
    }
    return finish(std::move(last));
  }
  if (error.cause == Cause::sink && last_chance(s_.options.retry, range.failures)) {
    range.careful = range.last_resort = true;
  }
  if (s_.phase == Phase::stopping) {
    return notice(true,
                  fmt::format("{}; what is not committed of it is read again at the next start",
                              error.message));
  }
  ++s_.totals.retries;
  range.not_before_ms = now_ + decision.delay_ms;
  range.waits_for = outage ? std::optional(error.cause) : std::nullopt;
  // Once for all partitions: an outage of an hour is not a thousand lines.
  if (outage) return tell_outage(s_.outages[error.cause], error.message);
  // The first, then ever more rarely.
  if (std::has_single_bit(static_cast<unsigned>(range.counted_failures))) {
    notice(true,
           fmt::format("{}; trying again (failure {})", error.message, range.counted_failures));
  }
}

/// An outage is over when no range waits for its end any more: one partition's may be longer.
void Stepper::tell_ends_of_outages(const OffsetRange& done) {
  for (auto& [server, outage] : s_.outages) {
    if (!outage.on()) continue;
    const bool waited_for = std::ranges::any_of(s_.partitions, [&](const auto& entry) {
      const auto& queue = entry.second.queue;
      return !queue.empty() && queue.front().waits_for == server;
    });
    if (waited_for) continue;
    notice(false, fmt::format("{}: committed again after an outage of {} s", to_string(done),
                              seconds_of(outage.end(now_))));
  }
}

void Stepper::by_verdict(const TaskId& id, const LedgerEntry& ledger) {
  auto* range = head(id);
  if (range == nullptr) return;
  auto& partition = s_.partitions.at(id.source);
  switch (judge(ledger, task_of(partition), s_.options.owner)) {
    case Verdict::committed:
      s_.totals.uncounted += settled(partition, {});
      return;
    case Verdict::not_committed: {
      // After a doubt this is an ordinary retry; after a refusal something else than the ledger
      // disagreed. Both are definite failures of this attempt.
      range->stage = Stage::planned;
      if (const auto loss = std::exchange(range->loss, std::nullopt)) {
        return lost(id.source, loss->error, loss->bounds);
      }
      return failed(*range,
                    {ErrorKind::retriable, Cause::sink,
                     to_string(range->planned.range) +
                         ": the commit did not happen, and the ledger says that "
                         "the range is still ours"},
                    0);
    }
    case Verdict::fenced:
      return fenced(ledger);
    case Verdict::went_back:
      range->stage = Stage::planned;
      return went_back(
          ledger.epoch == s_.epoch
              ? fmt::format("it stands at offset {} where {} was to be committed",
                            ledger.until.value_or(-1), to_string(range->planned.range))
              : fmt::format("its epoch is {} where ours is {}", ledger.epoch, s_.epoch));
    case Verdict::broken:
      // Where sessions may not be ended, a commit that was given up for lost may arrive after its
      // range was planned anew. A new epoch refuses whatever else is under way; one take-over is
      // enough for all partitions that find this.
      if (s_.phase == Phase::draining || !std::exchange(s_.reclaimed, true)) {
        range->stage = Stage::planned;
        return drain(fmt::format(
            "the ledger stands at offset {} where {} was to be committed, under our own epoch {}: "
            "a commit that was given up for lost has arrived",
            ledger.until.value_or(-1), to_string(range->planned.range), s_.epoch));
      }
      return finish(Error{
          ErrorKind::fatal, Cause::internal,
          fmt::format("the ledger stands at offset {} where {} was to be committed, under our "
                      "own epoch {}: this is a bug in semel or a hand in the ledger. Nothing of "
                      "the range was written; `semel verify` shows the chain",
                      ledger.until.value_or(-1), to_string(range->planned.range), s_.epoch)});
  }
}

std::uint64_t Stepper::settled(PartitionState& partition, const Committed& counts) {
  const auto range = std::move(partition.queue.front());
  partition.queue.pop_front();
  const auto& done = range.planned.range;
  if (range.planned.kind == TaskKind::lost) partition.last.reset();
  s_.reclaimed = false;
  partition.committed = done.until;
  partition.moved = range.time;
  partition.vouched = true;
  partition.settled_ms = now_;
  tell_ends_of_outages(done);

  const auto offsets = std::max<Offset>(done.until - done.from, 0);
  s_.totals.offsets += static_cast<std::uint64_t>(offsets);
  s_.totals.counts.rows += counts.rows;
  s_.totals.counts.dead_letters += counts.dead_letters;
  s_.totals.counts.unknown_fields += counts.unknown_fields;
  s_.totals.counts.ignored += counts.ignored;
  s_.totals.counts.suppressed += counts.suppressed;
  if (range.planned.kind == TaskKind::load) s_.records_since_sample += offsets;

  actions_.push_back(ShowProgress{done.source, done.until});
  close_range(range.time);
  if (!partition.subscribed) drop_queue(partition);
  return static_cast<std::uint64_t>(offsets);
}

void Stepper::close_range(BatchTime time) {
  const auto found = s_.batches.find(time);
  if (found == s_.batches.end() || --found->second.open > 0) return;
  sample_rate(found->second);
  s_.batches.erase(found);
  ++s_.totals.batches;
  actions_.push_back(ForgetBatch{time});
}

void Stepper::drop_queue(PartitionState& partition) {
  const auto dropped = std::exchange(partition.queue, {});
  partition.position = partition.committed;
  for (const auto& range : dropped) close_range(range.time);
}

void Stepper::sample_rate(const BatchState& batch) {
  // Batches overlap, so time is counted once: from when work began, or from the sample before.
  s_.rate.update({.now_ms = now_,
                  .records = s_.records_since_sample,
                  .processing_ms = s_.busy_since_ms < 0 ? 0 : now_ - s_.busy_since_ms,
                  .scheduling_delay_ms =
                      batch.started_ms < 0
                          ? 0
                          : std::max<std::int64_t>(batch.started_ms - batch.planned_ms, 0)});
  s_.records_since_sample = 0;
  s_.busy_since_ms = any_running() ? now_ : -1;
}

void Stepper::lost(const TopicPartition& source, const Error& error, const LogBounds& bounds) {
  auto& partition = s_.partitions.at(source);
  if (auto end = ends_with({source, partition.committed, partition.vouched}, error, bounds,
                           s_.options.skip_lost)) {
    return finish(*std::move(end));
  }
  if (bounds.gone) return gone(source, error.message);
  drop_queue(partition);
  const auto from = partition.committed;
  const auto until = bounds.earliest;
  notice(true, fmt::format("{}; skipping from offset {} to {} (on_data_loss = \"skip\")",
                           error.message, from, until));
  // The stop offsets of a run with --once were those of a log that is gone.
  if (partition.stop) partition.stop = std::max(until, std::min(*partition.stop, bounds.latest));
  partition.latest = bounds.latest;
  partition.earliest = bounds.earliest;
  partition.seen_end = bounds.latest;
  add_batch({next_batch_time(now_, s_.options.limits.interval_ms, s_.last_time),
             {{.range = {source, from, until}, .kind = TaskKind::lost, .reason = error.message}}});
}

}  // namespace semel::core
