// The driver: start-up, the loop around core::step, shut-down.
#include "engine/pipeline.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>

#include "base/crash_point.hpp"
#include "core/driver.hpp"
#include "engine/executor.hpp"
#include "engine/jitter.hpp"
#include "engine/ledger_keeper.hpp"
#include "engine/offsets_watcher.hpp"
#include "engine/plan_log.hpp"
#include "engine/same_cluster.hpp"
#include "engine/state_directory.hpp"
#include "kafka/planner_client.hpp"

namespace semel::engine {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::int64_t request_timeout_ms_max = 5'000;
// Stopping: how long all that runs may stand still at least, and how often that is looked at.
constexpr auto stop_patience = std::chrono::seconds(2);
constexpr auto look_again = std::chrono::milliseconds(50);

// Deciding looks at every partition, at about 0.1 µs each (measured with 5,000): where they are
// many, events are collected for so long that it takes a twentieth of a core, however many they
// are.
constexpr std::chrono::microseconds pause_per_partition{2};
constexpr std::chrono::milliseconds shortest_pause{1};

spdlog::level::level_enum level_of(core::NoticeLevel level) {
  switch (level) {
    case core::NoticeLevel::detail:
      return spdlog::level::debug;
    case core::NoticeLevel::info:
      return spdlog::level::info;
    case core::NoticeLevel::warning:
      return spdlog::level::warn;
  }
  return spdlog::level::info;
}

std::string random_uuid() {
  uuid_t id;
  uuid_generate_random(id);
  char text[37];
  uuid_unparse_lower(id, text);
  return text;
}

std::string who_we_are() {
  char host[256] = "unknown host";
  gethostname(host, sizeof host - 1);
  return fmt::format("semel on {}, pid {}", host, getpid());
}

/// Milliseconds since the epoch that do not jump: the wall clock as it was at the start, moved on
/// by the monotonic one.
class SteadyWallClock {
 public:
  std::int64_t now_ms() const {
    return start_wall_ms_ +
           std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_).count();
  }
  Clock::time_point at(std::int64_t ms) const {
    // Far deadlines (nothing due) are cut: waking up once an hour costs nothing.
    const auto delta =
        std::min<std::int64_t>(ms - start_wall_ms_, now_ms() - start_wall_ms_ + 3'600'000);
    return start_ + std::chrono::milliseconds(delta);
  }

 private:
  Clock::time_point start_ = Clock::now();
  std::int64_t start_wall_ms_ = std::chrono::duration_cast<std::chrono::milliseconds>(
                                    std::chrono::system_clock::now().time_since_epoch())
                                    .count();
};

}  // namespace

std::string topics_of(const kafka::Options& kafka) {
  if (!kafka.topic_pattern.empty()) return "all that match " + kafka.topic_pattern;
  auto topics = kafka.topics;
  std::ranges::sort(topics);
  return fmt::format("{}", fmt::join(topics, ", "));
}

struct Pipeline::Impl {
  PipelineOptions options;
  SinkFactory make_sink;
  EventChannel events;
  StopFlags flags;
  std::atomic<bool> started{false};
  Clock::time_point stopping_since{};  ///< as drive() saw it
  SteadyWallClock clock;

  DriverCost cost;
  DriverTurn turn;  ///< of drive(), as far as it has come

  std::optional<std::string> failure;  ///< by which run() ended; for the ledger

  mutable std::mutex snapshot_mutex;
  Snapshot latest_snapshot;

  // In the order in which they come to life; the destructor takes them down in reverse.
  std::unique_ptr<Sink> sink;
  std::unique_ptr<PlanLog> plans;
  std::string plans_note;  ///< why it is not where it usually is
  std::unique_ptr<core::DriverState> state;
  std::unique_ptr<LedgerKeeper> keeper;
  std::unique_ptr<OffsetsWatcher> watcher;
  std::vector<std::unique_ptr<Executor>> executors;
  std::map<TopicPartition, std::size_t> executor_of;

