// Ownership, stopping, and the order in which things are tried after each event.
#include "core/driver.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <limits>

#include "core/stepper.hpp"

namespace semel::core {

namespace {

// An answer of the ledger may be older than the commit that was told in between, but not by this.
// A false alarm would cost one take-over, nothing else.
constexpr std::int64_t stale_answer_ms = 10'000;

bool any_running(const DriverState& state) {
  return std::ranges::any_of(state.partitions, [](const auto& entry) {
    const auto& queue = entry.second.queue;
    return !queue.empty() &&
           (queue.front().stage == Stage::running || queue.front().stage == Stage::resolving);
  });
}

}  // namespace

DriverState::DriverState(DriverOptions driver_options)
    : options(std::move(driver_options)), rate(options.limits) {}

void Stepper::on(const TookOver& event) {
  if (s_.phase != Phase::taking_over) return;
  const auto& taken = event.taken;
  s_.phase = Phase::running;
  s_.epoch = taken.epoch;
  s_.last_time = std::max(s_.last_time, taken.highest_batch_time);
  if (!event.recovered.empty()) s_.last_time = std::max(s_.last_time, event.recovered.back().time);

  auto before = std::exchange(s_.partitions, {});
  for (const auto& progress : taken.progress) {
    // It may be there from when this pipeline had something to count for.
    if (is_batches(progress.tp) && !counts()) continue;
    auto& partition = s_.partitions[progress.tp];
    if (const auto known = before.find(progress.tp); known != before.end()) {
      partition.stop = known->second.stop;
      partition.seen = known->second.seen;
      partition.place = known->second.place;
      partition.executor = known->second.executor;
    }
    stand_at(partition, progress);
    // What a reader has seen last may not be what this ledger holds.
    partition.recheck = !is_batches(progress.tp);
    partition.subscribed = is_batches(progress.tp);
  }
  s_.batches.clear();
  s_.groups.clear();
  s_.entering.clear();
  s_.busy_since_ms = -1;

  recover(event);
  for (const auto& note : taken.notes) notice(true, note);

  // Whatever is known of Kafka may be as old as the ownership was.
  s_.discovered = false;
  s_.next_ask_ms = s_.next_discovery_ms = now_;
}

void Stepper::stand_at(PartitionState& partition, const Progress& progress) {
  partition.committed = partition.position = progress.until;
  // Of ~batches, whoever stores something for a batch as a whole keeps the mark.
  if (!is_batches(progress.tp)) partition.last = progress.last;
  // A position from `start` or from a hand has no record before it that was committed.
  partition.vouched = progress.last.has_value();
  partition.moved_by = progress.batch_time;
  partition.stands_since_ms = now_;
}

void Stepper::on(const OwnerSeen& event) {
  if (s_.phase != Phase::running && s_.phase != Phase::stopping) return;
  switch (judge_owner(event.ledger, s_.epoch, s_.options.owner)) {
    case Verdict::fenced:
      return fenced(event.ledger);
    case Verdict::went_back:
      return went_back(
          fmt::format("its epoch is {} where ours is {}", event.ledger.epoch, s_.epoch));
    case Verdict::committed:
    case Verdict::not_committed:
    case Verdict::broken:
      break;
  }
  // A replica that had our take-over, but not our last commits, has our epoch and owner.
  if (!event.progress) return;
  std::map<TopicPartition, Offset> stands;
  for (const auto& progress : *event.progress) stands[progress.tp] = progress.until;
  for (const auto& [tp, partition] : s_.partitions) {
    const auto found = stands.find(tp);
    const auto until = found == stands.end() ? -1 : found->second;
    if (until < partition.committed && now_ - partition.stands_since_ms >= stale_answer_ms) {
      return went_back(
          fmt::format("{} {} where {} was committed", to_string(tp),
                      until < 0 ? "is not in it" : fmt::format("stands at offset {}", until),
                      partition.committed));
    }
  }
}

void Stepper::on(const Broke& event) {
  finish(event.error);
}

void Stepper::on(const StopRequested&) {
  if (s_.phase != Phase::finished) s_.phase = Phase::stopping;
}

void Stepper::on(const Stalled&) {
  if (s_.phase != Phase::stopping) return;
  for (const auto& [tp, partition] : in_kafka(s_.partitions)) {
    if (partition.queue.empty()) continue;
    const auto& range = partition.queue.front();
    if (range.stage != Stage::running && range.stage != Stage::resolving) continue;
    notice(true, fmt::format("{} is not waited for: a server says nothing, the table is locked, or "
                             "whoever reads the output does not. What is not committed of it is "
                             "read again at the next start",
                             to_string(range.planned.range)));
  }
  finish(std::nullopt);
}

void Stepper::apply(const Event& event) {
  if (s_.phase == Phase::finished) return;
  now_ = event.now_ms;
  std::visit([this](const auto& body) { on(body); }, event.body);
}

void Stepper::pump() {
  if (s_.phase == Phase::draining && !any_running() && now_ >= s_.take_over_at_ms) {
    s_.phase = Phase::taking_over;
    actions_.push_back(TakeOver{});
  }
  if (s_.phase == Phase::stopping && !any_running()) finish(std::nullopt);
  if (s_.phase != Phase::running) return;

  ask_if_due();
  enter_if_due();
  give_up_batches();
  start_ready();
  plan();
  if (once_done()) finish(std::nullopt);
}

void Stepper::finish(std::optional<Error> error) {
  if (s_.phase == Phase::finished) return;
  s_.phase = Phase::finished;
  actions_.push_back(Finish{std::move(error)});
}

void Stepper::fenced(const LedgerEntry& ledger) {
  finish(Error{
      ErrorKind::fatal, Cause::fenced,
      fmt::format("fenced: {} took over at {} (epoch {}, ours was {}). Only one process may "
                  "run a pipeline; this one added nothing after that",
                  ledger.owner_description.empty() ? "another owner" : ledger.owner_description,
                  ledger.since.empty() ? "an unknown time" : ledger.since, ledger.epoch,
                  s_.epoch)});
}

void Stepper::went_back(const std::string& why) {
  drain(fmt::format("the ledger went back ({}): the database was restored or failed over", why));
}

void Stepper::drain(const std::string& why) {
  if (s_.phase != Phase::running) return;
  // Restored once, it is taken over at once. What goes back each time does not keep what is
  // written.
  const auto failures = s_.taken_anew++;
  const auto decision = decide_retry(s_.options.retry, ErrorKind::retriable, failures, 0);
  if (decision.give_up) {
    return finish(Error{
        ErrorKind::fatal, Cause::sink,
        fmt::format("{}. Taken over again {} times, with nothing committed in between ({}): "
                    "whoever answers does not keep what is written there. Look whether it is the "
                    "one that is written to, and the only one, and start again",
                    why, failures, s_.options.names("retry.max_failures"))});
  }
  s_.take_over_at_ms = failures == 0 ? now_ : now_ + decision.delay_ms;
  notice(true, why + ". Taking over again and going on from the ledger");
  s_.phase = Phase::draining;
}

void Stepper::tell_outage(Outage& outage, const std::string& why) {
  const bool told = outage.tell(now_);
  const auto lasted = outage.lasted_ms(now_);
  actions_.push_back(Notice{
      told ? NoticeLevel::warning : NoticeLevel::detail,
      fmt::format("{}; trying again (failure {}{})", why, outage.failures(),
                  told && lasted > 0 ? fmt::format(", for {} s by now", seconds_of(lasted)) : "")});
}

bool Stepper::any_running() const {
  return core::any_running(s_);
}

bool Stepper::at_stops() const {
  return s_.options.once && s_.stops_known &&
         std::ranges::all_of(in_kafka(s_.partitions), [](const auto& entry) {
           const auto& partition = entry.second;
           return !partition.subscribed ||
                  (partition.queue.empty() &&
                   (!partition.stop || partition.committed >= *partition.stop));
         });
}

bool Stepper::once_done() const {
  if (!at_stops()) return false;
  // What is under way is not broken off; what waits for others, or for its back-off, is not waited
  // for.
  const auto* clock = this->clock();
  return clock == nullptr || clock->queue.empty() || clock->queue.front().stage == Stage::planned;
}

const PartitionState* Stepper::clock() const {
  const auto found = s_.partitions.find(batches_partition());
  return found == s_.partitions.end() ? nullptr : &found->second;
}

std::vector<Action> step(DriverState& state, std::span<const Event> events) {
  if (events.empty() || state.phase == Phase::finished) return {};
  Stepper stepper(state);
  for (const auto& event : events) stepper.apply(event);
  stepper.pump();
  return stepper.take();
}

std::vector<Action> step(DriverState& state, const Event& event) {
  return step(state, std::span(&event, 1));
}

std::int64_t next_wake_ms(const DriverState& state) {
  auto wake = std::numeric_limits<std::int64_t>::max();
  if (state.phase == Phase::draining && !any_running(state)) return state.take_over_at_ms;
  if (state.phase != Phase::running) return wake;
  if (!state.asking) wake = state.next_ask_ms;
  wake = std::min(wake, next_start_ms(state));
  if (std::ranges::any_of(state.entering,
                          [&](const auto& entry) { return may_enter(state, entry.first); })) {
    wake = std::min(wake, state.next_enter_ms);
  }
  return wake;
}

std::int64_t lag(const DriverState& state) {
  std::int64_t sum = 0;
  for (const auto& [tp, partition] : state.partitions) {
    if (!partition.subscribed) continue;
    const auto end = partition.stop ? partition.stop : partition.latest;
    if (end) sum += std::max<Offset>(*end - partition.committed, 0);
  }
  return sum;
}

bool caught_up(const DriverState& state) {
  return state.offsets_known && state.entering.empty() && lag(state) == 0;
}

}  // namespace semel::core
