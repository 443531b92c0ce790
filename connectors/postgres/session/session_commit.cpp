// How a task ends: the guard, its refusals, and doubt.
#include <fmt/format.h>
#include <algorithm>

#include "base/crash_point.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/session/session.hpp"
#include "postgres/table/catalog.hpp"

namespace semel::postgres {

namespace {

constexpr std::string_view no_such_prepared_statement = "26000";

}  // namespace

Result<CommitResult> Session::commit(std::span<const RangeEnd> ends) {
  if (parts_.empty()) return fail(ErrorKind::fatal, Cause::internal, "commit without a task");
  while (at_ + 1 < parts_.size()) {
    if (auto ended = end_part(); !ended) return tl::unexpected(ended.error());
    if (auto begun = begin_part(at_ + 1); !begun) return tl::unexpected(begun.error());
  }
  if (auto made = make_tables(); !made) return tl::unexpected(made.error());
  // What fails drops the tasks; who else has the output is asked about them.
  const auto parts = parts_;
  if (auto finished = finish_rows(); !finished) {
    if (!not_ours_ || !connection_) return tl::unexpected(finished.error());
    parts_ = parts;
    auto refused = first_refused();
    if (!refused) return tl::unexpected(rolled_back(refused.error()));
    parts_.clear();
    if (!*refused) return tl::unexpected(finished.error());
    return **std::move(refused);
  }
  const auto stops = [&](const Part& part) { return part.tally.stops(shared_->options.policy); };
  if (const auto bad = std::ranges::find_if(parts_, stops); bad != parts_.end()) {
    auto refused = too_many_bad(*bad);
    if (!refused) return tl::unexpected(refused.error());
    if (*refused) return **std::move(refused);
  }
  auto result = [&] {
    switch (delivery()) {
      case Delivery::at_least_once:
        return commit_rows_first(ends.front());
      case Delivery::at_most_once:
        return commit_rows_last(ends.front());
      case Delivery::exactly_once:
        break;
    }
    return commit_all(ends);
  }();
  const bool done = result && !std::holds_alternative<Refused>(*result);
  if (done) resolved();
  parts_.clear();
  isolating_.reset();
  if (done) leave_connection();
  return result;
}

void Session::resolved() {
  if (parts_.empty()) return;
  if (holds_for_ == parts_.front().task.range) holds_for_.reset();
  for (const auto& [task, tally, counts] : parts_) {
    if (tally.records() > 0) shared_->streaks.set(task.range.tp.topic, tally.in_a_row());
    if (!tally.first()) continue;
    const auto find = fmt::format("SELECT * FROM {} WHERE {} ORDER BY failed_at DESC",
                                  shared_->tables.dead_letters, mine(*shared_));
    const auto notice = shared_->dead_letter_notice.of(
        task.range, tally.count(), *tally.first(), find, record::DeadLetterNotice::Clock::now());
    if (notice) shared_->options.log.warn("{}", *notice);
  }
}

Advance Session::advance(const Part& part, const std::optional<RecordMark>& last) const {
  // Where nothing was encoded, it does not matter what the table looks like.
  const bool encoded = part.tally.records() > 0;
  return {.task = &part.task,
          .last = last,
          .counts = part.counts,
          .tables = encoded ? used_tables() : std::vector<const Table*>()};
}

CommitResult Session::all_counts() const {
  std::vector<Committed> counts;
  for (const auto& part : parts_) counts.push_back(part.counts);
  return counts;
}

Result<CommitResult> Session::commit_all(std::span<const RangeEnd> ends) {
  if (parts_.size() == 1) {
    const auto ledger_move = advance(part(), ends.front().last);
    return commit_guarded(final_message(guard_ && fits_prepared(ledger_move)
                                            ? execute_guard(ledger_move, *guard_)
                                            : advance_statement(*shared_, ledger_move)));
  }
  std::vector<Advance> ledger_move;
  bool encoded = false;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    ledger_move.push_back(advance(parts_[i], ends[i].last));
    encoded = encoded || !ledger_move.back().tables.empty();
  }
  return commit_guarded(
      final_message(guard_ && encoded ? execute_batch_guard(ledger_move, batch_guard_name(*shared_))
                                      : advance_batch_statement(*shared_, ledger_move)));
}

