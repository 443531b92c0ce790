// A driver that is told events by hand and keeps the actions that nobody has looked at yet.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/driver.hpp"
#include "support/catch.hpp"

namespace semel::core::test {

inline const TopicPartition p0{"clicks", 0};
inline const TopicPartition p1{"clicks", 1};

struct Driver {
  DriverState state;
  std::int64_t now = 1'000'000;
  std::vector<Action> actions;

  explicit Driver(DriverOptions options = {}) : state((options.owner = "me", options)) {}

  void on(EventBody body) {
    for (auto& action : step(state, {now, std::move(body)})) actions.push_back(std::move(action));
  }
  template <class T>
  std::vector<T> take() {
    std::vector<T> result;
    std::erase_if(actions, [&](Action& action) {
      if (auto* found = std::get_if<T>(&action)) {
        result.push_back(std::move(*found));
        return true;
      }
      return false;
    });
    return result;
  }
  /// The tasks that were started since, whatever they share.
  std::vector<Task> started() {
    std::vector<Task> tasks;
    for (auto& start : take<StartTasks>()) {
      tasks.insert(tasks.end(), start.tasks.begin(), start.tasks.end());
    }
    return tasks;
  }
  std::vector<Notice> warnings() {
    auto notices = take<Notice>();
    std::erase_if(notices, [](const auto& notice) { return notice.level != NoticeLevel::warning; });
    return notices;
  }
  void take_over(std::vector<Progress> progress, std::vector<Batch> recovered = {},
                 BatchTime highest = {}) {
    on(TookOver{{.epoch = 7,
                 .progress = std::move(progress),
                 .highest_batch_time = highest,
                 .cluster_id = {},
                 .previous_owner = {},
                 .notes = {}},
                std::move(recovered)});
  }
  void offsets(std::map<TopicPartition, Offset> latest, bool discover = true) {
    OffsetsSeen seen{.partitions = {}, .earliest = {}, .latest = latest};
    if (discover) {
      seen.partitions.emplace();
      for (const auto& [tp, offset] : latest) {
        seen.partitions->push_back(tp);
        seen.earliest[tp] = 0;
      }
    }
    on(seen);
  }
  void committed(const Task& task) { committed(std::vector{task}); }
  void committed(const std::vector<Task>& tasks) {
    TaskCommitted event{.id = id_of(tasks), .done = {}};
    for (const auto& task : tasks) {
      event.done.push_back(
          {.last = RecordMark{task.range.until - 1, 5, 6}, .records = 1, .bytes = 100});
    }
    on(std::move(event));
  }
  void failed(const Task& task, ErrorKind kind, std::optional<LogBounds> bounds = {}) {
    TaskFailed event{{task.time, task.range.tp}, {kind, Cause::sink, "it failed"}, 0.0, bounds};
    if (kind == ErrorKind::data_loss) event.task = 0;
    on(std::move(event));
  }
  /// The transaction of all of them.
  void failed(const std::vector<Task>& tasks, ErrorKind kind) { failed(tasks.front(), kind); }
  static TaskId id_of(const std::vector<Task>& tasks) {
    return {tasks.front().time, tasks.front().range.tp};
  }
  LedgerEntry ledger(Offset until, std::int64_t epoch = 7, std::string owner = "me",
                     BatchTime time = {}) const {
    return {until, epoch, std::move(owner), "semel on otherhost, pid 5", "2026-01-01", time};
  }
};

inline Progress at(const TopicPartition& tp, Offset until) {
  return {tp, until, {}, {}};
}

inline std::optional<Error> finished(Driver& driver) {
  const auto finish = driver.take<Finish>();
  REQUIRE(finish.size() == 1);
  return finish[0].error;
}

}  // namespace semel::core::test
