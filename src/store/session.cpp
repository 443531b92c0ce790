#include "store/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/crash_point.hpp"
#include "store/entries.hpp"

namespace semel::store {

namespace {

bool same_words(const record::BadRecord& one, const record::BadRecord& other) {
  return one.code == other.code && one.column == other.column && one.reason == other.reason;
}

}  // namespace

Result<void> Session::connect() {
  if (*shared_->stop) return tl::unexpected(interrupted());
  if (!store_) {
    auto opened = shared_->setup.open(shared_->stop, std::nullopt);
    if (!opened) return tl::unexpected(opened.error());
    store_ = *std::move(opened);
  }
  if (loader_ || shared_->setup.options.table.empty()) return {};
  auto loader = Loader::make(*store_, shared_->setup);
  if (!loader) return tl::unexpected(loader.error());
  loader_ = *std::move(loader);
  return {};
}

void Session::warm_up() noexcept {
  (void)connect();
}

Result<std::optional<Refused>> Session::first_refused() {
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const auto& task = parts_[i].task;
    auto entry = read_entry(*store_, shared_->owner(), &task.range.tp);
    if (!entry) return tl::unexpected(entry.error());
    if (!allows(*entry, task, shared_->owner())) return Refused{*std::move(entry), i};
  }
  return std::nullopt;
}

Result<std::optional<Refused>> Session::begin(std::span<const Task> tasks) {
  abort();
  if (auto connected = connect(); !connected) return tl::unexpected(connected.error());
  for (const auto& task : tasks) {
    parts_.push_back({.task = task, .counts = {}, .tally = record::BadTally(shared_->setup.kind)});
  }
  if (!tasks.front().isolate) return std::nullopt;
  auto refused = in_transaction(*store_, Access::reading, [&] { return first_refused(); });
  if (!refused || *refused) abort();
  return refused;
}

Result<void> Session::write(std::size_t task, std::span<const Record> records) {
  if (task >= parts_.size()) {
    return fail(ErrorKind::fatal, Cause::internal, "write outside a task that loads");
  }
  order_.written(task, records);
  for (const auto& record : records) {
    if (auto taken = take(task, record, nullptr); !taken) return taken;
  }
  return {};
}

Result<void> Session::set_aside(std::size_t task, const Record& record,
                                const Objection& objection) {
  if (task >= parts_.size()) {
    return fail(ErrorKind::fatal, Cause::internal, "set_aside outside a task that loads");
  }
  auto in_turn = order_.set_aside(task, parts_[task].task.range, record.offset);
  if (!in_turn) {
    abort();
    return in_turn;
  }
  const auto bad = record::bad_record_of(objection);
  return take(task, record, &bad);
}

Result<void> Session::change_state(const StateChange& change) {
  if (parts_.empty() || !shared_->is_home) {
    return fail(ErrorKind::fatal, Cause::internal, "change_state outside a task of a state's home");
  }
  state_.emplace(change);
  return {};
}

Result<void> Session::take(std::size_t task, const Record& record, const record::BadRecord* bad) {
  auto kept = *shared_->stop              ? tl::unexpected(interrupted())
              : shared_->setup.rows_first ? put(task, record, bad)
                                          : spool_.add(task, record, bad);
  if (!kept) abort();
  return kept;
}

Result<void> Session::refuse(Part& part, const Record& record, const record::BadRecord& bad) {
  const auto& setup = shared_->setup;
  part.tally.bad(record.offset, bad);
  if (setup.options.policy.on_bad_record == record::OnBadRecord::stop) {
    return tl::unexpected(record::stopped_by(part.task.range, record.offset, target_of(setup),
                                             record::for_log(bad, setup.kind)));
  }
  ++part.counts.dead_letters;
  return add_dead_letter(*store_, shared_->owner(), part.task, record, bad);
}

