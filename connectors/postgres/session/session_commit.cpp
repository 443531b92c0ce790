// How a task ends: the guard, its refusals, and doubt.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/crash_point.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/session/session.hpp"
#include "postgres/table/catalog.hpp"

namespace semel::postgres {

namespace {

constexpr std::string_view no_such_prepared_statement = "26000";

}  // namespace

Result<CommitResult> Session::commit(std::span<const RangeEnd> ends) {
  if (!task_) return fail(ErrorKind::fatal, Cause::internal, "commit without a task");
  const auto& end = ends.front();
  const auto source = task_->range.source;
  if (auto finished = finish_rows(); !finished) {
    if (!not_ours_ || !connection_) return tl::unexpected(finished.error());
    auto entry = ask_entry(*connection_, *shared_, source);
    if (!entry) return tl::unexpected(rolled_back(entry.error()));
    return Refused{*std::move(entry), 0};
  }
  counts_.dead_letters = dead_letters_.count();
  if (tally_.stops(shared_->options.policy)) {
    auto refused = too_many_bad();
    if (!refused) return tl::unexpected(refused.error());
    if (*refused) return **std::move(refused);
  }
  auto result = [&] {
    switch (delivery()) {
      case Delivery::at_least_once:
        return commit_rows_first(end);
      case Delivery::at_most_once:
        return commit_rows_last(end);
      case Delivery::exactly_once:
        break;
    }
    return commit_all(end);
  }();
  const bool done = result && !std::holds_alternative<Refused>(*result);
  if (done) settled(source);
  task_.reset();
  careful_.reset();
  if (done) leave_connection();
  return result;
}

void Session::settled(const TopicPartition& source) {
  if (tally_.records() > 0) shared_->streaks.set(source.topic, tally_.in_a_row());
  if (!task_) return;
  if (holds_for_ == task_->range) holds_for_.reset();
  if (!tally_.first()) return;
  const auto find = fmt::format("SELECT * FROM {} WHERE {} ORDER BY failed_at DESC",
                                shared_->tables.dead_letters, mine(*shared_));
  const auto notice = shared_->dead_letter_notice.of(task_->range, tally_.count(), *tally_.first(),
                                                     find, record::DeadLetterNotice::Clock::now());
  if (notice) spdlog::warn("{}", *notice);
}

Advance Session::advance(const std::optional<RecordMark>& last) const {
  // Where nothing was encoded, it does not matter what the table looks like.
  const bool encoded = tally_.records() > 0;
  return {.task = &*task_, .last = last, .counts = counts_, .table = encoded ? &*table_ : nullptr};
}

Result<CommitResult> Session::commit_all(const RangeEnd& end) {
  const auto moved = advance(end.last);
  return commit_guarded(final_message(guard_ && fits_prepared(moved)
                                          ? execute_guard(moved, *guard_)
                                          : advance_statement(*shared_, moved)));
}

Result<CommitResult> Session::commit_guarded(const std::string& message) {
  // From here on a lost connection is doubt: the server may have committed.
  const auto source = task_->range.source;
  connection_->send(message);
  crash_point(CrashPoint::sent_final_message);
  const auto reply = connection_->receive(row_patience(shared_->options));
  if (reply.lost || (!reply.error && reply.last_tag() != "COMMIT")) {
    shared_->doubts.add(source, connection_->backend());
    connection_->give_up("its commit is in doubt");
    return tl::unexpected(rolled_back({ErrorKind::in_doubt, Cause::sink,
                                       fmt::format("the reply to a commit was lost: {}",
                                                   reply.lost.value_or("no COMMIT came"))}));
  }
  if (!reply.error) return std::vector{counts_};
  if (is_refusal(*reply.error, shared_->tables)) {
    auto refused = refusal();
    if (!refused) return tl::unexpected(refused.error());
    return *std::move(refused);
  }
  if (guard_ && reply.error->sqlstate == no_such_prepared_statement) {
    return tl::unexpected(guard_is_gone());
  }
  // Only the savepoint was released: deferred constraints refuse, not the ledger.
  const bool of_rows = reply.results.size() == 1 && message.starts_with("RELEASE");
  if (of_rows) return tl::unexpected(deferred_failed(reply));
  auto error = to_error(reply, doing("committing rows into"));
  if (reply.error->table == shared_->tables.commits_name && error.kind == ErrorKind::bad_data) {
    error.kind = ErrorKind::fatal;  // not a row of the user's: the trail itself
    error.cause = Cause::internal;
  } else if (error.kind == ErrorKind::bad_data && task_->careful) {
    error.kind = ErrorKind::retriable;  // each row was accepted, all together were not
  }
  return tl::unexpected(rolled_back(std::move(error)));
}

/// Nothing was committed. Something in this session, a trigger perhaps, forgot all that was
/// prepared; on this connection the guard is text from now on.
Error Session::guard_is_gone() {
  guard_.reset();
  prepared_.clear();
  may_prepare_ = false;
  return rolled_back({ErrorKind::retriable, Cause::sink,
                      fmt::format("a statement that was prepared for {} is gone: somebody ran "
                                  "DEALLOCATE or DISCARD in this session",
                                  table_name())});
}

Result<Refused> Session::refusal() {
  const auto task = *task_;
  if (!connection_->roll_back()) {
    return tl::unexpected(rolled_back(
        {ErrorKind::unavailable, Cause::sink, "the connection was lost after a refused commit"}));
  }
  auto entry = ask_entry(*connection_, *shared_, task.range.source);
  if (!entry) return tl::unexpected(rolled_back(entry.error()));
  if (!allows(*entry, task, shared_->owner)) return Refused{*std::move(entry), 0};
  // The ledger would have let it pass: the other half of the condition did not.
  return tl::unexpected(rolled_back(table_changed()));
}

Error Session::table_changed() {
  table_.reset();
  return {ErrorKind::retriable, Cause::sink,
          fmt::format("the table {} changed while rows were written into it; its columns are read "
                      "again",
                      table_name())};
}

Result<std::optional<Refused>> Session::too_many_bad() {
  const auto task = *task_;
  bool changed = false;
  auto entry = [&]() -> Result<LedgerEntry> {
    if (!connection_->roll_back()) {
      return fail(ErrorKind::unavailable, Cause::sink, "the connection was lost");
    }
    auto reply = connection_->run("SELECT " + fingerprint_sql(*table_), doing("looking at"));
    if (!reply) return tl::unexpected(reply.error());
    changed = reply->table(0).view(0, 0) != table_->fingerprint;
    return ask_entry(*connection_, *shared_, task.range.source);
  }();
  drop();
  if (!entry) return tl::unexpected(entry.error());
  if (!allows(*entry, task, shared_->owner)) return Refused{*std::move(entry), 0};
  if (changed) return tl::unexpected(table_changed());
  return tl::unexpected(record::does_not_fit(task.range, tally_, table_name()));
}

Result<void> Session::table_is_unchanged() {
  if (tally_.records() == 0) return {};
  auto reply = connection_->exchange("SELECT " + fingerprint_sql(*table_));
  if (!reply.ok()) return tl::unexpected(failure(reply, doing("looking at the columns of")));
  if (reply.table(0).view(0, 0) == table_->fingerprint) return {};
  return tl::unexpected(rolled_back(table_changed()));
}

// At least once: what is lost between the two transactions is written again.
Result<CommitResult> Session::commit_rows_first(const RangeEnd& end) {
  if (auto same = table_is_unchanged(); !same) return tl::unexpected(same.error());
  const auto reply =
      connection_->exchange("RELEASE SAVEPOINT semel;SET CONSTRAINTS ALL IMMEDIATE;COMMIT",
                            row_patience(shared_->options));
  if (!reply.ok()) {
    return tl::unexpected(reply.results.size() == 1
                              ? deferred_failed(reply)
                              : failure(reply, doing("committing rows into")));
  }
  auto moved = advance(end.last);
  moved.table = nullptr;  // held against the rows' own transaction above
  return commit_guarded(begin_message(*shared_) + ";" +
                        final_message(advance_statement(*shared_, moved)));
}

// At most once: what is lost after the ledger moved is not written any more.
Result<std::optional<Refused>> Session::advance_first(const Task& task) {
  auto moved = commit_guarded(begin_message(*shared_) + ";" +
                              final_message(advance_statement(*shared_, advance(task.last))));
  if (!moved) return tl::unexpected(moved.error());
  if (auto* refused = std::get_if<Refused>(&*moved)) return std::move(*refused);
  return std::nullopt;
}

Result<CommitResult> Session::commit_rows_last(const RangeEnd& end) {
  if (auto same = table_is_unchanged(); !same) return tl::unexpected(same.error());
  const auto reply =
      connection_->exchange("RELEASE SAVEPOINT semel;SET CONSTRAINTS ALL IMMEDIATE;" +
                                complete_statement(*shared_, advance(end.last)) + ";COMMIT",
                            row_patience(shared_->options));
  if (!reply.ok()) return tl::unexpected(failure(reply, doing("committing rows into")));
  return std::vector{counts_};
}

}  // namespace semel::postgres
