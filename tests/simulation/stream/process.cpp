#include "simulation/stream/process.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "simulation/stream/sink.hpp"
#include "simulation/violation.hpp"
#include "stream/batch_state.hpp"

namespace semel::stream_simulation {

namespace {

constexpr auto cluster = "cluster";

core::DriverOptions options_of(const World& world, const std::string& owner) {
  core::DriverOptions options;
  options.limits = {.interval_ms = 10, .max_records_per_partition = 6};
  options.retry = {.max_failures = 1'000'000, .backoff_ms_min = 1, .backoff_ms_max = 50};
  options.owner = owner;
  options.commit = core::CommitUnit::batch;
  options.clock = world.ticks ? core::BatchClock::each_interval : core::BatchClock::with_records;
  options.discovery_interval_ms = 100;
  return options;
}

core::TaskId id_of(const std::vector<Task>& tasks) {
  return {tasks.front().time, tasks.front().range.tp};
}

}  // namespace

Process::Process(World& world, std::string id, std::size_t machine)
    : world_(world), id_(std::move(id)), machine_(machine), state_(options_of(world, id_)) {
  machine_of().plans.holder = id_;
  world_.machine_of[id_] = machine;
  to_keep_.emplace_back([this] { boot(); });
}

Process::~Process() {
  kill();
}

void Process::kill() {
  if (over_) return;
  over_ = true;
  close();
}

void Process::close() {
  executor_.kill();
  keeper_.kill();
  session_.reset();
  outputs_.reset();
  store_.reset();
  machine_of().plans.holder.clear();
}

void Process::finish(std::optional<Error> error) {
  over_ = true;
  error_ = std::move(error);
}

Result<void> Process::open() {
  std::vector<std::pair<std::string, Holds>> outputs;
  std::vector<stream::NamedSink> sinks;
  for (std::size_t i = 0; i < world_.outputs; ++i) {
    auto& database = world_.databases[i];
    outputs.emplace_back(database.name(), database.holds());
    sinks.push_back({database.name(), make_sink(world_, database, id_)});
  }
  program_ = make_program(outputs);
  if (world_.with_state) {
    auto store = state::Store::open(disk_of(machine_of().state, [this] { world_.step(); }));
    if (!store) return tl::unexpected(store.error());
    store_ = *std::move(store);
    if (!world_.home) {
      if (auto fits = stream::check_stages(*program_.graph, *store_, {}); !fits) return fits;
    }
  }
  std::optional<std::size_t> home;
  if (world_.home) {
    const auto chosen = stream::choose_home(sinks, "");
    if (!chosen) return tl::unexpected(chosen.error());
    home = *chosen;
  }
  const auto say = [this](LogLevel, std::string_view line) {
    world_.say(fmt::format("{}: {}", id_, line));
  };
  outputs_ = std::make_unique<stream::Outputs>(
      stream::Shared{.graph = program_.graph,
                     .sources = program_.sources,
                     .state = store_,
                     .home = home,
                     .empty_state = false,
                     .drop_state = {},
                     .owner = id_,
                     .log = world_.tell ? Log(say, LogLevel::info) : Log({}, LogLevel::error)},
      std::move(sinks));
  return {};
}

void Process::boot() {
  if (auto opened = open(); !opened) {
    inbox_.push_back(core::Broke{opened.error()});
    return;
  }
  take_over(machine_of().plans.load());
}

template <class Attempt>
void Process::until_done(Attempt attempt) {
  for (int failures = 1;; ++failures) {
    const Result<void> done = attempt();
    if (done) return;
    if (core::decide_retry(state_.options.retry, done.error().kind, failures, 0.5).give_up) {
      inbox_.push_back(core::Broke{done.error()});
      return;
    }
    Fiber::pause();
  }
}

void Process::take_over(std::vector<core::Batch> recovered) {
  until_done([&]() -> Result<void> {
    auto taken = outputs_->take_over(cluster);
    if (!taken) return tl::unexpected(taken.error());
    world_.say(fmt::format("{}: has taken over{}", id_,
                           taken->pending ? ", and something is pending" : ""));
    inbox_.push_back(core::TookOver{*std::move(taken), std::move(recovered)});
    return {};
  });
}

void Process::enter(const std::vector<Progress>& starts) {
  until_done([&]() -> Result<void> {
    auto entered = outputs_->enter(starts);
    if (!entered) return tl::unexpected(entered.error());
    if (auto* refused = std::get_if<Refused>(&*entered)) {
      inbox_.push_back(core::OwnerSeen{refused->ledger, {}});
    } else {
      inbox_.push_back(core::Entered{std::get<std::vector<Progress>>(*std::move(entered))});
    }
    return {};
  });
}

void Process::resolve(const std::vector<Task>& tasks) {
  auto ledger = outputs_->resolve(tasks);
  if (ledger) {
    inbox_.push_back(core::DoubtResolved{id_of(tasks), *std::move(ledger)});
  } else {
    inbox_.push_back(core::DoubtUnresolved{id_of(tasks), ledger.error(), 0.5});
  }
}

void Process::keep_alive() {
  const auto seen = outputs_->keep_alive();
  if (seen) inbox_.push_back(core::OwnerSeen{seen->ledger, seen->progress});
}

void Process::execute(const std::vector<Task>& tasks) {
  if (!session_) session_ = *outputs_->open_session();
  auto body = attempt(tasks);
  if (!std::holds_alternative<core::TaskCommitted>(body)) session_->abort();
  inbox_.push_back(std::move(body));
}

core::EventBody Process::attempt(const std::vector<Task>& tasks) {
  const auto failed = [&](Error error) {
    world_.say(fmt::format("{}: batch {}: {}", id_, tasks.front().time.ms, error.message));
    return core::TaskFailed{id_of(tasks), std::move(error), 0.5, std::nullopt};
  };
  const auto begun = session_->begin(tasks);
  if (!begun) return failed(begun.error());
  if (*begun) return core::TaskRefused{id_of(tasks), (*begun)->ledger, (*begun)->task};
  std::vector<RangeEnd> ends;
  core::TaskCommitted done{id_of(tasks), {}};
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    ends.push_back({tasks[i].last});
    done.done.emplace_back();
    if (is_batches(tasks[i].range.tp)) continue;
    const auto& range = tasks[i].range;
    const auto& log = world_.kafka.logs.at(range.tp);
    std::deque<std::string> values;
    std::vector<Record> records;
    for (auto offset = range.from; offset < range.until; ++offset) {
      const auto* entry = log.visible(offset);
      if (entry == nullptr) continue;
      values.push_back(value_of(entry->id));
      records.push_back({.offset = offset, .value = values.back()});
      ends[i].last = RecordMark{offset, 0, entry->id};
    }
    if (records.empty()) continue;
    if (auto written = session_->write(i, records); !written) return failed(written.error());
    done.done[i] = {.last = ends[i].last, .records = records.size(), .bytes = 10};
  }
  const auto result = session_->commit(ends);
  if (!result) return failed(result.error());
  if (const auto* refused = std::get_if<Refused>(&*result)) {
    return core::TaskRefused{id_of(tasks), refused->ledger, refused->task};
  }
  return done;
}

