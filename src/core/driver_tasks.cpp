// What became of tasks, and which may start.
#include <fmt/format.h>
#include <algorithm>
#include <bit>

#include "core/stepper.hpp"

namespace semel::core {

Task Stepper::task_of(const PartitionState& partition) const {
  const auto& range = partition.queue.front();
  return {.time = range.time,
          .range = range.planned.range,
          .kind = range.planned.kind,
          .epoch = s_.epoch,
          .isolate = range.isolate,
          .last_resort = range.last_resort,
          .recheck = partition.recheck,
          .last = partition.last,
          .moved_by = partition.moved_by,
          .reason = range.planned.reason};
}

void Stepper::on(const TaskCommitted& event) {
  const auto group = end_group(event.id);
  for (std::size_t i = 0; i < group.size(); ++i) {
    const auto& done = event.done[i];
    auto& partition = *group[i].partition;
    if (done.records > 0) {
      const auto mean = static_cast<double>(done.bytes) / static_cast<double>(done.records);
      s_.mean_record_bytes =
          s_.mean_record_bytes > 0 ? 0.8 * s_.mean_record_bytes + 0.2 * mean : mean;
    }
    const auto& planned = partition.queue.front().planned;
    if (done.last && !is_batches(planned.range.tp)) partition.last = done.last;
    const bool load = planned.kind == TaskKind::load;
    const auto offsets = range_done(partition);
    if (!load) s_.totals.lost += offsets;
  }
}

void Stepper::on(const TaskRefused& event) {
  const auto group = end_group(event.id);
  if (group.empty()) return;
  // One was refused, and nothing is known of the others but that they were not committed with it.
  for (const auto& member : group) released(*member.range);
  by_verdict(group[event.task], event.ledger);
}

void Stepper::on(const DoubtResolved& event) {
  const auto group = end_group(event.id);
  if (group.empty()) return;
  std::vector<Verdict> verdicts;
  for (std::size_t i = 0; i < group.size(); ++i) {
    released(*group[i].range);
    verdicts.push_back(judge(event.ledger[i], task_of(*group[i].partition), s_.options.owner));
  }
  const auto all = [&](Verdict verdict) {
    return std::ranges::all_of(verdicts, [&](auto other) { return other == verdict; });
  };
  if (all(Verdict::not_committed)) {
    for (const auto& [partition, range] : group) range->given_up = true;
    return not_committed(group);
  }
  if (!all(Verdict::committed)) return disagree(group, event.ledger, verdicts);
  for (const auto& [partition, range] : group) s_.totals.uncounted += range_done(*partition);
}

void Stepper::disagree(std::span<const Member> group, const std::vector<LedgerEntry>& entries,
                       const std::vector<Verdict>& verdicts) {
  for (const auto verdict : {Verdict::fenced, Verdict::went_back, Verdict::broken}) {
    const auto found = std::ranges::find(verdicts, verdict);
    if (found == verdicts.end()) continue;
    const auto at = static_cast<std::size_t>(found - verdicts.begin());
    return by_verdict(group[at], entries[at]);
  }
  // Some are committed, and some are not: one transaction cannot have done that. An earlier one,
  // given up for lost while its session could not be ended, may have arrived after all.
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (verdicts[i] == Verdict::committed && !group[i].range->given_up) {
      return broken(*group[i].range, entries[i]);
    }
  }
  std::vector<Member> others;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (verdicts[i] == Verdict::committed) {
      s_.totals.uncounted += range_done(*group[i].partition);
    } else {
      group[i].range->given_up = true;
      others.push_back(group[i]);
    }
  }
  not_committed(others);
}

void Stepper::on(const DoubtUnresolved& event) {
  const auto found = s_.groups.find(event.id);
  if (found == s_.groups.end()) return;
  const auto tps = found->second;
  failed(end_group(event.id), event.error, event.jitter);
  form_group(tps, Stage::in_doubt);
}