  Impl(PipelineOptions pipeline_options, SinkFactory factory)
      : options(std::move(pipeline_options)), make_sink(std::move(factory)) {
    options.kafka.reader_memory_bytes =
        (options.memory_limit_bytes - memory_of_the_rest) / std::max(options.executors, 1);
  }

  /// Calls `attempt` until it succeeds; gives up on what waiting does not mend, after
  /// startup_timeout_ms, or when asked to stop (then with Cause::internal and kind unavailable).
  template <class Attempt>
  auto at_start(Attempt attempt) -> decltype(attempt()) {
    const auto give_up = Clock::now() + std::chrono::milliseconds(options.startup_timeout_ms);
    for (int failures = 1;; ++failures) {
      auto result = attempt();
      if (result) return result;
      const auto decision =
          core::decide_retry(options.retry, result.error().kind, failures, jitter());
      const auto delay = std::chrono::milliseconds(decision.delay_ms);
      if (decision.give_up || flags.stopping || Clock::now() + delay > give_up) return result;
      if (failures == 1) spdlog::warn("{}; trying again", result.error().message);
      for (const auto end = Clock::now() + delay; !flags.stopping && Clock::now() < end;) {
        std::this_thread::sleep_for(std::min<Clock::duration>(look_again, end - Clock::now()));
      }
      if (flags.stopping) return result;
    }
  }

  Result<void> start();
  Result<void> open_plans();
  Result<Snapshot> drive();
  /// False: the driver is done, and `outcome` says how.
  bool obey(core::Action& action, Result<Snapshot>& outcome);
  void submit(Task task);
  void publish();
  /// Stopping, and no executor is worth waiting for.
  bool nothing_moves();
  /// Nothing new begins, and what runs is dropped unless all is `clean`. Does not wait.
  void let_go(bool clean);
  void close();
};

Result<void> Pipeline::Impl::start() {
  auto client = kafka::PlannerClient::connect(options.kafka, options.name);
  if (!client) return tl::unexpected(client.error());
  const auto timeout_ms =
      static_cast<int>(std::min(request_timeout_ms_max, options.startup_timeout_ms));
  auto cluster = at_start([&] { return (*client)->cluster_id(timeout_ms); });
  if (!cluster) return tl::unexpected(cluster.error());
  (*client)->expect_cluster(*cluster);
  options.kafka.cluster_id = *cluster;
  auto partitions = at_start([&] { return (*client)->discover(timeout_ms); });
  if (!partitions) return tl::unexpected(partitions.error());
  if (partitions->partitions.empty() && !options.kafka.topic_pattern.empty()) {
    spdlog::warn("no topic matches {}{}", options.kafka.topic_pattern,
                 options.once ? "" : "; new ones are looked for while the pipeline runs");
  }

  // Opening takes about as long as connecting to the sink, so it is done meanwhile.
  auto opening = std::async(std::launch::async, [this] { return open_plans(); });

  crash_point(CrashPoint::found_partitions);
  const Owner owner{.pipeline = options.name,
                    .output = options.output,
                    .id = random_uuid(),
                    .description = who_we_are(),
                    .reads = topics_of(options.kafka),
                    .heartbeat_ms = options.heartbeat_ms};
  auto made = at_start([&] { return make_sink(owner); });
  if (!made) return tl::unexpected(made.error());
  sink = *std::move(made);
  // Whoever cannot go on afterwards must not fence the one that is at work.
  auto opened = opening.get();
  if (!opened) return opened;
  auto recovered = plans->load();
  if (!recovered) return tl::unexpected(recovered.error());
  auto claim = at_start([&] { return sink->take_over(*cluster); });
  if (!claim) return tl::unexpected(claim.error());
  crash_point(CrashPoint::read_ledger);
  if (auto same = same_cluster(options, claim->cluster_id, *cluster); !same) return same;
  if (!claim->previous_owner.empty()) {
    spdlog::info("took over pipeline {} from {}", options.name, claim->previous_owner);
  }

  for (int i = 0; i < std::max(options.executors, 1); ++i) {
    executors.push_back(std::make_unique<Executor>(options, *sink, events, flags));
  }
  if (!plans_note.empty()) {
    // Held by the previous owner, most likely: that one is fenced by now.
    plans.reset();
    if (opened = open_plans(); !opened) return opened;
    recovered = plans->load();
    if (!recovered) return tl::unexpected(recovered.error());
  }
  if (!plans_note.empty()) spdlog::warn("{}", plans_note);
  crash_point(CrashPoint::recovered_plans);

  state = std::make_unique<core::DriverState>(
      core::DriverOptions{.limits = options.limits,
                          .retry = options.retry,
                          .owner = owner.id,
                          .once = options.once,
                          .skip_lost = options.on_data_loss == OnDataLoss::skip,
                          .pattern = !options.kafka.topic_pattern.empty(),
                          .discovery_interval_ms = options.kafka.discovery_interval_ms,
                          .startup_timeout_ms = options.startup_timeout_ms});
  keeper = std::make_unique<LedgerKeeper>(options, *sink, events, flags, *cluster);
  watcher = std::make_unique<OffsetsWatcher>(
      options, *std::move(client), events,
      [this](std::vector<Progress> starts) { keeper->enter(std::move(starts)); });
  events.push(core::Claimed{*std::move(claim), *std::move(recovered)});
  return {};
}