void Process::advance(std::int64_t now_ms) {
  if (over_ || paused) return;
  now_ms_ = std::max(now_ms_, now_ms);
  // Without faults everything has its turn; with them, chance may starve what it likes.
  switch (world_.trouble ? world_.choices.below(6) : turn_++ % 6) {
    case 0:
      if (executor_.busy()) return executor_.resume();
      if (to_execute_.empty()) return step(core::Tick{});
      executor_.run(std::exchange(to_execute_.front(), {}));
      return to_execute_.pop_front();
    case 1:
      if (keeper_.busy()) return keeper_.resume();
      if (to_keep_.empty()) return step(core::Tick{});
      keeper_.run(std::exchange(to_keep_.front(), {}));
      return to_keep_.pop_front();
    case 2:
      if (to_keep_.empty() && outputs_ && running())
        to_keep_.emplace_back([this] { keep_alive(); });
      return;
    case 3:
      return asked_ ? answer() : step(core::Tick{});
    default:
      break;
  }
  if (inbox_.empty()) return step(core::Tick{});
  auto body = std::move(inbox_.front());
  inbox_.pop_front();
  step(std::move(body));
}

void Process::step(core::EventBody body) {
  const bool broke = std::holds_alternative<core::Broke>(body);
  for (auto& action : core::step(state_, core::Event{now_ms_, std::move(body)})) {
    obey(action);
    if (over_) return close();
  }
  const auto wrong = broke ? std::nullopt : core::verify(state_);
  simulation::demand(!wrong, "driver", wrong.value_or(""));
}

void Process::obey(core::Action& action) {
  if (auto* ask = std::get_if<core::AskOffsets>(&action)) {
    asked_ = std::move(*ask);
  } else if (auto* enter_them = std::get_if<core::EnterPartitions>(&action)) {
    std::vector<Progress> starts;
    for (const auto* tps : {&enter_them->at_start, &enter_them->at_earliest}) {
      for (const auto& tp : *tps) starts.push_back({.tp = tp, .last = {}});
    }
    if (enter_them->batches) starts.push_back({.tp = core::batches_partition(), .last = {}});
    to_keep_.emplace_back([this, starts] { enter(starts); });
  } else if (auto* plan = std::get_if<core::PersistPlan>(&action)) {
    machine_of().plans.put(plan->batch, true);
  } else if (auto* forget = std::get_if<core::ForgetBatch>(&action)) {
    machine_of().plans.erase(forget->time);
  } else if (auto* start = std::get_if<core::StartTasks>(&action)) {
    to_execute_.emplace_back([this, tasks = start->tasks] { execute(tasks); });
  } else if (auto* doubt = std::get_if<core::ResolveDoubt>(&action)) {
    to_keep_.emplace_back([this, tasks = doubt->tasks] { resolve(tasks); });
  } else if (std::holds_alternative<core::TakeOver>(action)) {
    to_keep_.emplace_back([this] { take_over({}); });
  } else if (auto* notice = std::get_if<core::Notice>(&action)) {
    world_.say(fmt::format("{}: {}", id_, notice->text));
  } else if (auto* end = std::get_if<core::Finish>(&action)) {
    finish(end->error);
  }
}

void Process::answer() {
  const auto request = *std::exchange(asked_, std::nullopt);
  core::OffsetsSeen seen;
  if (request.discover) seen.partitions.emplace();
  for (const auto& [tp, log] : world_.kafka.logs) {
    if (!request.discover && std::ranges::count(request.tps, tp) == 0) continue;
    if (request.discover) {
      seen.partitions->push_back(tp);
      seen.earliest[tp] = 0;
    }
    seen.latest[tp] = log.last_stable();
  }
  inbox_.push_back(std::move(seen));
}

}  // namespace semel::stream_simulation