/// A topic's count of bad records in a row goes on from one range to the next.
void Session::count(Part& part) {
  const auto& topic = part.task.range.tp.topic;
  auto in_a_row = shared_->streaks.of(topic);
  for (const auto& before : parts_) {
    if (before.tally.records() == 0 || before.task.range.tp.topic != topic) continue;
    in_a_row = before.tally.in_a_row();
  }
  part.tally.start(in_a_row);
}

Result<void> Session::put(std::size_t task, const Record& record, const record::BadRecord* bad) {
  auto& part = parts_[task];
  auto& [target, reader, version] = *loader_;
  if (part.tally.records() == 0) count(part);
  if (std::exchange(putting_, task) != task) {
    if (auto begun = target->range(part.task.range); !begun) return begun;
  }
  if (bad != nullptr) return refuse(part, record, *bad);
  const auto read = reader.read(part.task.range.tp, record);
  part.counts.unknown_fields += read.unknown_fields;
  if (read.unknown_fields != 0 && part.counts.unknown_field.empty()) {
    part.counts.unknown_field = reader.unknown_field();
  }
  switch (read.fate) {
    case record::Fate::unavailable:
      return tl::unexpected(reader.unavailable());
    case record::Fate::ignored:
      ++part.counts.ignored;
      return {};
    case record::Fate::bad:
      return refuse(part, record, reader.bad());
    case record::Fate::removal:
      return fail(ErrorKind::fatal, Cause::internal, "a removal, which this sink cannot do");
    case record::Fate::row:
      break;
  }
  auto put = target->put(reader.values(), false);
  if (!put) return tl::unexpected(put.error());
  if (put->fate == Put::Fate::refused) return blame(part, record, *put->bad);
  ++(put->fate == Put::Fate::row ? part.counts.rows : part.counts.suppressed);
  part.tally.good();
  return {};
}

/// The table refuses a row.
Result<void> Session::blame(Part& part, const Record& record, const record::BadRecord& bad) {
  if (!refusal_) refusal_ = bad;
  if (!same_words(*refusal_, bad)) refusals_differ_ = true;
  return refuse(part, record, bad);
}

/// Bad is what is refused alone while others go in (docs/decisions/0009). Where none goes in, and a
/// row of the table's own defaults meets the same, it is the table.
Result<void> Session::clear_of_the_table() {
  if (!refusal_ || refusals_differ_ || shared_->rows_go_in.is_known(loader_->version)) return {};
  const bool none_in = std::ranges::all_of(
      parts_, [](const Part& part) { return part.counts.rows + part.counts.suppressed == 0; });
  // One has no neighbour to be compared with.
  const bool several =
      std::ranges::any_of(parts_, [](const Part& part) { return part.tally.in_a_row() > 1; });
  if (!none_in || !several) return {};
  auto defaults = loader_->target->put_defaults();
  if (!defaults) return tl::unexpected(defaults.error());
  if (!defaults->bad || !same_words(*defaults->bad, *refusal_)) return {};
  const auto& setup = shared_->setup;
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("{} refuses every row, and one of nothing but its own defaults, "
                          "too: {}. Nothing was set aside. Mend the table; where the records are "
                          "at fault after all, go on behind them with `semel offsets FILE set`",
                          target_of(setup), record::for_log(*refusal_, setup.kind)));
}

/// The ledger's rows of one task.
Result<void> Session::move(const Part& part, const RangeEnd& end) {
  const auto& [task, counts, tally] = part;
  const bool lost = task.kind == TaskKind::lost;
  const Progress at{.tp = task.range.tp,
                    .until = task.range.until,
                    .batch_time = task.time,
                    .last = lost ? std::nullopt : end.last};
  auto moved = write_progress(*store_, shared_->owner(),
                              {.at = at, .epoch = task.epoch, .owner = shared_->owner().id});
  if (!moved) return moved;
  return add_move(*store_, shared_->owner(),
                  {.tp = at.tp,
                   .batch_time = at.batch_time,
                   .epoch = task.epoch,
                   .from = task.range.from,
                   .until = at.until,
                   .kind = lost ? MoveKind::lost : MoveKind::commit,
                   .rows = counts.rows,
                   .dead_letters = counts.dead_letters,
                   .ignored = counts.ignored,
                   .suppressed = counts.suppressed},
                  task.reason);
}

