#include "testing/process.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "engine/notice_level.hpp"
#include "engine/own_batches.hpp"
#include "stream/batch_state.hpp"

namespace semel::testing {

namespace {

constexpr auto cluster = "trial";

// A batch that fails so often in a row never succeeds: the driver gives up long before.
constexpr int waits_max = 1'000;

void or_throw(const Result<void>& result) {
  if (!result) throw Failed(result.error());
}

/// A copy, so that what it keeps by value is as at the beginning.
stream::Pipeline streams_of(Trial::Program program) {
  stream::Pipeline pipeline{Config()};
  program(pipeline);
  or_throw(stream::leads_somewhere(*pipeline.content().graph));
  pipeline.content().graph->closed = true;
  return pipeline;
}

core::DriverOptions options_of(const stream::Pipeline::Content& content, const std::string& owner,
                               const TrialOptions& options) {
  const auto batches = stream::batches_of(*content.graph);
  core::DriverOptions driver;
  driver.limits.interval_ms = options.interval.count();
  driver.limits.max_records_per_partition = std::numeric_limits<std::int64_t>::max();
  // No time passes before another try: what comes out is not to depend on it.
  driver.retry.backoff_ms_min = driver.retry.backoff_ms_max = 0;
  driver.owner = owner;
  driver.clock = engine::clock_of(batches);
  driver.commit = batches == OwnOutput::Batches::not_counted ? core::CommitUnit::range
                                                             : core::CommitUnit::batch;
  driver.pattern = !content.sources->together().pattern.empty();
  driver.discovery_interval_ms = options.interval.count();
  return driver;
}

core::TaskId id_of(const std::vector<Task>& tasks) {
  return {tasks.front().time, tasks.front().range.tp};
}

}  // namespace

Process::Process(World& world, const Trial::Program& program, const TrialOptions& options)
    : world_(world),
      id_(fmt::format("process {}", ++world.processes)),
      log_(options.log ? options.log : LogCallback([](LogLevel, std::string_view) {}),
           LogLevel::info),
      pipeline_(streams_of(program)),
      state_(options_of(pipeline_.content(), id_, options)) {
  check_topics();
  open_state(options);
  std::vector<stream::NamedSink> sinks;
  for (const auto& output : graph().outputs) {
    auto& table = world_.tables[output.output];
    tables_.push_back(&table);
    sinks.push_back({output.output, sink_of(table, id_, world_.moments)});
  }
  std::optional<std::size_t> home;
  if (store_ && options.state_in_sink) {
    const auto chosen = stream::choose_home(sinks, "");
    if (!chosen) throw Failed(chosen.error());
    home = *chosen;
  }
  outputs_ =
      std::make_unique<stream::Outputs>(stream::Shared{.graph = pipeline_.content().graph,
                                                       .sources = pipeline_.content().sources,
                                                       .state = store_,
                                                       .home = home,
                                                       .empty_state = false,
                                                       .drop_state = options.drop_state,
                                                       .owner = id_,
                                                       .log = log_},
                                        std::move(sinks));
}

Process::~Process() = default;

void Process::check_topics() const {
  for (const auto& topic : pipeline_.content().sources->together().names) {
    if (world_.topics.has(topic)) continue;
    throw Failed({ErrorKind::fatal, Cause::program,
                  fmt::format("topic {} is read, and is not there: make it by topic()", topic)});
  }
}

void Process::open_state(const TrialOptions& options) {
  if (graph().states.empty()) return;
  auto& moments = world_.moments;
  auto opened = state::Store::open(memory_disk(
      world_.state, {.before =
                         [&moments](bool sync) {
                           moments.once(sync ? Place::wrote_rows : Place::committed_outputs);
                         },
                     .after =
                         [&moments](const Changes&, bool sync) {
                           moments.once(sync ? Place::prepared_state : Place::applied_state);
                         }}));
  if (!opened) throw Failed(opened.error());
  store_ = *std::move(opened);
  if (options.state_in_sink) return;
  or_throw(stream::check_stages(graph(), *store_, options.drop_state));
}

std::vector<TopicPartition> Process::reads() const {
  auto all = world_.topics.partitions();
  std::erase_if(all,
                [this](const auto& tp) { return pipeline_.content().sources->of(tp).empty(); });
  return all;
}

bool Process::reads_by_pattern() const {
  return !pipeline_.content().sources->together().pattern.empty();
}

void Process::run() {
  if (!std::exchange(started_, true)) {
    std::vector<core::Batch> plans;
    for (const auto& [time, batch] : world_.plans) plans.push_back(batch);
    take_over(std::move(plans));
  }
  step(core::Tick{});
  // What failed is tried again.
  for (int waits = 0; !state_.batches.empty() || state_.phase != core::Phase::running; ++waits) {
    const auto wake = core::next_wake_ms(state_);
    if (waits == waits_max || wake == std::numeric_limits<std::int64_t>::max()) {
      throw Failed({ErrorKind::fatal, Cause::internal, "a batch of the trial does not move"});
    }
    world_.now_ms = std::max(world_.now_ms, wake);
    step(core::Tick{});
  }
}

void Process::step(core::EventBody first) {
  inbox_.push_back(std::move(first));
  while (!inbox_.empty()) {
    auto body = std::move(inbox_.front());
    inbox_.pop_front();
    for (auto& action : core::step(state_, core::Event{world_.now_ms, std::move(body)})) {
      std::visit([this](auto& what) { obey(what); }, action);
    }
  }
}

void Process::take_over(std::vector<core::Batch> recovered) {
  auto taken = outputs_->take_over(cluster);
  if (!taken) throw Failed(taken.error());
  world_.moments.pass(Place::took_over);
  inbox_.push_back(core::TookOver{*std::move(taken), std::move(recovered)});
}

core::EventBody Process::attempt(const std::vector<Task>& tasks) {
  const auto failed = [&](const Error& error) {
    return core::TaskFailed{id_of(tasks), error, 0.5, std::nullopt};
  };
  if (!session_) session_ = *outputs_->open_session();
  const auto begun = session_->begin(tasks);
  if (!begun) return failed(begun.error());
  if (*begun) return core::TaskRefused{id_of(tasks), (*begun)->ledger, (*begun)->task};
  std::vector<RangeEnd> ends;
  core::TaskCommitted done{id_of(tasks), {}};
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    ends.push_back({tasks[i].last});
    done.done.emplace_back();
    if (is_batches(tasks[i].range.tp)) continue;
    const auto records = world_.topics.read(tasks[i].range);
    if (auto written = session_->write(i, records); !written) return failed(written.error());
    ends[i].last = mark_of(records.back());
    done.done[i] = {.last = ends[i].last, .records = records.size()};
  }
  world_.moments.begin_commit();
  const auto result = session_->commit(ends);
  if (!result) return failed(result.error());
  if (const auto* refused = std::get_if<Refused>(&*result)) {
    return core::TaskRefused{id_of(tasks), refused->ledger, refused->task};
  }
  world_.moments.once(Place::committed_outputs);
  return done;
}