void Stepper::on(const TaskFailed& event) {
  const auto found = s_.groups.find(event.id);
  if (found == s_.groups.end()) return;
  const auto tps = found->second;
  const auto group = end_group(event.id);
  for (const auto& member : group) released(*member.range);
  if (event.task) return source_failed(group, event);
  switch (event.error.kind) {
    case ErrorKind::in_doubt:
      group.front().range->doubt = event.error;
      return form_group(tps, Stage::in_doubt);
    case ErrorKind::bad_data:
      return bad_data(group, event);
    case ErrorKind::data_loss:
      return finish(event.error);
    case ErrorKind::unavailable:
      return failed(group, event.error, event.jitter);
    case ErrorKind::retriable:
    case ErrorKind::fatal:
      // It may be one's fault, and is looked for in each.
      if (s_.options.commit == CommitUnit::automatic) {
        for (const auto& member : group) member.range->alone = true;
      }
      return failed(group, event.error, event.jitter);
  }
}

void Stepper::failed(std::span<const Member> group, const Error& error, double jitter) {
  // A broker that starts may deny for a moment a login or a topic that it granted before. A denial
  // counts as an outage until it has lasted for source_grace_ms, here as in on(OffsetsFailed).
  const bool denied = error.kind == ErrorKind::fatal && error.cause == Cause::source;
  if (denied) discover_soon();
  bool believed = false;
  int failures = 0;
  int counted_failures = 0;
  for (const auto& [partition, range] : group) {
    if (denied && range->denied_since_ms < 0) range->denied_since_ms = now_;
    believed = believed || now_ - range->denied_since_ms >= s_.options.source_grace_ms;
  }
  const bool outage = error.kind == ErrorKind::unavailable || (denied && !believed);
  for (const auto& [partition, range] : group) {
    failures = std::max(failures, ++range->failures);
    if (!outage) ++range->counted_failures;
    counted_failures = std::max(counted_failures, range->counted_failures);
  }
  const auto decision = decide_retry(s_.options.retry, outage ? ErrorKind::unavailable : error.kind,
                                     outage ? failures : counted_failures, jitter);
  if (decision.give_up) {
    auto last = error;
    last.kind = ErrorKind::fatal;
    if (error.kind != ErrorKind::fatal) {
      last.message = fmt::format("{}; gave up after {} failures in a row ({})", error.message,
                                 counted_failures, s_.options.names("retry.max_failures"));
    }
    return finish(std::move(last));
  }
  for (const auto& [partition, range] : group) {
    // Each by its own failures: what others that shared its transaction went through says nothing
    // of its rows. A batch that is one fact agrees in this when it starts.
    const bool last_one =
        error.cause == Cause::sink && last_chance(s_.options.retry, range->failures);
    if (last_one) range->isolate = range->last_resort = true;
    range->not_before_ms = now_ + decision.delay_ms;
    range->waits_for = outage ? std::optional(error.cause) : std::nullopt;
  }
  if (s_.phase == Phase::stopping) {
    return notice(true,
                  fmt::format("{}; what is not committed of it is read again at the next start",
                              error.message));
  }
  ++s_.totals.retries[error.kind];
  // Once for all partitions: an outage of an hour is not a thousand lines.
  if (outage) return tell_outage(s_.outages[error.cause], error.message);
  // The first, then ever more rarely.
  if (std::has_single_bit(static_cast<unsigned>(counted_failures))) {
    notice(true, fmt::format("{}; trying again (failure {})", error.message, counted_failures));
  }
}

/// An outage is over when no range waits for its end any more: one partition's may be longer. Those
/// that wait for a server that answers now need not sit out what they were told while it did not.
void Stepper::tell_ends_of_outages(const OffsetRange& done) {
  for (auto& [server, outage] : s_.outages) {
    if (!outage.on()) continue;
    bool waited_for = false;
    for (auto& [tp, partition] : s_.partitions) {
      if (partition.queue.empty() || partition.queue.front().waits_for != server) continue;
      waited_for = true;
      wake_early(partition.queue.front());
    }
    if (waited_for) continue;
    notice(false, fmt::format("{}: committed again after an outage of {} s", to_string(done),
                              seconds_of(outage.end(now_))));
  }
}

/// Where the server answers all but this one (its leader is the broker that is down), what others
/// commit says nothing: after each time that it was in vain, it takes twice as many failures.
void Stepper::wake_early(QueuedRange& range) const {
  if (range.not_before_ms <= now_ || range.failures <= 2 * range.woken_at) return;
  range.woken_at = range.failures;
  range.not_before_ms = now_;
}

