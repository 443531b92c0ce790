// Several at once: sessions of one sink, owners that follow each other, calls that wait.
#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

/// Whether a task is to be tried again: in all else it is over.
template <class T>
bool may_pass(const Result<T>& result) {
  if (result) return false;
  const auto kind = result.error().kind;
  return kind == ErrorKind::unavailable || kind == ErrorKind::retriable;
}

constexpr int tries_max = 50;

/// As an executor does it.
Result<CommitResult> run_until_over(Process& process, const Task& task) {
  auto result = process.run(task);
  for (int tries = 1; may_pass(result) && tries < tries_max; ++tries) {
    process.session->abort();
    std::this_thread::sleep_for(std::chrono::milliseconds(tries));
    result = process.run(task);
  }
  return result;
}

/// As an owner that starts does it.
TakenOver take_over(Sink& sink, std::chrono::milliseconds pace) {
  auto taken = sink.take_over(cluster);
  for (int tries = 1; tries < tries_max && may_pass(taken); ++tries) {
    std::this_thread::sleep_for(tries * pace);
    taken = sink.take_over(cluster);
  }
  return must(std::move(taken), "take_over()");
}

/// What a thread uses, for as long as it runs.
struct Working {
  std::shared_ptr<Subject> subject;
  Process process;
  std::atomic<int> commits{0};
  std::atomic<bool> fenced{false};  ///< and should have ended
  std::atomic<bool> over{false};

  Working(std::shared_ptr<Subject> s, const std::string& who)
      : subject(std::move(s)), process(*subject, who) {}
};

/// One begins and writes, then another one does, then both commit.
void sessions_open_at_once(Trial& trial) {
  const auto keeper = std::make_shared<Working>(trial.subject, "a");
  auto& process = keeper->process;
  process.take_over();
  const std::vector<OffsetRange> ranges{{{"clicks", 0}, 0, 10}, {{"clicks", 1}, 100, 110}};
  process.enter({{.tp = ranges[0].tp, .until = 0}, {.tp = ranges[1].tp, .until = 100}});
  InThread both(
      [keeper, ranges] {
        auto& one = keeper->process;
        std::vector<std::unique_ptr<SinkSession>> sessions;
        std::vector<Task> tasks;
        for (const auto& range : ranges) {
          tasks.push_back(one.tasks({range}).front());
          one.must_begin(tasks.back());
          one.must_write(range.from, range.until);
          sessions.push_back(std::move(one.session));
        }
        for (std::size_t i = 0; i < ranges.size(); ++i) {
          one.session = std::move(sessions[i]);
          auto result = one.commit();
          if (may_pass(result)) result = run_until_over(one, tasks[i]);
          committed(result);
        }
        one.session.reset();
      },
      trial.options.hangs_after);
  both.end("a session beside one that has begun, and not committed,");
  auto rows = offsets(0, 10);
  for (const auto offset : offsets(100, 110)) rows.push_back(offset);
  trial.stored(rows);
  const auto progress = process.keep_alive().progress;
  same("how many partitions there are", progress.size(), 2);
  same("the position of the first", progress[0].until, 10);
  same("the position of the second", progress[1].until, 110);
}

void sessions_side_by_side(Trial& trial) {
  constexpr int ranges = 20;
  constexpr int records = 5;
  Process owner(*trial.subject, "a");
  owner.take_over();
  const std::vector<Offset> begins{0, 1'000, 2'000};
  std::vector<Progress> starts;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    starts.push_back({.tp = {"clicks", static_cast<std::int32_t>(i)}, .until = begins[i]});
  }
  owner.enter(starts);
  // Sinks are shared by the executors; sessions are not.
  const std::shared_ptr<Sink> sink = std::move(owner.sink);
  std::vector<std::unique_ptr<InThread>> threads;
  for (const auto& start : starts) {
    const auto executor = std::make_shared<Working>(trial.subject, "a");
    executor->process.session = must(sink->open_session(), "open_session()");
    executor->process.epoch = owner.epoch;
    executor->process.time = owner.time;
    threads.push_back(std::make_unique<InThread>(
        [executor, sink, start] {
          auto& process = executor->process;
          for (Offset from = start.until; from < start.until + ranges * records; from += records) {
            const auto task = process.tasks({{start.tp, from, from + records}}).front();
            committed(run_until_over(process, task));
          }
          process.session.reset();
        },
        ranges * trial.options.hangs_after));
  }
  for (const auto& thread : threads) thread->end("an executor");
  std::vector<Offset> all;
  for (const auto begin : begins) {
    for (const auto offset : offsets(begin, begin + ranges * records)) all.push_back(offset);
  }
  trial.stored(all);
  const auto progress = must(sink->keep_alive(), "keep_alive()").progress;
  same("how many partitions there are", progress.size(), begins.size());
  for (std::size_t i = 0; i < begins.size(); ++i) {
    same("the position of " + told(progress[i].tp), progress[i].until,
         begins[i] + ranges * records);
  }
}

