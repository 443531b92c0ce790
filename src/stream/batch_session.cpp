#include "stream/batch_session.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <new>
#include <utility>

#include <semel/failed.hpp>
#include <semel/stream/rows.hpp>

#include "base/crash_point.hpp"
#include "stream/sources.hpp"

namespace semel::stream {

namespace {

// Of rows of a batch, so many are handed to a sink at once.
constexpr std::size_t rows_per_write = 1'000;

constexpr std::string_view bad_code = "FUNCTION";

/// What user code throws that is no record's fault ends the pipeline, or the attempt.
template <class Work>
Result<void> carefully(Work work) {
  try {
    work();
    return {};
  } catch (const Failed& failed) {
    return tl::unexpected(failed.error());
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::retriable, Cause::program,
                "out of memory in a function of the pipeline");
  }
}

void copy_functions(const detail::OutputRecipe& recipe, detail::Run& run) {
  std::string why;
  try {
    recipe.build(run);
    return;
  } catch (...) {
    why = detail::Run::reason_of_what_is_handled();
  }
  throw Failed({ErrorKind::fatal, Cause::program,
                fmt::format("a function of the stream to output {} cannot be copied, as each "
                            "thread needs one: {}",
                            recipe.output, why)});
}

void add(Committed& sum, const Committed& more) {
  sum.rows += more.rows;
  sum.dead_letters += more.dead_letters;
  sum.unknown_fields += more.unknown_fields;
  sum.ignored += more.ignored;
  sum.suppressed += more.suppressed;
  for (const auto& [code, count] : more.dead_letter_codes) sum.dead_letter_codes[code] += count;
}

bool is_load(std::span<const Task> tasks) {
  return tasks.front().kind == TaskKind::load;
}

}  // namespace

Result<std::unique_ptr<SinkSession>> BatchSession::open(Outputs& outputs) {
  std::unique_ptr<SinkSession> session;
  const auto opened = carefully([&] { session = std::make_unique<BatchSession>(outputs); });
  if (!opened) return tl::unexpected(opened.error());
  return session;
}

BatchSession::BatchSession(Outputs& outputs) : outputs_(outputs), parts_(outputs.size()) {
  detail::OutputSet one = 1;
  for (const auto& recipe : outputs_.shared().graph->outputs) {
    run_.build(one);
    copy_functions(recipe, run_);
    one <<= 1;
  }
  const auto& shared = outputs_.shared();
  if (shared.state) state_.emplace(*shared.graph, *shared.state);
}

BatchSession::~BatchSession() = default;

Result<void> BatchSession::connect(std::size_t output) {
  auto& part = parts_[output];
  if (part.session) return {};
  auto session = outputs_.open_session(output);
  if (!session) return tl::unexpected(session.error());
  part.session = *std::move(session);
  return {};
}

void BatchSession::warm_up() noexcept {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (connect(i)) parts_[i].session->warm_up();
  }
}

std::vector<std::size_t> BatchSession::lacking() const {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].lacks) all.push_back(i);
  }
  return all;
}

Result<std::optional<Refused>> BatchSession::begin(std::span<const Task> tasks) {
  tasks_.assign(tasks.begin(), tasks.end());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const auto place = outputs_.place_of(i, tasks_);
    if (!place) return tl::unexpected(place.error());
    parts_[i].lacks = *place == Outputs::Place::lacks;
  }
  for (const auto i : lacking()) {
    if (auto connected = connect(i); !connected) return tl::unexpected(connected.error());
    auto begun = parts_[i].session->begin(outputs_.tasks_of(i, tasks_));
    if (!begun) return begun;
    if (*begun) {
      auto refused = outputs_.refused(i, **std::move(begun));
      if (!refused) return tl::unexpected(refused.error());
      return *std::move(refused);
    }
  }
  if (is_load(tasks_)) {
    inputs_.clear();
    for (const auto& task : tasks_) {
      if (!is_batches(task.range.tp)) inputs_.push_back(task.range);
    }
    if (auto begun = begin_state(); !begun) return tl::unexpected(begun.error());
    run_.begin_batch({tasks_.front().time, inputs_}, state_ ? &state_->stages() : nullptr);
  }
  return std::optional<Refused>();
}