void Stepper::by_verdict(const Member& member, const LedgerEntry& ledger) {
  auto& [partition, range] = member;
  switch (judge(ledger, task_of(*partition), s_.options.owner)) {
    case Verdict::committed:
      s_.totals.uncounted += range_done(*partition);
      return;
    case Verdict::not_committed:
      return not_committed({&member, 1});
    case Verdict::fenced:
      return fenced(ledger);
    case Verdict::went_back:
      return went_back(
          ledger.epoch == s_.epoch
              ? fmt::format("it stands at offset {} where {} was to be committed",
                            ledger.until.value_or(-1), to_string(range->planned.range))
              : fmt::format("its epoch is {} where ours is {}", ledger.epoch, s_.epoch));
    case Verdict::broken:
      return broken(*range, ledger);
  }
}

/// After a doubt this is an ordinary retry; after a refusal something else than the ledger
/// disagreed. Both are definite failures of this attempt.
void Stepper::not_committed(std::span<const Member> group) {
  const auto range = group.front().range->planned.range;
  const auto doubt = std::exchange(group.front().range->doubt, std::nullopt);
  if (const auto loss = std::exchange(group.front().range->loss, std::nullopt)) {
    return lost(range.tp, loss->error, loss->bounds);
  }
  // Who tells a failure says of which partition, as a rule.
  const bool named = doubt && doubt->message.find(to_string(range.tp)) != std::string::npos;
  auto text = named ? "" : to_string(range) + ": ";
  text += doubt ? doubt->message + "; by the ledger nothing of it is committed"
                : "the commit did not happen, and the ledger says that the range is still ours";
  if (group.size() > 1) text += fmt::format(" (nor of {} more)", group.size() - 1);
  failed(group, {ErrorKind::retriable, doubt ? doubt->cause : Cause::sink, std::move(text)}, 0);
}

void Stepper::broken(QueuedRange& range, const LedgerEntry& ledger) {
  // Where sessions may not be ended, a commit that was given up for lost may arrive after its
  // range was planned anew. A new epoch refuses whatever else is under way; one take-over is
  // enough for all partitions that find this.
  if (s_.phase == Phase::draining || !std::exchange(s_.taken_again, true)) {
    return drain(fmt::format(
        "the ledger stands at offset {} where {} was to be committed, under our own epoch {}: "
        "a commit that was given up for lost has arrived",
        ledger.until.value_or(-1), to_string(range.planned.range), s_.epoch));
  }
  return finish(
      Error{ErrorKind::fatal, Cause::internal,
            fmt::format("the ledger stands at offset {} where {} was to be committed, under our "
                        "own epoch {}: this is a bug in semel or a hand in the ledger. Nothing of "
                        "the range was written; `semel verify` shows the chain",
                        ledger.until.value_or(-1), to_string(range.planned.range), s_.epoch)});
}

std::uint64_t Stepper::range_done(PartitionState& partition) {
  const auto range = std::move(partition.queue.front());
  partition.queue.pop_front();
  const auto& done = range.planned.range;
  if (range.planned.kind == TaskKind::lost) partition.last.reset();
  s_.taken_again = false;
  s_.taken_anew = 0;
  partition.committed = done.until;
  partition.moved_by = range.time;
  partition.vouched = true;
  partition.stands_since_ms = now_;
  partition.apart = std::max(partition.apart - 1, 0);
  tell_ends_of_outages(done);

  // Positions of ~batches are no records.
  const auto offsets = is_batches(done.tp) ? 0 : std::max<Offset>(done.until - done.from, 0);
  s_.totals.offsets += static_cast<std::uint64_t>(offsets);
  if (range.planned.kind == TaskKind::load) s_.records_since_sample += offsets;

  actions_.push_back(ShowProgress{done.tp, done.until});
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

bool Stepper::drop_queue(PartitionState& partition) {
  if (!partition.queue.empty() && !may_drop(partition.queue.front())) return false;
  const auto dropped = std::exchange(partition.queue, {});
  partition.position = partition.committed;
  for (const auto& range : dropped) close_range(range.time);
  return true;
}

/// What is planned anew would not be what the other output has.
bool Stepper::may_drop(const QueuedRange& range) {
  if (!range.fixed) return true;
  finish(Error{ErrorKind::data_loss, Cause::data_loss,
               fmt::format("batch {} is in one of the outputs, and not in all, and {} of it is not "
                           "to be read any more: the outputs cannot be brought to one state by "
                           "reading on",
                           range.time.ms, to_string(range.planned.range))});
  return false;
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

}  // namespace semel::core