Result<CommitResult> Session::commit_guarded(const std::string& message) {
  // From here on a lost connection is doubt: the server may have committed.
  connection_->send(message);
  crash_point(CrashPoint::sent_final_message);
  const auto reply = connection_->receive(row_patience(shared_->options));
  if (reply.lost || (!reply.error && reply.last_tag() != "COMMIT")) {
    for (const auto& part : parts_) {
      shared_->doubts.add(part.task.range.tp, connection_->backend());
    }
    connection_->give_up("its commit is in doubt");
    return tl::unexpected(rolled_back({ErrorKind::in_doubt, Cause::sink,
                                       fmt::format("the reply to a commit was lost: {}",
                                                   reply.lost.value_or("no COMMIT came"))}));
  }
  if (!reply.error) {
    missed_ = false;
    return all_counts();
  }
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
    error.kind = ErrorKind::fatal;  // not a row of the user's: the history itself
    error.cause = Cause::internal;
  } else if (error.kind == ErrorKind::bad_data && task().isolate) {
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
  if (!connection_->roll_back()) {
    return tl::unexpected(rolled_back(
        {ErrorKind::unavailable, Cause::sink, "the connection was lost after a refused commit"}));
  }
  auto refused = first_refused();
  if (!refused) return tl::unexpected(rolled_back(refused.error()));
  if (*refused) return **std::move(refused);
  // The ledger would have let it pass: the other half of the condition did not.
  return tl::unexpected(rolled_back(table_changed()));
}

Error Session::table_changed() {
  forget_tables();
  return {ErrorKind::retriable, Cause::sink,
          fmt::format("the table {} changed while rows were written into it; its columns are read "
                      "again",
                      table_name())};
}

Result<std::optional<Refused>> Session::too_many_bad(const Part& part) {
  const auto error = record::does_not_fit(part.task.range, part.tally, table_name());
  bool changed = false;
  auto refused = [&]() -> Result<std::optional<Refused>> {
    if (!connection_->roll_back()) {
      return fail(ErrorKind::unavailable, Cause::sink, "the connection was lost");
    }
    auto reply =
        connection_->run("SELECT true" + unchanged_sql(used_tables()), doing("looking at"));
    if (!reply) return tl::unexpected(reply.error());
    changed = !reply->table(0).flag(0, 0);
    return first_refused();
  }();
  drop();
  if (!refused || *refused) return refused;
  if (changed) return tl::unexpected(table_changed());
  return tl::unexpected(error);
}

Result<void> Session::table_is_unchanged() {
  if (part().tally.records() == 0) return {};
  auto reply = connection_->exchange("SELECT true" + unchanged_sql(used_tables()));
  if (!reply.ok()) return tl::unexpected(failure(reply, doing("looking at the columns of")));
  if (reply.table(0).flag(0, 0)) return {};
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
  auto ledger_move = advance(part(), end.last);
  ledger_move.tables.clear();  // held against the rows' own transaction above
  return commit_guarded(begin_message(*shared_) + ";" +
                        final_message(advance_statement(*shared_, ledger_move)));
}

// At most once: what is lost after the ledger moved is not written any more.
Result<std::optional<Refused>> Session::advance_first(const Task& task) {
  auto ledger_move =
      commit_guarded(begin_message(*shared_) + ";" +
                     final_message(advance_statement(*shared_, advance(part(), task.last))));
  if (!ledger_move) return tl::unexpected(ledger_move.error());
  if (auto* refused = std::get_if<Refused>(&*ledger_move)) return std::move(*refused);
  return std::nullopt;
}

Result<CommitResult> Session::commit_rows_last(const RangeEnd& end) {
  if (auto same = table_is_unchanged(); !same) return tl::unexpected(same.error());
  const auto reply =
      connection_->exchange("RELEASE SAVEPOINT semel;SET CONSTRAINTS ALL IMMEDIATE;" +
                                complete_statement(*shared_, advance(part(), end.last)) + ";COMMIT",
                            row_patience(shared_->options));
  if (!reply.ok()) return tl::unexpected(failure(reply, doing("committing rows into")));
  return all_counts();
}

}  // namespace semel::postgres
