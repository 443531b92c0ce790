// The driver's side: starting, events in, actions out, the ledger keeper and the offsets watcher.
#include "simulation/process.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "simulation/violation.hpp"

namespace semel::simulation {

Process::Process(World world, const Settings& settings, std::string id,
                 std::int64_t clock_offset_ms)
    : world_(world),
      settings_(settings),
      id_(std::move(id)),
      clock_offset_ms_(clock_offset_ms),
      state_([&] {
        auto options = settings.driver;
        options.owner = id_;
        return options;
      }()) {}

void Process::kill() {
  killed_ = true;
  for (auto& directory : world_.directories) {
    if (directory.holder == id_) directory.holder.clear();
  }
}

std::string Process::describe() const {
  return fmt::format("{}{}{}", id_, paused ? " (paused)" : "",
                     finished_ ? " (" + (error_ ? error_->message : "done") + ")"
                     : killed_ ? " (killed)"
                               : "");
}

void Process::advance(std::int64_t now_ms, bool faults) {
  if (over() || paused) return;
  // A process's clock never goes back; after a restart it may be another one.
  now_ms_ = std::max(now_ms_, now_ms + clock_offset_ms_);
  if (boot_stage_ < 2) return boot(faults);
  // While the driver is busy, more may arrive: then it is told of all of them at once.
  const bool busy = faults && world_.choices.one_in(4);
  if (!inbox_.empty() && !busy) {
    auto count = 1 + world_.choices.below(static_cast<std::uint32_t>(inbox_.size()));
    std::vector<core::EventBody> bodies;
    for (; count > 0; --count) {
      bodies.push_back(std::move(inbox_.front()));
      inbox_.pop_front();
    }
    return step(std::move(bodies));
  }
  const auto tasks = static_cast<std::uint32_t>(running_.size());
  // Without faults everything has its turn; with them, chance may starve what it likes.
  const auto choice = faults ? world_.choices.below(tasks + 4) : turn_++ % (tasks + 4);
  if (choice < tasks) return run(running_[choice], faults);
  switch (choice - tasks) {
    case 0:
      return jobs_.empty() ? step(core::Tick{}) : work(faults);
    case 1:
      return asked_ || to_resolve_ ? answer(faults) : step(core::Tick{});
    case 2:
      return step(core::OwnerSeen{world_.sink.entry({}), world_.sink.all_progress()});
    default:
      return step(core::Tick{});
  }
}

void Process::boot(bool faults) {
  if (boot_stage_ == 0) {
    if (!take_over(first_take_over_, faults)) return;
    boot_stage_ = 1;
    return;
  }
  // A directory that another process still holds is left to it.
  while (directory_ < world_.directories.size() && !directory().holder.empty()) ++directory_;
  if (directory_ == world_.directories.size()) world_.directories.emplace_back();
  directory().holder = id_;
  boot_stage_ = 2;
  step(core::TookOver{taken_, directory().load()});
}

bool Process::take_over(TakeOver& job, bool faults) {
  if (faults && settings_.faults.sink && world_.choices.one_in(10)) return false;
  auto& sink = world_.sink;
  if (job.stage > 0 && job.incarnation != sink.incarnation()) job.stage = 0;
  job.incarnation = sink.incarnation();
  switch (job.stage++) {
    case 0:
      if (settings_.bugs.read_before_fence) {
        job.early = sink.read(id_);
      } else {
        sink.fence(id_);
      }
      return false;
    case 1:
      if (settings_.may_end_sessions) sink.end_others(id_);
      return false;
    default:
      if (settings_.bugs.read_before_fence) {
        sink.fence(id_);
        taken_ = job.early;
        taken_.epoch = sink.read(id_).epoch;
      } else {
        taken_ = sink.read(id_);
      }
      demand(taken_.progress == sink.all_progress(), "P7",
             id_ + " goes on from a ledger that moved after it was read, before it was fenced");
      return true;
  }
}

void Process::step(core::EventBody body) {
  std::vector<core::EventBody> one;
  one.push_back(std::move(body));
  step(std::move(one));
}

void Process::step(std::vector<core::EventBody> bodies) {
  std::vector<core::Event> events;
  for (auto& body : bodies) events.push_back({now_ms_, std::move(body)});
  auto actions = core::step(state_, events);
  know_batches();
  for (auto& action : actions) {
    obey(action);
    if (finished_) return;
  }
  check_driver();
}

void Process::obey(core::Action& action) {
  if (auto* ask = std::get_if<core::AskOffsets>(&action)) {
    demand(!asked_, "one question", "Kafka is asked again before it has answered");
    asked_ = std::move(*ask);
  } else if (auto* enter = std::get_if<core::EnterPartitions>(&action)) {
    if (!to_resolve_) to_resolve_.emplace();
    std::ranges::copy(enter->at_start, std::back_inserter(to_resolve_->at_start));
    std::ranges::copy(enter->at_earliest, std::back_inserter(to_resolve_->at_earliest));
    to_resolve_->batches = to_resolve_->batches || enter->batches;
  } else if (auto* plan = std::get_if<core::PersistPlan>(&action)) {
    if (directory().durable(plan->batch.time) == nullptr) check_tick(plan->batch);
    if (plan->batch.given_up) know_given_up(plan->batch);
    directory().put(plan->batch, !settings_.bugs.plan_not_synced);
  } else if (auto* forget = std::get_if<core::ForgetBatch>(&action)) {
    demand(std::ranges::none_of(
               running_, [&](const auto& other) { return other.first().time == forget->time; }),
           "P4", fmt::format("batch {} is forgotten while it runs", forget->time.ms));
    directory().erase(forget->time);
  } else if (auto* run = std::get_if<core::StartTasks>(&action)) {
    start(*run);
  } else if (auto* resolve = std::get_if<core::ResolveDoubt>(&action)) {
    jobs_.emplace_back(std::move(resolve->tasks));
  } else if (std::holds_alternative<core::TakeOver>(action)) {
    demand(running_.empty(), "take-over", "the output is taken over again while tasks run");
    jobs_.emplace_back(TakeOver{});
  } else if (auto* notice = std::get_if<core::Notice>(&action)) {
    say(notice->text);
  } else if (auto* finish = std::get_if<core::Finish>(&action)) {
    finished_ = true;
    error_ = finish->error;
    directory().holder.clear();
  }
}

void Process::know_batches() {
  std::map<BatchTime, std::set<TopicPartition>> queued;
  for (const auto& [tp, partition] : state_.partitions) {
    for (const auto& range : partition.queue) queued[range.time].insert(tp);
  }
  batches_.merge(queued);
}

void Process::know_given_up(const core::Batch& batch) {
  auto& ranges = world_.evidence.given_up[batch.time];
  ranges.clear();
  for (const auto& planned : batch.ranges) {
    demand(!is_batches(planned.range.tp), "counted", "a batch that is given up moves ~batches");
    ranges.push_back({planned.range, world_.kafka.logs.at(planned.range.tp).generation});
  }
}

/// With skip_batch no range leaves its batch: what is stored of it is all of it.
void Process::check_whole(const std::vector<Task>& tasks) const {
  const bool whole = settings_.driver.skip_batch &&
                     settings_.driver.commit == core::CommitUnit::batch &&
                     tasks.front().kind == TaskKind::load;
  if (!whole) return;
  for (const auto& tp : batches_.at(tasks.front().time)) {
    const bool there =
        std::ranges::any_of(tasks, [&](const auto& task) { return task.range.tp == tp; });
    // A commit that was given up for lost may have arrived after all.
    const auto partition = state_.partitions.find(tp);
    const bool done =
        partition != state_.partitions.end() && partition->second.moved_by >= tasks.front().time;
    demand(there || done || world_.evidence.deleted.contains(tp), "whole",
           fmt::format("batch {} is computed without what it had of {}", tasks.front().time.ms,
                       to_string(tp)));
  }
}

/// A batch without records is planned only where no other is to move ~batches.
void Process::check_tick(const core::Batch& batch) const {
  if (!is_batches(batch.ranges.front().range.tp)) return;
  if (taken_.pending && taken_.pending->time == batch.time) return;
  demand(settings_.driver.clock == core::BatchClock::each_interval &&
             state_.partitions.at(core::batches_partition()).queue.front().time == batch.time,
         "tick", fmt::format("batch {} has no records, and comes behind others", batch.time.ms));
}

void Process::start(const core::StartTasks& start) {
  check_whole(start.tasks);
  Running running;
  for (const auto& task : start.tasks) {
    const auto* plan = directory().durable(task.time);
    demand(plan != nullptr && std::ranges::any_of(plan->ranges,
                                                  [&](const auto& planned) {
                                                    return planned.range == task.range &&
                                                           planned.kind == task.kind;
                                                  }),
           "P4", fmt::format("{} was started, and its plan is not durable", to_string(task.range)));
    for (const auto& other : running_) {
      demand(
          std::ranges::none_of(
              other.parts, [&](const auto& part) { return part.task.range.tp == task.range.tp; }),
          "P6",
          fmt::format("{} was started beside another of its partition", to_string(task.range)));
    }
    const auto attempts = ++attempts_[{task.time, task.range.tp}];
    demand(!task.last_resort || attempts >= settings_.driver.retry.max_failures ||
               start.tasks.size() > 1,
           "P9",
           fmt::format("{} is at its last resort at attempt {}", to_string(task.range), attempts));
    demand(task.time == start.tasks.front().time && task.isolate == start.tasks.front().isolate &&
               (start.tasks.size() == 1 || task.kind == TaskKind::load),
           "one batch", fmt::format("{} shares no batch", to_string(task.range)));
    demand(!is_batches(task.range.tp) || (!task.last && !task.recheck), "mark",
           fmt::format("{} is compared with a log", to_string(task.range)));
    running.parts.push_back({.task = task});
  }
  running_.push_back(std::move(running));
}

void Process::check_driver() const {
  const auto wrong = core::verify(state_);
  demand(!wrong, "state", wrong.value_or(""));
}

void Process::answer(bool faults) {
  if (world_.kafka.another_cluster) {
    inbox_.push_back(core::Broke{another_cluster()});
    return;
  }
  const bool fails = faults && settings_.faults.tp && world_.choices.one_in(6);
  if (to_resolve_ && (!asked_ || world_.choices.one_in(2))) {
    const auto request = *std::exchange(to_resolve_, std::nullopt);
    // Nobody has to be asked about it.
    if (request.batches) {
      jobs_.emplace_back(std::vector<Start>{{.progress = {.tp = core::batches_partition()}}});
    }
    if (request.at_start.empty() && request.at_earliest.empty()) return;
    if (!fails) return resolve(request);
    core::EnterFailed failed{request.at_start, {ErrorKind::unavailable, Cause::source, "failed"}};
    std::ranges::copy(request.at_earliest, std::back_inserter(failed.tps));
    inbox_.push_back(std::move(failed));
    return;
  }
  const auto request = *std::exchange(asked_, std::nullopt);
  const auto failed = [&](ErrorKind kind, const char* what) {
    inbox_.push_back(core::OffsetsFailed{{kind, Cause::source, what}});
  };
  if (fails) return failed(ErrorKind::unavailable, "Kafka did not answer");
  core::OffsetsSeen seen;
  if (request.discover) seen.partitions.emplace();
  if (world_.kafka.denied) {
    if (!settings_.driver.pattern || !request.discover) return failed(ErrorKind::fatal, "denied");
    seen.denied["t"] = "denied";
    return inbox_.push_back(std::move(seen));
  }
  for (const auto& [tp, log] : world_.kafka.logs) {
    if (request.discover && !log.exists) continue;
    if (!request.discover && std::ranges::count(request.tps, tp) == 0) continue;
    if (request.discover) seen.partitions->push_back(tp);
    if (!log.exists || !log.leader) {
      seen.unanswered[tp] = log.exists ? "no leader" : "unknown";
      continue;
    }
    seen.latest[tp] = log.last_stable();
    if (request.discover) seen.earliest[tp] = log.earliest;
  }
  if (seen.latest.empty() && !seen.unanswered.empty()) {
    return failed(ErrorKind::unavailable, "nobody answered");
  }
  // What is there at the start, and what of it answers: a run with --once waits for the others.
  if (!there_at_start_) {
    there_at_start_.emplace();
    for (const auto& [tp, log] : world_.kafka.logs) {
      if (seen.latest.contains(tp) || seen.unanswered.contains(tp)) {
        there_at_start_->insert(tp);
      }
    }
  }
  for (const auto& [tp, end] : seen.latest) {
    if (there_at_start_->contains(tp)) ends_at_start_.try_emplace(tp, end);
  }
  inbox_.push_back(std::move(seen));
}

void Process::resolve(const core::EnterPartitions& request) {
  std::vector<Start> starts;
  core::EnterFailed failed{{}, {ErrorKind::unavailable, Cause::source, "no leader"}};
  if (world_.kafka.denied) {
    failed = {request.at_start, {ErrorKind::fatal, Cause::source, "denied"}};
    return inbox_.push_back(std::move(failed));
  }
  const auto add = [&](const std::vector<TopicPartition>& tps, bool latest) {
    // "latest" is resolved for all partitions of a topic or for none.
    const bool none = latest && !std::ranges::all_of(tps, [&](const auto& tp) {
                        return world_.kafka.logs.at(tp).leader;
                      });
    for (const auto& tp : tps) {
      const auto& log = world_.kafka.logs.at(tp);
      if (none || !log.leader) {
        failed.tps.push_back(tp);
        continue;
      }
      const auto at = latest ? log.last_stable() : log.earliest;
      starts.push_back({{.tp = tp, .until = at, .batch_time = {}, .last = std::nullopt},
                        log.generation,
                        latest});
      say(fmt::format("{} is to begin at {}", to_string(tp), at));
    }
  };
  add(request.at_start, settings_.start_latest);
  add(request.at_earliest, false);
  if (!failed.tps.empty()) inbox_.push_back(std::move(failed));
  if (!starts.empty()) jobs_.emplace_back(std::move(starts));
}

void Process::work(bool faults) {
  auto& job = jobs_.front();
  bool done = false;
  if (auto* taken = std::get_if<TakeOver>(&job)) {
    done = take_over(*taken, faults);
    if (done) inbox_.push_back(core::TookOver{taken_, {}});
  } else if (auto* starts = std::get_if<std::vector<Start>>(&job)) {
    done = enter(*starts, faults);
  } else {
    done = resolve(std::get<std::vector<Task>>(job), faults);
  }
  if (done) jobs_.pop_front();
}

bool Process::enter(const std::vector<Start>& starts, bool faults) {
  if (faults && settings_.faults.sink && world_.choices.one_in(6)) {
    // Failed; or done, and the reply was lost: the retry finds its rows.
    if (world_.choices.one_in(2)) entered(starts);
    return false;
  }
  if (entered(starts)) {
    core::Entered event;
    for (const auto& start : starts) {
      event.starts.push_back(*world_.sink.progress(start.progress.tp));
    }
    inbox_.push_back(std::move(event));
  } else {
    inbox_.push_back(core::OwnerSeen{world_.sink.entry({}), {}});
  }
  return true;
}

bool Process::entered(const std::vector<Start>& starts) {
  const auto before = world_.sink.all_progress();
  if (!world_.sink.enter(id_, taken_.epoch, starts)) return false;
  for (const auto& start : starts) {
    const auto& tp = start.progress.tp;
    const auto known = [&](const Progress& progress) { return progress.tp == tp; };
    if (!start.latest || std::ranges::any_of(before, known)) continue;
    demand(before.empty(), "P10",
           fmt::format("{} appeared later, and begins at its end", to_string(tp)));
    world_.evidence.begun[{tp, start.generation}] = start.progress.until;
  }
  return true;
}

bool Process::resolve(const std::vector<Task>& tasks, bool faults) {
  const auto& first = tasks.front();
  const core::TaskId id{first.time, first.range.tp};
  if (faults && settings_.faults.sink && world_.choices.one_in(4)) {
    for (const auto& task : tasks) ++attempts_[{task.time, task.range.tp}];
    inbox_.push_back(
        core::DoubtUnresolved{id, {ErrorKind::unavailable, Cause::sink, "no connection"}, 0.5});
    return true;
  }
  if (settings_.may_end_sessions) world_.sink.end_session(id_, tasks);
  core::DoubtResolved resolved{id, {}};
  for (const auto& task : tasks) resolved.ledger.push_back(world_.sink.entry(task.range.tp));
  inbox_.push_back(std::move(resolved));
  return true;
}

}  // namespace semel::simulation