Result<void> Session::table_fits() {
  if (!loader_) return {};
  auto fits = loader_->fits(*store_);
  if (!fits) return tl::unexpected(fits.error());
  if (*fits) return {};
  loader_.reset();
  return fail(ErrorKind::retriable, Cause::sink,
              fmt::format("the table {} changed while records were read for it; its columns are "
                          "read again",
                          shared_->setup.options.table));
}

Result<void> Session::put_all(std::span<const RangeEnd> ends) {
  const auto& options = shared_->setup.options;
  if (auto fits = table_fits(); !fits) return fits;
  auto stored = spool_.each([&](std::size_t task, const Record& record,
                                const record::BadRecord* bad) { return put(task, record, bad); });
  if (stored && state_) stored = write_state(*store_, shared_->owner(), *state_);
  if (!stored) return stored;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const auto& part = parts_[i];
    if (part.tally.stops(options.policy)) {
      return tl::unexpected(
          record::does_not_fit(part.task.range, part.tally, target_of(shared_->setup)));
    }
    if (auto moved = move(part, ends[i]); !moved) return moved;
  }
  return clear_of_the_table();
}

/// Where another one was faster, it may have taken the range, or the output.
Result<CommitResult> Session::not_committed(const Error& error) {
  if (error.kind != ErrorKind::retriable) return tl::unexpected(error);
  store_->roll_back();
  auto refused = in_transaction(*store_, Access::reading, [&] { return first_refused(); });
  if (refused && *refused) return **std::move(refused);
  return tl::unexpected(error);
}

/// The guard: what the ledger says is read in the transaction that changes it.
Result<CommitResult> Session::commit_all(std::span<const RangeEnd> ends) {
  auto finished = store_->finish_rows();
  if (finished) finished = store_->begin(Access::writing);
  if (!finished) return tl::unexpected(finished.error());
  auto refused = first_refused();
  if (!refused) return tl::unexpected(refused.error());
  if (*refused) return **std::move(refused);
  if (auto put = put_all(ends); !put) return tl::unexpected(put.error());
  crash_point(CrashPoint::sent_final_message);
  if (auto done = store_->commit(); !done) return not_committed(done.error());
  std::vector<Committed> counts;
  for (const auto& part : parts_) {
    counts.push_back(part.counts);
    counts.back().dead_letter_codes = part.tally.codes();
  }
  return counts;
}

Result<CommitResult> Session::commit(std::span<const RangeEnd> ends) {
  if (parts_.empty()) return fail(ErrorKind::fatal, Cause::internal, "commit without a task");
  auto result = commit_all(ends);
  if (result && !std::holds_alternative<Refused>(*result)) committed();
  abort();
  if (!result && (result.error().kind == ErrorKind::in_doubt ||
                  result.error().kind == ErrorKind::unavailable)) {
    loader_.reset();
    store_.reset();
  }
  return result;
}

void Session::committed() {
  for (const auto& [task, counts, tally] : parts_) {
    if (counts.rows > 0) shared_->rows_go_in.seen(loader_->version);
    if (tally.records() > 0) shared_->streaks.set(task.range.tp.topic, tally.in_a_row());
    if (!tally.first()) continue;
    const auto notice = shared_->notice.of(task.range, tally.count(), *tally.first(),
                                           shared_->setup.find_dead_letters,
                                           record::DeadLetterNotice::Clock::now());
    if (notice) shared_->setup.context.log.warn("{}", *notice);
  }
}

void Session::abort() noexcept {
  parts_.clear();
  order_.start();
  spool_.clear();
  state_.reset();
  refusal_.reset();
  refusals_differ_ = false;
  putting_.reset();
  if (store_) store_->roll_back();
}

}  // namespace semel::store