Result<void> BatchSession::begin_state() {
  if (!state_) return {};
  const auto remedy = outputs_.settle_state();
  if (!remedy) return tl::unexpected(remedy.error());
  rolling_forward_ = *remedy == state::Remedy::roll_forward;
  const auto& shared = outputs_.shared();
  const auto is_what_some_have = [&] {
    return shared.home ? outputs_.ahead_of_home().version.time == tasks_.front().time
                       : shared.state->stored().prepared->ranges == ranges();
  };
  if (rolling_forward_ && !is_what_some_have()) {
    return fail(
        ErrorKind::in_doubt, Cause::sink,
        fmt::format("the outputs do not stand where batch {} begins", tasks_.front().time.ms));
  }
  state_->clear();
  return carefully([this] {
    state_->forget(outputs_.forgotten());
    state_->describe_stages();
  });
}

std::vector<OffsetRange> BatchSession::ranges() const {
  std::vector<OffsetRange> all;
  for (const auto& task : tasks_) all.push_back(task.range);
  return all;
}

/// What the batch has changed, under a name of its own, or that of those that have it.
Result<Led> BatchSession::lead() {
  const auto sum = state::checksum(state::encode(state_->delta()));
  if (!rolling_forward_) return Led{{tasks_.front().time, state::new_name()}, sum};
  const auto& shared = outputs_.shared();
  auto led = shared.home ? outputs_.ahead_of_home() : Led{};
  if (!shared.home) {
    const auto prepared = *shared.state->stored().prepared;
    led = {prepared.version, prepared.checksum};
  }
  if (led.checksum != sum) {
    shared.log.warn(
        "batch {} came out otherwise when it was computed again: a function of the pipeline gives "
        "other results for the same input. Outputs that had it before have the first result{}; the "
        "others have the second{}",
        tasks_.front().time.ms, shared.home ? "" : ", as the state has",
        shared.home ? ", as the state has" : "");
  }
  return led;
}

Result<Led> BatchSession::prepare() {
  if (!state_ || !is_load(tasks_)) return Led();
  auto led = lead();
  if (!led || rolling_forward_ || outputs_.shared().home) return led;
  auto& store = *outputs_.shared().state;
  const auto prepared = store.prepare({.version = led->version,
                                       .parent = store.stored().base,
                                       .ranges = ranges(),
                                       .checksum = led->checksum},
                                      state_->delta());
  if (!prepared) return tl::unexpected(prepared.error());
  crash_point("stream_prepared_state");
  return led;
}

Result<void> BatchSession::give_state(std::size_t output, const Led& led) {
  if (outputs_.shared().home != output || led.version == state::Version()) return {};
  std::vector<StateRow> rows;
  for (const auto& [key, value] : state_->delta()) {
    rows.push_back({key, value ? std::optional<std::string_view>(*value) : std::nullopt});
  }
  crash_point("stream_before_home");
  auto given = parts_[output].session->change_state(
      {.version = led.version, .rows = rows, .all = outputs_.replaces_state()});
  crash_point("stream_gave_state");
  return given;
}

Result<void> BatchSession::apply(const Led& led) {
  if (outputs_.shared().home) {
    return outputs_.shared().state->advance(led.version, state_->delta());
  }
  const auto settled = outputs_.settle_state();
  return settled ? Result<void>() : tl::unexpected(settled.error());
}

const std::vector<std::size_t>& BatchSession::sources_of(const TopicPartition& tp) {
  const auto found = sources_.find(tp);
  if (found != sources_.end()) return found->second;
  return sources_.emplace(tp, outputs_.shared().sources->of(tp)).first->second;
}