core::OffsetsSeen Process::answer(const core::AskOffsets& ask) const {
  core::OffsetsSeen seen;
  if (ask.discover) seen.partitions.emplace();
  for (const auto& tp : reads()) {
    if (ask.discover) {
      seen.partitions->push_back(tp);
    } else if (std::ranges::find(ask.tps, tp) == ask.tps.end()) {
      continue;
    }
    seen.earliest[tp] = 0;
    const auto end = world_.ends.find(tp);
    seen.latest[tp] = end == world_.ends.end() ? 0 : end->second;
  }
  return seen;
}

void Process::obey(core::AskOffsets& ask) {
  inbox_.push_back(answer(ask));
}

void Process::obey(core::EnterPartitions& enter) {
  std::vector<Progress> starts;
  for (const auto* tps : {&enter.at_start, &enter.at_earliest}) {
    for (const auto& tp : *tps) starts.push_back({.tp = tp, .last = {}});
  }
  if (enter.batches) starts.push_back({.tp = core::batches_partition(), .last = {}});
  auto entered = outputs_->enter(starts);
  if (!entered) throw Failed(entered.error());
  if (auto* refused = std::get_if<Refused>(&*entered)) {
    inbox_.push_back(core::OwnerSeen{refused->ledger, {}});
  } else {
    inbox_.push_back(core::Entered{std::get<std::vector<Progress>>(*std::move(entered))});
  }
}

void Process::obey(core::PersistPlan& plan) {
  world_.moments.pass(Place::planned);
  world_.plans[plan.batch.time] = plan.batch;
  world_.moments.pass(Place::persisted_plan);
}

void Process::obey(core::StartTasks& start) {
  auto body = attempt(start.tasks);
  world_.moments.end_commit();
  if (!std::holds_alternative<core::TaskCommitted>(body)) session_->abort();
  inbox_.push_back(std::move(body));
}

void Process::obey(core::ResolveDoubt& doubt) {
  auto ledger = outputs_->resolve(doubt.tasks);
  if (ledger) {
    inbox_.push_back(core::DoubtResolved{id_of(doubt.tasks), *std::move(ledger)});
  } else {
    inbox_.push_back(core::DoubtUnresolved{id_of(doubt.tasks), ledger.error(), 0.5});
  }
}

void Process::obey(core::ForgetBatch& forget) {
  world_.moments.pass(Place::settled);
  world_.plans.erase(forget.time);
  world_.moments.pass(Place::forgot_plan);
}

void Process::obey(core::TakeOver&) {
  take_over({});
}

void Process::obey(core::Notice& notice) {
  log_.put(engine::level_of(notice.level), "{}", notice.text);
}

void Process::obey(core::Finish& finish) {
  throw Failed(finish.error ? *std::move(finish.error)
                            : Error{ErrorKind::fatal, Cause::internal,
                                    "a process of the trial ended without a reason"});
}

}  // namespace semel::testing
