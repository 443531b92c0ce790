// The driver under random schedules: tasks that fail, commits whose reply is lost, crashes that
// lose the memory and un-synced deletes of the plan log, zombies that commit late. The sink here is
// a compare-and-set on one number per partition, as the real one is.
#include <algorithm>
#include <random>
#include <utility>

#include "core/driver.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::core;

namespace {

struct World {
  std::mt19937_64 random;
  std::int64_t now = 1'000'000;

  // Kafka
  std::map<TopicPartition, Offset> ends;
  // The sink
  std::int64_t epoch = 0;
  std::string owner;
  std::map<TopicPartition, Progress> ledger;
  std::map<TopicPartition, std::vector<int>> stored;  // how often each offset was stored
  // The disk
  std::map<BatchTime, Batch> plans;
  std::map<BatchTime, Batch> unsynced_deletes;
  // The process, and tasks of processes that are gone but not dead
  DriverState state;
  struct Running {
    Task task;
    std::string owner;
  };
  std::vector<Running> running;
  std::vector<Running> zombies;
  std::vector<Task> doubts;
  bool asked = false;
  int crashes = 0;

  explicit World(std::uint64_t seed) : random(seed), state(options("none")) {
    for (std::int32_t p = 0; p < 3; ++p) {
      ends[{"t", p}] = static_cast<Offset>(pick(200));
      ledger[{"t", p}] = {.tp = {"t", p}};
      stored[{"t", p}];
    }
    boot();
  }

  std::uint64_t pick(std::uint64_t below) { return random() % below; }

  static DriverOptions options(std::string id) {
    return {.limits = {.interval_ms = 10, .max_records = 50, .max_records_per_partition = 20},
            .retry = {.max_failures = 1'000'000, .backoff_ms_min = 1, .backoff_ms_max = 50},
            .owner = std::move(id)};
  }

  void boot() {
    ++crashes;
    owner = "owner-" + std::to_string(crashes);
    ++epoch;
    state = DriverState(options(owner));
    // A crash may bring deleted plans back.
    for (auto& [time, batch] : unsynced_deletes) {
      if (pick(2) == 0) plans[time] = batch;
    }
    unsynced_deletes.clear();
    zombies.insert(zombies.end(), running.begin(), running.end());
    running.clear();
    doubts.clear();
    asked = false;
    TookOver took_over;
    took_over.taken.epoch = epoch;
    for (const auto& [tp, progress] : ledger) {
      took_over.taken.progress.push_back(progress);
      took_over.taken.highest_batch_time =
          std::max(took_over.taken.highest_batch_time, progress.batch_time);
    }
    if (pick(8) == 0) plans.clear();  // the state directory was lost
    for (const auto& [time, batch] : plans) took_over.recovered.push_back(batch);
    deliver(std::move(took_over));
  }

  void deliver(EventBody body) {
    for (auto& action : step(state, {now, std::move(body)})) {
      if (auto* plan = std::get_if<PersistPlan>(&action)) {
        REQUIRE_FALSE(plans.contains(plan->batch.time));
        plans[plan->batch.time] = plan->batch;
      } else if (auto* forget = std::get_if<ForgetBatch>(&action)) {
        if (const auto found = plans.find(forget->time); found != plans.end()) {
          unsynced_deletes.insert(*found);
          plans.erase(found);
        }
      } else if (auto* start = std::get_if<StartTasks>(&action)) {
        REQUIRE(start->tasks.size() == 1);
        started(start->tasks.front());
      } else if (auto* resolve = std::get_if<ResolveDoubt>(&action)) {
        doubts.push_back(resolve->tasks.front());
      } else if (std::holds_alternative<AskOffsets>(action)) {
        asked = true;
      } else if (auto* finish = std::get_if<Finish>(&action)) {
        FAIL("finished: " << (finish->error ? finish->error->message : "without error"));
      }
    }
  }

  void started(const Task& task) {
    // P4: what runs is durable. P6: it begins where its partition stands, and is alone.
    const auto plan = plans.find(task.time);
    REQUIRE(plan != plans.end());
    REQUIRE(std::ranges::any_of(plan->second.ranges,
                                [&](const auto& planned) { return planned.range == task.range; }));
    REQUIRE(ledger.at(task.range.tp).until == task.range.from);
    REQUIRE(std::ranges::none_of(
        running, [&](const auto& other) { return other.task.range.tp == task.range.tp; }));
    running.push_back({task, owner});
  }

