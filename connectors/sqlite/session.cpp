#include "sqlite/session.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/crash_point.hpp"
#include "sqlite/ledger.hpp"

namespace semel::sqlite {

Result<void> Session::connect() {
  if (*shared_->stop) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
  if (!database_) {
    auto opened = Database::open(shared_->options, shared_->stop);
    if (!opened) return tl::unexpected(opened.error());
    database_ = *std::move(opened);
  }
  if (rows_) return {};
  auto rows = RangeRows::make(*database_, shared_->options, *shared_->context.format);
  if (!rows) return tl::unexpected(rows.error());
  rows_ = *std::move(rows);
  return {};
}

void Session::warm_up() noexcept {
  (void)connect();
}

Result<std::optional<Refused>> Session::begin(std::span<const Task> tasks) {
  abort();
  if (auto connected = connect(); !connected) return tl::unexpected(connected.error());
  for (std::size_t i = 0; tasks.front().isolate && i < tasks.size(); ++i) {
    auto entry = read_entry(*database_, shared_->owner(), &tasks[i].range.tp);
    if (!entry) return tl::unexpected(entry.error());
    if (!allows(*entry, tasks[i], shared_->owner())) return Refused{*std::move(entry), i};
  }
  // No lock of the file yet: until commit() only the temporary table is written.
  if (auto begun = database_->run(reading); !begun) return tl::unexpected(begun.error());
  for (const auto& task : tasks) {
    tasks_.push_back({.task = task});
    tasks_.back().tally.start(shared_->streaks.of(task.range.tp.topic));
  }
  return std::nullopt;
}

Result<void> Session::write(std::size_t task, std::span<const Record> records) {
  if (task >= tasks_.size()) {
    return fail(ErrorKind::fatal, Cause::internal, "write outside a task that loads");
  }
  for (const auto& record : records) {
    if (auto added = rows_->add(task, record, tasks_[task], tasks_[task].task.isolate); !added) {
      abort();
      return added;
    }
  }
  return {};
}

/// The ledger's rows move, if each is what its task was planned for. The first of them takes the
/// lock of writers: from here on nobody else changes anything.
Result<std::optional<Refused>> Session::advance(std::span<const RangeEnd> ends) {
  const auto& owner = shared_->owner();
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    const auto& task = tasks_[i].task;
    const auto& last = task.kind == TaskKind::lost ? std::nullopt : ends[i].last;
    auto moved = database_->run(
        fmt::format("UPDATE main.semel_progress SET until_offset = ?6, batch_time = ?7, "
                    "last_offset = ?8, last_timestamp = ?9, last_checksum = ?10, moved_at = {}, "
                    "epoch = ?11, owner = ?12 WHERE pipeline = ?1 AND output = ?2 AND topic = ?3 "
                    "AND \"partition\" = ?4 AND until_offset = ?5 AND (?13 IS NULL OR batch_time = "
                    "?13) AND EXISTS (SELECT 1 FROM main.semel_owners WHERE pipeline = ?1 AND "
                    "output = ?2 AND epoch = ?11 AND owner = ?12)",
                    now),
        {owner.pipeline, owner.output, task.range.tp.topic, std::int64_t{task.range.tp.partition},
         task.range.from, task.range.until, task.time.ms, last ? Arg(last->offset) : Arg(),
         last ? Arg(last->timestamp_ms) : Arg(), last ? Arg(std::int64_t{last->checksum}) : Arg(),
         task.epoch, owner.id, task.moved_by ? Arg(task.moved_by->ms) : Arg()});
    if (!moved) return tl::unexpected(moved.error());
    if (database_->changes() == 1) continue;
    database_->roll_back();
    auto entry = read_entry(*database_, owner, &task.range.tp);
    if (!entry) return tl::unexpected(entry.error());
    return Refused{*std::move(entry), i};
  }
  return std::nullopt;
}

