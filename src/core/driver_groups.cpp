// Which tasks share a transaction, when they start, and how a group comes apart.
#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <utility>

#include "core/stepper.hpp"

namespace semel::core {

namespace {

// So many ranges of a partition share no transaction, after one held others up.
constexpr int ranges_apart = 16;

}  // namespace

bool may_start(const PartitionState& partition) {
  if (partition.queue.empty()) return false;
  const auto& range = partition.queue.front();
  if (range.stage == Stage::in_doubt) return true;
  if (range.stage != Stage::planned) return false;
  if (is_batches(range.planned.range.tp)) return true;
  // What Kafka does not have at the moment would only keep an executor from others. And a plan may
  // be older than the log: nothing of it is read before it is known where the log ends.
  // What has to be done as it is waits while the log looks too short for it.
  const auto needed = range.whole ? range.planned.range.until : 0;
  return (range.planned.kind == TaskKind::lost && !range.whole) ||
         (partition.subscribed && !rests(partition) && partition.latest >= needed);
}

std::int64_t next_start_ms(const DriverState& state) {
  auto wake = std::numeric_limits<std::int64_t>::max();
  // Of a whole batch: how many may start, and when the last of them.
  std::map<BatchTime, std::pair<std::size_t, std::int64_t>> waiting;
  for (const auto& [tp, partition] : state.partitions) {
    if (!may_start(partition)) continue;
    const auto& range = partition.queue.front();
    if (is_condemned(state, range) && range.stage == Stage::planned) continue;
    const bool shares = range.planned.kind == TaskKind::load;
    if (state.options.commit == CommitUnit::batch && range.stage == Stage::planned && shares) {
      auto& [count, last] = waiting[range.time];
      ++count;
      last = std::max(last, range.not_before_ms);
    } else {
      wake = std::min(wake, range.not_before_ms);
    }
  }
  for (const auto& [time, starts] : waiting) {
    if (starts.first == state.batches.at(time).open) wake = std::min(wake, starts.second);
  }
  return wake;
}

std::vector<Stepper::Member> Stepper::end_group(const TaskId& id) {
  const auto found = s_.groups.find(id);
  if (found == s_.groups.end()) return {};
  std::vector<Member> members;
  for (const auto& tp : found->second) {
    auto& partition = s_.partitions.at(tp);
    members.push_back({&partition, &partition.queue.front()});
  }
  s_.groups.erase(found);
  return members;
}

void Stepper::form_group(std::vector<TopicPartition> tps, Stage stage) {
  for (const auto& tp : tps) s_.partitions.at(tp).queue.front().stage = stage;
  const TaskId id{s_.partitions.at(tps.front()).queue.front().time, tps.front()};
  s_.groups.insert_or_assign(id, std::move(tps));
}

Load Stepper::load_of(const PlannedRange& planned) const {
  if (is_batches(planned.range.tp)) return {.ranges = 1};
  const auto offsets = std::max<Offset>(planned.range.until - planned.range.from, 0);
  return {.ranges = 1,
          .offsets = offsets,
          .bytes = static_cast<std::int64_t>(static_cast<double>(offsets) * s_.mean_record_bytes)};
}

bool Stepper::may_share(const PartitionState& partition) const {
  const auto& range = partition.queue.front();
  if (range.planned.kind == TaskKind::lost) return false;
  if (s_.options.commit == CommitUnit::batch) return true;
  return s_.options.commit == CommitUnit::automatic && partition.apart == 0 && !range.alone &&
         !range.isolate && is_small(load_of(range.planned));
}

void Stepper::resolve_doubts() {
  for (const auto& [id, tps] : s_.groups) {
    const auto& first = s_.partitions.at(tps.front()).queue.front();
    if (first.stage != Stage::in_doubt || now_ < first.not_before_ms) continue;
    ResolveDoubt resolve;
    for (const auto& tp : tps) {
      auto& partition = s_.partitions.at(tp);
      partition.queue.front().stage = Stage::resolving;
      resolve.tasks.push_back(task_of(partition));
    }
    actions_.push_back(std::move(resolve));
  }
}

void Stepper::start_ready() {
  resolve_doubts();
  // What waits for others that share its transaction: of the batch, or of batch and executor.
  struct Gathered {
    std::vector<TopicPartition> tps;
    Load load;
  };
  std::map<std::pair<BatchTime, std::size_t>, Gathered> gathered;
  for (auto& [tp, partition] : s_.partitions) {
    if (!may_start(partition)) continue;
    auto& range = partition.queue.front();
    if (now_ < range.not_before_ms || range.stage != Stage::planned) continue;
    if (is_condemned(s_, range)) continue;
    if (!may_share(partition)) {
      start_group({tp});
      continue;
    }
    if (!partition.place) partition.place = s_.places++;
    const bool whole = s_.options.commit == CommitUnit::batch;
    const auto executor =
        whole ? 0 : executor_for(*partition.place, s_.options.executors, s_.gathering.on(), false);
    auto& group = gathered[{range.time, executor}];
    auto load = group.load;
    load += load_of(range.planned);
    if (!whole && !is_small(load)) {
      start_group(std::exchange(group.tps, {}));
      load = load_of(range.planned);
    }
    group.load = load;
    group.tps.push_back(tp);
  }
  for (const auto& [key, group] : gathered) {
    // Of a batch that is one fact, all that is left of it.
    const bool waits =
        s_.options.commit == CommitUnit::batch && group.tps.size() < s_.batches.at(key.first).open;
    if (!waits) start_group(group.tps);
  }
}

void Stepper::start_group(const std::vector<TopicPartition>& tps) {
  StartTasks start;
  bool isolate = false;
  bool last_resort = false;
  for (const auto& tp : tps) {
    const auto& range = s_.partitions.at(tp).queue.front();
    isolate = isolate || range.isolate;
    last_resort = last_resort || range.last_resort;
  }
  auto& first = s_.partitions.at(tps.front());
  const bool apart = tps.size() == 1 && !may_share(first);
  if (!first.place) first.place = s_.places++;
  const bool gathers = s_.options.commit == CommitUnit::batch ||
                       (s_.options.commit == CommitUnit::automatic && s_.gathering.on());
  start.executor = executor_for(*first.place, s_.options.executors, gathers, apart);
  if (s_.busy_since_ms < 0) s_.busy_since_ms = now_;
  for (const auto& tp : tps) {
    auto& partition = s_.partitions.at(tp);
    auto& range = partition.queue.front();
    // They agree in these: the transaction has them.
    range.isolate = isolate;
    range.last_resort = last_resort;
    if (auto& batch = s_.batches[range.time]; batch.started_ms < 0) batch.started_ms = now_;
    start.tasks.push_back(task_of(partition));
    partition.recheck = false;
    if (partition.executor && *partition.executor != start.executor) {
      start.leave.emplace_back(tp, *partition.executor);
    }
    partition.executor = start.executor;
  }
  form_group(tps, Stage::running);
  actions_.push_back(std::move(start));
}

void Stepper::released(QueuedRange& range) const {
  range.stage = Stage::planned;
  range.not_before_ms = now_;
}

void Stepper::bad_data(std::span<const Member> group, const TaskFailed& event) {
  for (const auto& [partition, range] : group) released(*range);
  if (s_.options.commit == CommitUnit::automatic && group.size() > 1) {
    // Each for itself, to find out whose it is: the others need not isolate.
    for (const auto& [partition, range] : group) range->alone = true;
    return;
  }
  if (group.front().range->isolate) return failed(group, event.error, event.jitter);
  for (const auto& [partition, range] : group) {
    range->isolate = true;
    partition->apart = ranges_apart;
  }
}

/// The records of one of them could not be read: the others may go on without it.
void Stepper::source_failed(std::span<const Member> group, const TaskFailed& event) {
  for (const auto& [partition, range] : group) released(*range);
  const auto& member = group[*event.task];
  member.partition->apart = ranges_apart;
  if (event.error.kind == ErrorKind::data_loss) {
    if (!event.bounds) return finish(event.error);
    // Whoever was away for long finds that others have committed the range, and retention deleted
    // it: that is not data loss, that is being fenced.
    member.range->loss = Loss{event.error, *event.bounds};
    return form_group({member.range->planned.range.tp}, Stage::in_doubt);
  }
  if (!event.slow) failed({&member, 1}, event.error, event.jitter);
}

}  // namespace semel::core