Result<void> BatchSession::write(std::size_t task, std::span<const Record> records) {
  const auto& tp = tasks_[task].range.tp;
  const auto read = carefully([&] { run_.records(sources_of(tp), tp, records); });
  if (!read) return read;
  return pass_on(task, run_.take_letters());
}

/// A record that somebody before us has found bad is none for the functions.
Result<void> BatchSession::set_aside(std::size_t task, const Record& record,
                                     const Objection& objection) {
  for (const auto i : lacking()) {
    auto aside = parts_[i].session->set_aside(task, record, objection);
    if (!aside) return aside;
  }
  return {};
}

Result<void> BatchSession::write_rows(std::size_t output, std::size_t task,
                                      std::span<const Record> rows) {
  return rows.empty() ? Result<void>() : parts_[output].session->write(task, rows);
}

Result<void> BatchSession::set_aside(std::size_t output, std::size_t task, const Record& record,
                                     const detail::Letter& letter) {
  const auto& stage = outputs_.shared().graph->stages[letter.stage].name;
  const auto reason = fmt::format("stage {}: {}", stage, letter.reason);
  const auto told = fmt::format("the function of stage {} finds it bad", stage);
  return parts_[output].session->set_aside(task, record,
                                           {.reason = reason, .told = told, .code = bad_code});
}

/// Rows and dead letters of records, in the order of offsets.
Result<void> BatchSession::pass_on(std::size_t task, std::span<const detail::Letter> letters) {
  tell_lost(letters);
  std::vector<Record> rows;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const bool by_record = outputs_.shared().graph->outputs[i].by_record;
    auto& made = run_.output(i).rows;
    rows.clear();
    std::size_t next = 0;
    for (const auto& letter : letters) {
      if ((letter.outputs >> i & 1) == 0 || !parts_[i].lacks) continue;
      for (; by_record && next < made.size(); ++next) {
        auto row = made.row(next);
        if (row.offset > letter.origin->offset) break;
        rows.push_back(row);
      }
      if (auto written = write_rows(i, task, rows); !written) return written;
      rows.clear();
      if (auto aside = set_aside(i, task, *letter.origin, letter); !aside) return aside;
    }
    if (!by_record) continue;
    for (; next < made.size(); ++next) rows.push_back(made.row(next));
    if (parts_[i].lacks) {
      if (auto written = write_rows(i, task, rows); !written) return written;
    }
    made.clear();
  }
  return {};
}

/// What no output has a place for: bad only for a stage that looks on.
void BatchSession::tell_lost(std::span<const detail::Letter> letters) const {
  for (const auto& letter : letters) {
    if (letter.outputs != 0) continue;
    outputs_.shared().log.warn("stage {} finds a record bad, and leads to no output",
                               outputs_.shared().graph->stages[letter.stage].name);
  }
}

Result<void> BatchSession::finish() {
  const auto finished = carefully([this] { run_.finish(); });
  if (!finished) return finished;
  return write_batch_rows(run_.take_letters());
}

Result<void> BatchSession::write_batch_rows(std::span<const detail::Letter> letters) {
  tell_lost(letters);
  const auto task = tasks_.size() - 1;
  const auto& range = tasks_.back().range;
  std::vector<Record> rows;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto& made = run_.output(i).rows;
    const auto wanted = made.size() + letters.size();
    if (!parts_[i].lacks || wanted == 0) continue;
    if (!is_batches(range.tp) || static_cast<std::uint64_t>(range.until - range.from) < wanted) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("output {} has more rows in one batch than there are positions: make "
                              "batches smaller (batch.max_records)",
                              outputs_.name(i)));
    }
    auto offset = range.from;
    for (std::size_t row = 0; row < made.size();) {
      rows.clear();
      for (; row < made.size() && rows.size() < rows_per_write; ++row) {
        rows.push_back(made.row(row));
        rows.back().offset = offset++;
        rows.back().timestamp_ms = tasks_.back().time.ms;
      }
      if (auto written = write_rows(i, task, rows); !written) return written;
    }
    for (const auto& letter : letters) {
      if ((letter.outputs >> i & 1) == 0) continue;
      Record record{.offset = offset++, .timestamp_ms = tasks_.back().time.ms};
      if (!letter.key.empty()) record.key = letter.key;
      if (auto aside = set_aside(i, task, record, letter); !aside) return aside;
    }
  }
  return {};
}