Result<void> Session::finish() {
  if (auto kept = database_->can_keep_rows(); !kept) return kept;
  auto fits = rows_->fits(*database_);
  if (!fits) return tl::unexpected(fits.error());
  if (!*fits) {
    rows_.reset();
    return fail(ErrorKind::retriable, Cause::sink,
                fmt::format("the table {} changed while records were read for it; its columns are "
                            "read again",
                            shared_->options.table));
  }
  if (auto stored = rows_->store(shared_->owner(), tasks_); !stored) return stored;
  for (const auto& [task, counts, tally] : tasks_) {
    const bool lost = task.kind == TaskKind::lost;
    auto written = write_history(
        *database_, shared_->owner(),
        {.to = {.tp = task.range.tp, .until = task.range.until, .batch_time = task.time},
         .from = task.range.from,
         .kind = lost ? MoveKind::lost : MoveKind::commit,
         .epoch = task.epoch,
         .counts = counts,
         .note = task.reason});
    if (!written) return written;
  }
  return {};
}

Result<CommitResult> Session::commit_all(std::span<const RangeEnd> ends) {
  const std::lock_guard lock(shared_->writing);
  auto refused = advance(ends);
  if (!refused) return tl::unexpected(refused.error());
  if (*refused) return **std::move(refused);
  if (auto finished = finish(); !finished) return tl::unexpected(finished.error());
  crash_point(CrashPoint::sent_final_message);
  if (auto done = database_->run("COMMIT"); !done) {
    // Whether the disk has it, the ledger says.
    return fail(ErrorKind::in_doubt, Cause::sink, done.error().message);
  }
  std::vector<Committed> counts;
  for (const auto& task : tasks_) {
    counts.push_back(task.counts);
    counts.back().dead_letter_codes = task.tally.codes();
  }
  return counts;
}

Result<CommitResult> Session::commit(std::span<const RangeEnd> ends) {
  if (tasks_.empty()) return fail(ErrorKind::fatal, Cause::internal, "commit without a task");
  auto result = commit_all(ends);
  if (result && !std::holds_alternative<Refused>(*result)) resolved();
  abort();
  return result;
}

void Session::resolved() {
  for (const auto& [task, counts, tally] : tasks_) {
    if (tally.records() > 0) shared_->streaks.set(task.range.tp.topic, tally.in_a_row());
    if (!tally.first()) continue;
    const auto find = fmt::format(
        "sqlite3 {} \"SELECT * FROM semel_dead_letters ORDER BY failed_at "
        "DESC\"",
        shared_->options.file);
    const auto notice = shared_->notice.of(task.range, tally.count(), *tally.first(), find,
                                           record::DeadLetterNotice::Clock::now());
    if (notice) spdlog::warn("{}", *notice);
  }
}

void Session::abort() noexcept {
  tasks_.clear();
  if (database_) database_->roll_back();
}

Result<std::vector<SampledRecord>> Session::sample(const RecordFeed& feed) {
  if (auto connected = connect(); !connected) return tl::unexpected(connected.error());
  std::vector<SampledRecord> sampled;
  std::map<std::pair<TopicPartition, Offset>, std::size_t> order;  // in which they came
  return in_transaction(*database_, reading, [&]() -> Result<std::vector<SampledRecord>> {
    Result<void> added;
    auto fed = feed([&](const TopicPartition& tp, std::span<const Record> records) {
      tasks_.push_back({.task = {.range = {tp, 0, 0}}});
      auto& counts = tasks_.back().counts;
      for (std::size_t i = 0; i < records.size() && added; ++i) {
        const auto offset = records[i].offset;
        order.emplace(std::pair(tp, offset), order.size());
        const auto ignored = counts.ignored;
        added = rows_->add(tasks_.size() - 1, records[i], tasks_.back(), true);
        if (counts.ignored == ignored) continue;
        sampled.push_back({.tp = tp, .offset = offset, .fate = SampledRecord::Fate::ignored});
      }
    });
    if (!fed) return tl::unexpected(fed.error());
    if (!added) return tl::unexpected(added.error());
    auto stored = rows_->store(shared_->owner(), tasks_, &sampled);
    database_->roll_back();
    if (!stored) return tl::unexpected(stored.error());
    std::ranges::sort(sampled, {}, [&](const SampledRecord& one) {
      return order[{one.tp, one.offset}];
    });
    return std::move(sampled);
  });
}

}  // namespace semel::sqlite