Result<void> Pipeline::Impl::open_plans() {
  plans_note.clear();
  auto log = PlanLog::open(state_directory(options), plans_note);
  if (!log) return tl::unexpected(log.error());
  plans = *std::move(log);
  return {};
}

Result<Snapshot> Pipeline::Impl::drive() {
  Result<Snapshot> outcome;
  while (true) {
    auto until = clock.at(core::next_wake_ms(*state));
    if (flags.stopping) until = std::min(until, Clock::now() + look_again);
    auto body = events.pop_until(until);
    if (!body && flags.stopping && nothing_moves()) body = core::Stalled{};
    const auto woken = Clock::now();
    const auto now_ms = clock.now_ms();
    std::vector<core::Event> arrived;
    arrived.push_back({now_ms, body ? *std::move(body) : core::EventBody(core::Tick{})});
    for (auto& more : events.take_all()) arrived.push_back({now_ms, std::move(more)});
    auto actions = core::step(*state, arrived);
    const auto decided = Clock::now();
    publish();
    turn = {.deciding = decided - woken};
    const bool goes_on =
        std::ranges::all_of(actions, [&](core::Action& action) { return obey(action, outcome); });
    turn.obeying = Clock::now() - decided;
    cost.add(turn);
    if (!goes_on) return outcome;
    if (const auto pause = pause_per_partition * state->partitions.size();
        pause >= shortest_pause) {
      std::this_thread::sleep_for(pause);
    }
  }
}

void Pipeline::Impl::submit(Task task) {
  // Sticky, so that a partition keeps its fetch session; dealt out in the order of first use.
  const auto [found, added] =
      executor_of.try_emplace(task.range.source, executor_of.size() % executors.size());
  executors[found->second]->submit(std::move(task));
}

bool Pipeline::Impl::obey(core::Action& action, Result<Snapshot>& outcome) {
  struct Obey {
    Impl& pipeline;
    Result<Snapshot>& outcome;

    bool stop(Error error) const {
      outcome = tl::unexpected(std::move(error));
      return false;
    }
    bool operator()(core::AskOffsets& ask) const {
      pipeline.watcher->ask(std::move(ask));
      return true;
    }
    bool operator()(core::EnterPartitions& enter) const {
      pipeline.watcher->resolve(std::move(enter));
      return true;
    }
    bool operator()(core::PersistPlan& plan) const {
      crash_point(CrashPoint::planned);
      const auto begun = Clock::now();
      auto put = pipeline.plans->put(plan.batch);
      pipeline.turn.planned.emplace_back(plan.batch.time, Clock::now() - begun);
      crash_point(CrashPoint::persisted_plan);
      return put ? true : stop(put.error());
    }
    bool operator()(core::StartTask& start) const {
      pipeline.submit(std::move(start.task));
      return true;
    }
    bool operator()(core::SettleDoubt& doubt) const {
      pipeline.keeper->settle(std::move(doubt.task));
      return true;
    }
    bool operator()(core::ForgetBatch& forget) const {
      crash_point(CrashPoint::settled);
      pipeline.turn.settled.push_back(forget.time);
      auto erased = pipeline.plans->erase(forget.time);
      crash_point(CrashPoint::forgot_plan);
      return erased ? true : stop(erased.error());
    }
    bool operator()(core::TakeOver&) const {
      pipeline.keeper->take_over();
      return true;
    }
    bool operator()(core::ShowProgress& progress) const {
      pipeline.watcher->show(std::move(progress));
      return true;
    }
    bool operator()(core::Notice& notice) const {
      spdlog::log(level_of(notice.level), "{}", notice.text);
      return true;
    }
    bool operator()(core::Finish& finish) const {
      if (finish.error) return stop(*std::move(finish.error));
      outcome = pipeline.latest_snapshot;
      return false;
    }
  };
  return std::visit(Obey{*this, outcome}, action);
}