Result<CommitResult> BatchSession::commit(std::span<const RangeEnd> ends) {
  if (lacking().empty()) return std::vector<Committed>(tasks_.size());
  if (is_load(tasks_)) {
    if (auto finished = finish(); !finished) return tl::unexpected(finished.error());
  }
  const auto led = prepare();
  if (!led) return tl::unexpected(led.error());
  const bool changes_state = led->version != state::Version();
  std::vector<RangeEnd> marked(ends.begin(), ends.end());
  if (changes_state) {
    marked.back().last = state::mark_of(led->version, led->checksum, tasks_.back().range.until);
  }
  std::optional<Refused> refused;
  auto counts = commit_each(marked, *led, refused);
  if (!counts) return tl::unexpected(counts.error());
  if (refused) return *std::move(refused);
  if (changes_state) {
    crash_point("stream_committed_outputs");
    if (auto applied = apply(*led); !applied) return tl::unexpected(applied.error());
    crash_point("stream_applied_state");
  }
  return *std::move(counts);
}

Result<std::vector<Committed>> BatchSession::commit_each(std::span<const RangeEnd> ends,
                                                         const Led& led,
                                                         std::optional<Refused>& refused) {
  std::vector<Committed> counts(tasks_.size());
  auto wanting = lacking();
  // Home is the last.
  std::ranges::stable_partition(wanting, [&](auto i) { return outputs_.shared().home != i; });
  if (parts_.size() > 1 && !wanting.empty()) {
    auto owner = outputs_.whose();
    if (!owner) return tl::unexpected(owner.error());
    if (*owner) {
      refused = Refused{**std::move(owner), 0};
      return counts;
    }
  }
  for (const auto i : wanting) {
    if (auto given = give_state(i, led); !given) return tl::unexpected(given.error());
    auto committed = parts_[i].session->commit(ends);
    if (!committed) return tl::unexpected(committed.error());
    if (auto* by = std::get_if<Refused>(&*committed)) {
      auto seen = outputs_.refused(i, std::move(*by));
      if (!seen) return tl::unexpected(seen.error());
      refused = *std::move(seen);
      return counts;
    }
    outputs_.committed(i, tasks_, led);
    parts_[i].lacks = false;
    crash_point("stream_committed_output");
    const auto& of_output = std::get<std::vector<Committed>>(*committed);
    tell_unknown(i, of_output);
    for (std::size_t t = 0; t < counts.size(); ++t) add(counts[t], of_output[t]);
  }
  return counts;
}

/// Once: a column stays empty whose member is written otherwise.
void BatchSession::tell_unknown(std::size_t output, std::span<const Committed> counts) {
  const auto found = std::ranges::find_if(counts, [](const auto& one) {
    return one.unknown_fields != 0 && !one.unknown_field.empty();
  });
  if (found == counts.end() || std::exchange(parts_[output].told_unknown, true)) return;
  outputs_.shared().log.warn(
      "rows of output {} have a member {}, and there is no column for it: it is left out. Rename "
      "it, or say unknown_fields = \"dead_letter\" in the output's section",
      outputs_.name(output), found->unknown_field);
}

void BatchSession::abort() noexcept {
  for (auto& part : parts_) {
    if (part.session) part.session->abort();
  }
  run_.reset();
}

}  // namespace semel::stream