  bool commit(const Running& run) {
    auto& progress = ledger.at(run.task.range.tp);
    if (run.owner != owner || run.task.epoch != epoch || progress.until != run.task.range.from) {
      return false;
    }
    REQUIRE(progress.batch_time < run.task.time);
    progress.until = run.task.range.until;
    progress.batch_time = run.task.time;
    auto& counts = stored.at(run.task.range.tp);
    counts.resize(std::max(counts.size(), static_cast<std::size_t>(run.task.range.until)));
    for (auto offset = run.task.range.from; offset < run.task.range.until; ++offset) {
      ++counts[static_cast<std::size_t>(offset)];
    }
    return true;
  }

  LedgerEntry entry(const TopicPartition& tp) const {
    return {ledger.at(tp).until, epoch, owner, "", "", ledger.at(tp).batch_time};
  }

  void finish_task(bool faults) {
    if (running.empty()) return;
    const auto index = static_cast<std::ptrdiff_t>(pick(running.size()));
    const auto run = running[static_cast<std::size_t>(index)];
    running.erase(running.begin() + index);
    const TaskId id{run.task.time, run.task.range.tp};
    const auto fail = [&](ErrorKind kind) {
      deliver(TaskFailed{id, {kind, Cause::sink, "fault"}, 0.5, std::nullopt});
    };
    switch (faults ? pick(8) : 7) {
      case 0:
        return fail(ErrorKind::unavailable);
      case 1:
        return fail(ErrorKind::retriable);
      case 2:
        return fail(ErrorKind::bad_data);
      case 3:
        return fail(ErrorKind::in_doubt);  // lost before the server saw it
      case 4:
        commit(run);
        return fail(ErrorKind::in_doubt);  // lost afterwards
      default:
        break;
    }
    if (commit(run)) {
      deliver(TaskCommitted{
          .id = id,
          .done = {
              {.last = RecordMark{run.task.range.until - 1, 0, 0}, .records = 1, .bytes = 10}}});
    } else {
      deliver(TaskRefused{id, entry(id.tp)});
    }
  }

  void resolve(bool faults) {
    if (doubts.empty()) return;
    const auto task = doubts.back();
    doubts.pop_back();
    const TaskId id{task.time, task.range.tp};
    if (faults && pick(3) == 0) {
      deliver(DoubtUnresolved{id, {ErrorKind::unavailable, Cause::sink, "fault"}, 0.5});
    } else {
      deliver(DoubtResolved{id, {entry(id.tp)}});
    }
  }

  void answer(bool discover) {
    if (!asked) return;
    asked = false;
    OffsetsSeen seen{.partitions = {}, .earliest = {}, .latest = ends};
    if (discover) {
      seen.partitions.emplace();
      for (const auto& [tp, end] : ends) seen.partitions->push_back(tp);
    }
    deliver(seen);
  }

  void anything() {
    switch (pick(12)) {
      case 0:
        ends[{"t", static_cast<std::int32_t>(pick(3))}] += static_cast<Offset>(pick(60));
        break;
      case 1:
        answer(true);
        break;
      case 2:
        if (pick(10) == 0) boot();
        break;
      case 3:
        if (!zombies.empty()) {
          REQUIRE_FALSE(commit(zombies.back()));  // P7
          zombies.pop_back();
        }
        break;
      case 4:
        if (std::exchange(asked, false)) {
          deliver(OffsetsFailed{{ErrorKind::unavailable, Cause::source, "fault"}});
        }
        break;
      case 5:
        resolve(true);
        break;
      case 6:
      case 7:
        now += static_cast<std::int64_t>(pick(40));
        deliver(Tick{});
        break;
      default:
        finish_task(true);
    }
  }

  void drain() {
    for (int i = 0; i < 100'000; ++i) {
      now += 100;
      deliver(Tick{});
      answer(true);
      resolve(false);
      finish_task(false);
      if (std::ranges::all_of(
              ends, [&](const auto& end) { return ledger.at(end.first).until == end.second; })) {
        return;
      }
    }
    FAIL("the last record was never committed");
  }
};

}  // namespace

TEST_CASE("random schedules store every record once, in order, and end") {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    World world(seed);
    for (int i = 0; i < 400; ++i) world.anything();
    world.drain();
    for (const auto& [tp, end] : world.ends) {
      const auto& counts = world.stored.at(tp);
      REQUIRE(counts.size() == static_cast<std::size_t>(end));
      REQUIRE(std::ranges::all_of(counts, [](int count) { return count == 1; }));
    }
  }
}