/// An owner at work, range after range, until it is refused; or goes on though it was fenced.
void work(Working& owner) {
  constexpr int tries_when_fenced = 3;
  Offset from = 0;
  for (int tries = 0; tries < tries_when_fenced; ++from) {
    if (owner.fenced) ++tries;
    const auto result = run_until_over(owner.process, owner.process.task(from, from + 1));
    if (!result || std::holds_alternative<Refused>(*result)) break;
    ++owner.commits;
  }
  owner.process.session.reset();
  owner.over = true;
}

void nothing_follows_a_take_over(Trial& trial) {
  constexpr int rounds = 8;
  for (int round = 0; round < rounds; ++round) {
    const auto pipeline = "pipe-" + std::to_string(round);
    const auto old = std::make_shared<Working>(trial.subject, "a");
    old->process.owner.pipeline = pipeline;
    old->process.sink = trial.subject->open(old->process.owner);
    old->process.start();
    old->process.in_session();
    InThread at_work([old] { work(*old); }, trial.options.hangs_after);
    while (old->commits < 2 && !old->over) std::this_thread::yield();
    holds("an owner commits one range after the other", old->commits >= 2);
    Process heir(*trial.subject, "b", pipeline);
    const auto taken = take_over(*heir.sink, std::chrono::milliseconds(1)).progress.at(0).until;
    old->fenced = true;
    at_work.end("an owner that was fenced");
    same("the position, which a take-over has read, after the owner before has ended",
         heir.keep_alive().progress.at(0).until, taken);
  }
}

void one_of_two_owns(Trial& trial) {
  constexpr int rounds = 8;
  for (int round = 0; round < rounds; ++round) {
    const auto pipeline = "pipe-" + std::to_string(round);
    std::vector<std::shared_ptr<Working>> both;
    std::vector<std::unique_ptr<InThread>> threads;
    for (const auto* who : {"a", "b"}) {
      both.push_back(std::make_shared<Working>(trial.subject, who));
      auto& process = both.back()->process;
      process.owner.pipeline = pipeline;
      process.sink = trial.subject->open(process.owner);
      // Two that end each other's sessions go on at different paces.
      const std::chrono::milliseconds pace(both.size() * 7);
      threads.push_back(std::make_unique<InThread>(
          [one = both.back(), pace] {
            one->process.epoch = take_over(*one->process.sink, pace).epoch;
          },
          trial.options.hangs_after));
    }
    for (const auto& thread : threads) thread->end("take_over()");
    auto& first = both[0]->process;
    auto& second = both[1]->process;
    holds("two that take over at once get different epochs", first.epoch != second.epoch);
    auto& owner = first.epoch > second.epoch ? first : second;
    auto& other = first.epoch > second.epoch ? second : first;
    same("the owner", owner.keep_alive().ledger.owner, owner.owner.id);
    same("the owner that the other one sees", other.keep_alive().ledger.owner, owner.owner.id);
  }
}

void waiting_is_interrupted(Trial& trial) {
  const auto keeper = std::make_shared<Working>(trial.subject, "a");
  keeper->process.start();
  keeper->process.store(0, 10);
  auto somebody = trial.subject->hold_up();
  if (!somebody) skip("hold_up() is nobody: no call has to wait");
  const auto what = "a call that waits for somebody, after interrupt(),";
  {
    InThread asks(
        [keeper] {
          must_fail(keeper->process.sink->keep_alive(),
                    "keep_alive() while somebody is in the way");
        },
        trial.options.hangs_after);
    InThread commits(
        [keeper] {
          auto& process = keeper->process;
          must_fail(process.run(process.task(10, 11)), "a commit while somebody is in the way");
          process.session->abort();
          process.session.reset();
        },
        trial.options.hangs_after);
    // Long enough to be waiting; where they are not, they are to end all the same.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    keeper->process.sink->interrupt();
    asks.end(what);
    commits.end(what);
  }
  somebody.reset();
  Process heir(*trial.subject, "b");
  const auto at = heir.take_over().progress.at(0).until;
  // Where the commit had come through to the store, it may have happened.
  holds("the position is that of the range before, or of the one that was interrupted",
        at == 10 || at == 11);
  trial.stored(offsets(0, at));
}

constexpr std::array of_concurrency{
    Rule{"sessions of one sink are open at once, and keep each other's moves", Needs::nothing,
         sessions_open_at_once},
    Rule{"sessions of one sink commit side by side, each its own chain", Needs::nothing,
         sessions_side_by_side},
    Rule{"nothing of the owner before follows what a take-over has read", Needs::ledger,
         nothing_follows_a_take_over},
    Rule{"of two that take over at once, one owns", Needs::ledger, one_of_two_owns},
    Rule{"a call that waits for somebody ends soon after an interrupt", Needs::ledger,
         waiting_is_interrupted}};

}  // namespace

std::span<const Rule> concurrency_rules() {
  return of_concurrency;
}

}  // namespace semel::contract
