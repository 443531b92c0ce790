#include <fmt/format.h>
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include <semel/failed.hpp>
#include <semel/testing.hpp>

#include "base/joined.hpp"
#include "core/planner.hpp"
#include "testing/process.hpp"

namespace semel::testing {

namespace {

[[noreturn]] void misused(std::string what) {
  throw Failed({ErrorKind::fatal, Cause::program, std::move(what)});
}

}  // namespace

struct Trial::Impl {
  Impl(Program of, TrialOptions with) : program(std::move(of)), options(std::move(with)) {
    world.now_ms = options.start_ms;
  }

  void need_process() {
    if (!process) process = std::make_unique<Process>(world, program, options);
  }
  void begin_batch();
  void end_process(bool to_be_continued) {
    process.reset();
    died = to_be_continued;
  }
  Offset committed(const TopicPartition& tp) const;
  BatchTime newest() const;
  bool caught_up() const;
  const Table& table(std::string_view output) const;

  Program program;
  TrialOptions options;
  World world;
  std::unique_ptr<Process> process;
  bool died = false;         ///< in a batch, which is to be gone on with
  std::int64_t next_ms = 0;  ///< no batch before
  BatchTime newest_before;   ///< before the batch that is run
  std::vector<std::string> notes;
};

/// Where the output stands that is furthest.
Offset Trial::Impl::committed(const TopicPartition& tp) const {
  Offset furthest = 0;
  for (const auto& [name, table] : world.tables) {
    if (const auto* at = table.ledger.progress(tp)) furthest = std::max(furthest, at->until);
  }
  return furthest;
}

BatchTime Trial::Impl::newest() const {
  BatchTime newest;
  for (const auto& [name, table] : world.tables) newest = std::max(newest, table.ledger.highest());
  return newest;
}

bool Trial::Impl::caught_up() const {
  return std::ranges::all_of(process->reads(), [this](const auto& tp) {
    return std::ranges::all_of(process->tables(), [&](const Table* table) {
      const auto* at = table->ledger.progress(tp);
      return (at == nullptr ? 0 : at->until) == world.topics.end(tp);
    });
  });
}

const Table& Trial::Impl::table(std::string_view output) const {
  if (const auto found = world.tables.find(output); found != world.tables.end()) {
    return found->second;
  }
  std::vector<std::string> names;
  for (const auto& [name, table] : world.tables) names.push_back(name);
  misused(fmt::format("no process had an output {} so far: there is {}", output,
                      names.empty() ? "none before the first batch" : joined(names, ", ")));
}

/// What the batch is to have, and when it is.
void Trial::Impl::begin_batch() {
  world.now_ms = std::max(world.now_ms, next_ms);
  next_ms = world.now_ms + options.interval.count();
  newest_before = newest();
  std::vector<core::Plannable> waiting;
  world.ends.clear();
  const auto read = process->reads();
  for (const auto& tp : world.topics.partitions()) {
    const bool of_a_source = std::ranges::any_of(
        read, [&tp](const TopicPartition& other) { return other.topic == tp.topic; });
    if (of_a_source || process->reads_by_pattern() || world.topics.end(tp) == 0) continue;
    misused(fmt::format("topic {} has records, and no source of the pipeline reads it", tp.topic));
  }
  for (const auto& tp : read) {
    const auto from = world.ends[tp] = committed(tp);
    const auto end = world.topics.end(tp);
    if (end > from) waiting.push_back({tp, from, end});
  }
  core::Limits limits;
  limits.max_records = options.max_records;
  limits.max_records_per_partition = std::numeric_limits<std::int64_t>::max();
  for (const auto& range : core::plan_ranges(waiting, limits, {}))
    world.ends[range.tp] = range.until;
}

Trial::Trial(Program program, TrialOptions options)
    : impl_(std::make_unique<Impl>(std::move(program), std::move(options))) {
  if (impl_->options.interval.count() <= 0) misused("the interval of a trial is not above 0");
  if (impl_->options.start_ms <= 0) misused("the clock of a trial does not begin above 0");
}
Trial::Trial(Trial&&) noexcept = default;
Trial& Trial::operator=(Trial&&) noexcept = default;
Trial::~Trial() = default;

void Trial::topic(const std::string& name, std::int32_t partitions) {
  impl_->world.topics.make(name, partitions);
}

Offset Trial::produce(const std::string& topic, std::int32_t partition, Produced record) {
  return impl_->world.topics.produce(topic, partition, std::move(record), now_ms());
}

std::int64_t Trial::now_ms() const {
  return impl_->world.now_ms;
}

void Trial::advance(std::chrono::milliseconds by) {
  if (by.count() < 0) misused("the clock of a trial does not go back");
  impl_->world.now_ms += by.count();
}

Ran Trial::run_batch() {
  auto& impl = *impl_;
  while (true) {
    try {
      impl.need_process();
      if (!std::exchange(impl.died, false)) impl.begin_batch();
      impl.process->run();
      return impl.newest() > impl.newest_before ? Ran::batch : Ran::nothing;
    } catch (const Died&) {
      impl.end_process(true);
      if (!impl.options.go_on) return Ran::died;
    } catch (...) {
      impl.end_process(false);
      throw;
    }
  }
}

int Trial::catch_up() {
  for (int batches = 0;;) {
    const auto ran = run_batch();
    if (ran == Ran::died) continue;
    if (ran == Ran::batch) ++batches;
    if (impl_->caught_up()) return batches;
    if (ran == Ran::nothing) misused("an output is behind, and no batch comes of it");
  }
}

void Trial::crash_at(Place place, int pass) {
  if (pass < 1) misused("the passes of a place are counted from 1");
  impl_->world.moments.crash_at(place, pass);
}

int Trial::passes(Place place) const {
  return impl_->world.moments.passes(place);
}

void Trial::fail_commit(Trouble trouble, int commit) {
  if (commit < 1) misused("commits are counted from 1");
  impl_->world.moments.fail_commit(trouble, commit);
}

int Trial::commits() const {
  return impl_->world.moments.commits();
}

void Trial::restart() {
  impl_->process.reset();
}

void Trial::restart(Program program) {
  impl_->process.reset();
  impl_->program = std::move(program);
}

void Trial::restart_elsewhere() {
  impl_->process.reset();
  impl_->world.state = {};
  impl_->world.plans.clear();
}

const std::vector<Row>& Trial::rows(std::string_view output) const {
  return impl_->table(output).rows;
}

std::vector<std::string> Trial::values(std::string_view output) const {
  std::vector<std::string> all;
  for (const auto& row : rows(output)) all.push_back(row.value.value_or(""));
  return all;
}

const std::vector<DeadLetter>& Trial::dead_letters(std::string_view output) const {
  return impl_->table(output).dead_letters;
}

void Trial::note(std::string what) {
  impl_->notes.push_back(std::move(what));
}

const std::vector<std::string>& Trial::notes() const {
  return impl_->notes;
}

std::vector<std::string> Trial::outputs() const {
  std::vector<std::string> names;
  for (const auto& [name, table] : impl_->world.tables) names.push_back(name);
  return names;
}

std::string Trial::describe() const {
  const auto& world = impl_->world;
  std::string text;
  for (const auto& [topic, partitions] : world.topics.all()) {
    Offset records = 0;
    for (std::int32_t i = 0; i < partitions; ++i) records += world.topics.end({topic, i});
    text += fmt::format("topic {}: {} partitions, {} records\n", topic, partitions, records);
  }
  for (const auto& [name, table] : world.tables) {
    text += fmt::format("output {}: {} rows, {} dead letters\n", name, table.rows.size(),
                        table.dead_letters.size());
  }
  if (impl_->process) text += impl_->process->pipeline().describe();
  return text;
}

}  // namespace semel::testing