void Pipeline::Impl::publish() {
  const auto& totals = state->totals;
  const auto lag = core::lag(*state);
  const Snapshot snapshot{.offsets = totals.offsets,
                          .records = totals.records,
                          .lost = totals.lost,
                          .uncounted = totals.uncounted,
                          .rows = totals.counts.rows,
                          .dead_letters = totals.counts.dead_letters,
                          .unknown_fields = totals.counts.unknown_fields,
                          .ignored = totals.counts.ignored,
                          .suppressed = totals.counts.suppressed,
                          .batches = totals.batches,
                          .retries = totals.retries,
                          .lag = lag,
                          .caught_up = lag == 0 && core::caught_up(*state)};
  const std::lock_guard lock(snapshot_mutex);
  latest_snapshot = snapshot;
}

bool Pipeline::Impl::nothing_moves() {
  const auto now = Clock::now();
  if (stopping_since == Clock::time_point{}) stopping_since = now;
  return now > stopping_since + stop_patience &&
         std::ranges::all_of(executors, [&](const auto& executor) {
           return !executor->busy() || executor->stuck(now);
         });
}

void Pipeline::Impl::let_go(bool clean) {
  flags.stopping = true;
  flags.abandoned =
      !clean || std::ranges::any_of(executors, [](const auto& each) { return each->busy(); });
  for (auto& executor : executors) executor->finish();
}

void Pipeline::Impl::close() {
  if (flags.abandoned && sink) sink->interrupt();
  for (auto& executor : executors) executor->close();
  // The watcher hands partitions to the keeper: it goes first.
  if (watcher) watcher->close();
  if (keeper) keeper->close();
  if (sink) sink->leave(failure);
  executors.clear();
  watcher.reset();
  keeper.reset();
  sink.reset();
}

Pipeline::Pipeline(PipelineOptions options, SinkFactory make_sink)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(make_sink))) {}

Pipeline::~Pipeline() {
  close();
}

Result<Snapshot> Pipeline::run() {
  if (auto started = impl_->start(); !started) {
    const bool asked_to_stop = impl_->flags.stopping;
    impl_->let_go(false);
    impl_->failure = started.error().message;
    // Asked to stop before it began: nothing was done, and that is what was wanted.
    if (asked_to_stop && started.error().kind == ErrorKind::unavailable) {
      return Snapshot{};
    }
    return tl::unexpected(started.error());
  }
  impl_->started = true;
  auto outcome = impl_->drive();
  impl_->let_go(outcome.has_value());
  if (!outcome) impl_->failure = outcome.error().message;
  return outcome;
}

void Pipeline::close() {
  impl_->close();
}

bool Pipeline::started() const noexcept {
  return impl_->started;
}

void Pipeline::request_stop() noexcept {
  impl_->flags.stopping = true;
  impl_->events.push(core::StopRequested{});
}

const DriverCost& Pipeline::driver_cost() const {
  return impl_->cost;
}

Snapshot Pipeline::snapshot() const {
  const std::lock_guard lock(impl_->snapshot_mutex);
  return impl_->latest_snapshot;
}

}  // namespace semel::engine
