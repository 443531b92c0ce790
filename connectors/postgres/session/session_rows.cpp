// Records into rows and dead letters.
#include <fmt/format.h>
#include <algorithm>

#include "base/crash_point.hpp"
#include "postgres/session/session.hpp"

namespace semel::postgres {

Result<void> Session::write(std::size_t task, std::span<const Record> records) {
  if (parts_.empty() || parts_[task].task.kind != TaskKind::load) {
    return fail(ErrorKind::fatal, Cause::internal, "write outside a task that loads");
  }
  if (auto moved = move_to_part(task); !moved) return moved;
  order_.written(task, records);
  return isolating_ ? write_isolating(records) : write_streaming(records);
}

Result<void> Session::set_aside(std::size_t task, const Record& record,
                                const Objection& objection) {
  if (task >= parts_.size() || parts_[task].task.kind != TaskKind::load) {
    return fail(ErrorKind::fatal, Cause::internal, "set_aside outside a task that loads");
  }
  if (auto in_turn = order_.set_aside(task, parts_[task].task.range, record.offset); !in_turn) {
    return tl::unexpected(rolled_back(in_turn.error()));
  }
  if (auto moved = move_to_part(task); !moved) return moved;
  auto bad = record::bad_record_of(objection);
  if (!isolating_ || !holds()) return refuse(record, bad);
  held_.add_bad(record, std::move(bad), at_);
  return held_.full() ? store_held() : Result<void>{};
}

Result<void> Session::move_to_part(std::size_t task) {
  while (at_ < task) {
    if (auto ended = end_part(); !ended) return ended;
    if (auto begun = begin_part(at_ + 1); !begun) return begun;
  }
  return {};
}

Result<void> Session::begin_part(std::size_t task) {
  at_ = task;
  const auto& topic = parts_[task].task.range.tp.topic;
  // "In a row" goes on from one partition of a topic to the next, as it does between transactions.
  const bool goes_on = task > 0 && parts_[task - 1].task.range.tp.topic == topic;
  part().tally.start(goes_on ? parts_[task - 1].tally.in_a_row() : shared_->streaks.of(topic));
  return {};
}

Result<void> Session::end_part() {
  if (!isolating_ && counts_parts() && part().counts.rows > 0) {
    // Only the end of a COPY says how many rows were stored.
    if (auto opened = open_transaction(); !opened) return opened;
    if (const auto reply = finish_rows_of_tables(); !reply.ok()) {
      return tl::unexpected(rows_failed(reply));
    }
    auto& counts = part().counts;
    counts.suppressed = counts.rows - std::min(counts.rows, stored() - stored_before_);
    stored_before_ = stored();
  }
  return {};
}

void Session::count_unknown() {
  if (tables_.unknown_fields() == 0) return;
  auto& counts = part().counts;
  counts.unknown_fields += tables_.unknown_fields();
  if (counts.unknown_field.empty()) counts.unknown_field = tables_.unknown_field();
}

Result<Fate> Session::encode(const Record& record, std::string* into) {
  auto fate = Fate::row;
  if (!tables_.single()) {
    auto chosen = choose(record);
    if (!chosen) return chosen;
    fate = *chosen;
  }
  if (fate == Fate::row) {
    fate = tables_.encode(task().range.tp, record, into);
    count_unknown();
  }
  if (fate == Fate::unavailable) return tl::unexpected(rolled_back(tables_.unavailable()));
  return fate;
}

/// Those of the last record, which wait in the buffers of their tables.
Result<void> Session::place_rows() {
  bool full = false;
  bool first = true;
  for (const auto& row : tables_.rows()) {
    auto& table = *row.table;
    ++(std::exchange(first, false) ? table.firsts : table.others);
    table.rows.placed(row.begin, row.column_set);
    full = full || table.rows.wants_flush();
  }
  if (!full) return {};
  if (auto opened = open_transaction(); !opened) return opened;
  const auto reply = flush_rows();
  return reply.ok() ? Result<void>{} : tl::unexpected(rows_failed(reply));
}

Result<void> Session::write_streaming(std::span<const Record> records) {
  auto& [task, tally, counts] = part();
  for (const auto& record : records) {
    const auto fate = encode(record, nullptr);
    if (!fate) return tl::unexpected(fate.error());
    if (*fate == Fate::row) {
      ++counts.rows;
      tally.good();
      if (auto placed = place_rows(); !placed) return placed;
    } else if (*fate == Fate::bad) {
      if (auto refused = refuse(record, tables_.bad()); !refused) return refused;
    } else {
      ++counts.ignored;
    }
  }
  return {};
}

/// Into encoded_ and placed_, as the rows of the record with this number.
Result<Fate> Session::encode_placed(const Record& record, std::size_t number) {
  const auto fate = encode(record, &encoded_);
  if (!fate || *fate != Fate::row) return fate;
  bool first = true;
  for (const auto& row : tables_.rows()) {
    placed_.push_back({.record = number,
                       .column_set = row.column_set,
                       .begin = row.begin,
                       .end = row.end,
                       .part = at_,
                       .table = row.table->number,
                       .first = std::exchange(first, false)});
  }
  return fate;
}

Result<void> Session::write_isolating(std::span<const Record> records) {
  if (auto opened = open_transaction(); !opened) return opened;
  if (holds()) return hold(records);
  std::vector<bool> is_row(records.size(), false);
  std::vector<std::optional<BadRecord>> bad(records.size());
  placed_.clear();
  encoded_.clear();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto fate = encode_placed(records[i], i);
    if (!fate) return tl::unexpected(fate.error());
    if (*fate == Fate::row) {
      is_row[i] = true;
    } else if (*fate == Fate::bad) {
      bad[i] = tables_.bad();
    } else {
      ++part().counts.ignored;
    }
  }
  if (const auto found = isolating_->write(placed_, encoded_, into(bad))) {
    const auto at = found->row ? placed_[*found->row].record : 0;
    return tl::unexpected(unhunted(*found, records[at].offset));
  }
  return sort_out(records.size(), [&](std::size_t i) { return records[i]; }, is_row, bad, {});
}

Result<void> Session::hold(std::span<const Record> records) {
  for (const auto& record : records) {
    encoded_.clear();
    placed_.clear();
    const auto fate = encode_placed(record, 0);
    if (!fate) return tl::unexpected(fate.error());
    if (*fate == Fate::row) {
      held_.add(record, placed_, encoded_);
    } else if (*fate == Fate::bad) {
      held_.add_bad(record, tables_.bad(), at_);
    } else {
      ++part().counts.ignored;
    }
  }
  return held_.full() ? store_held() : Result<void>{};
}

Result<void> Session::store_held() {
  std::vector<bool> is_row(held_.size(), false);
  std::vector<std::optional<BadRecord>> bad(held_.size());
  for (std::size_t i = 0; i < held_.size(); ++i) bad[i] = held_.bad(i);
  for (const auto& row : held_.rows()) is_row[row.record] = true;
  if (const auto found = isolating_->write_together(held_.rows(), held_.bytes(), into(bad))) {
    const auto at = found->row ? held_.rows()[*found->row].record : 0;
    return tl::unexpected(unhunted(*found, held_.record(at).offset));
  }
  auto sorted = sort_out(
      held_.size(), [&](std::size_t i) { return held_.record(i); }, is_row, bad, held_.parts());
  held_.clear();
  return sorted;
}

IsolatingWriter::OnRefused Session::into(std::vector<std::optional<BadRecord>>& bad) {
  return [this, &bad](const PlacedRow& row, const ServerError& error) {
    const auto& table = isolating_->table(error.into);
    auto found = bad_record_of(error, table);
    name_column(found, error, table);
    bad[row.record] = std::move(found);
  };
}

Result<void> Session::sort_out(std::size_t count, const std::function<Record(std::size_t)>& record,
                               const std::vector<bool>& is_row,
                               const std::vector<std::optional<BadRecord>>& bad,
                               std::span<const std::size_t> part_of) {
  const auto at = at_;
  // In offset order: what counts as "in a row" is the order of the log.
  for (std::size_t i = 0; i < count; ++i) {
    if (!part_of.empty()) at_ = part_of[i];
    if (bad[i]) {
      if (auto refused = refuse(record(i), *bad[i]); !refused) return refused;
    } else if (is_row[i]) {
      ++part().counts.rows;
      part().tally.good();
    }
  }
  at_ = at;
  return {};
}

void Session::name_column(BadRecord& bad, const ServerError& error, const Table& table) {
  if (!bad.column.empty()) return;
  const auto query = constraint_columns_query(error, table);
  if (query.empty()) return;
  if (!constraint_columns_.contains(query)) {
    const auto reply = connection_->exchange(query);
    if (!reply.ok()) return;  // the session is lost, and the next statement says so
    constexpr std::size_t names_max = 1'000;
    if (constraint_columns_.size() >= names_max) constraint_columns_.clear();
    constraint_columns_[query] =
        reply.table(0).size() > 0 ? reply.table(0).text(0, 0) : std::string();
  }
  bad.column = constraint_columns_[query];
}

Result<void> Session::refuse(const Record& record, const BadRecord& bad) {
  part().tally.bad(record.offset, bad);
  if (shared_->options.policy.on_bad_record == record::OnBadRecord::dead_letter) {
    dead_letters_.add(*shared_, task(), record, bad, !connection_->server_speaks_utf8());
    return dead_letters_.wants_send() ? send_dead_letters() : Result<void>{};
  }
  const auto refused = task();
  auto error = record::stopped_by(refused.range, record.offset, table_name(),
                                  record::for_log(bad, code_name));
  if (auto opened = open_transaction(Opening::without_rows); !opened) return opened;
  drop();
  if (!connection_) return tl::unexpected(std::move(error));
  // If the range is not ours any more, its rows are not for us to judge.
  const auto entries = ask_entries(*connection_, *shared_, {&refused, 1});
  if (entries && !allows(entries->front(), refused, shared_->owner)) {
    error = {ErrorKind::in_doubt, Cause::sink,
             "the ledger moved while the range was written: it has to be read again"};
  }
  return tl::unexpected(std::move(error));
}

Result<void> Session::send_dead_letters() {
  if (auto opened = open_transaction(); !opened) return opened;
  if (!isolating_) {
    // One COPY at a time; the rows go on afterwards.
    if (const auto reply = finish_rows_of_tables(); !reply.ok()) {
      return tl::unexpected(rows_failed(reply));
    }
  }
  const auto reply = dead_letters_.send(*connection_, *shared_, row_patience(shared_->options));
  if (reply.ok()) return {};
  auto error = failure(reply, "writing dead letters into " + shared_->tables.dead_letters);
  // Nothing in a dead letter can be bad: whatever refuses it is the table.
  if (error.kind == ErrorKind::bad_data) error = {ErrorKind::fatal, Cause::sink, error.message};
  return tl::unexpected(std::move(error));
}

Result<void> Session::change_state(const StateChange& change) {
  if (parts_.empty() || !shared_->options.is_home) {
    return fail(ErrorKind::fatal, Cause::internal, "change_state outside a task of a state's home");
  }
  state_.set(change);
  return {};
}

Result<void> Session::send_state() {
  if (state_.empty()) return {};
  const auto reply = state_.send(*connection_, *shared_, row_patience(shared_->options));
  crash_point("postgres_sent_state");
  if (reply.ok()) return {};
  auto error = failure(reply, "writing the state into " + shared_->tables.state);
  // No record can be at fault.
  if (error.kind == ErrorKind::bad_data) error = {ErrorKind::fatal, Cause::sink, error.message};
  return tl::unexpected(std::move(error));
}

Result<void> Session::ask_deferred() {
  const auto reply =
      connection_->exchange("SET CONSTRAINTS ALL IMMEDIATE", row_patience(shared_->options));
  return reply.ok() ? Result<void>{} : tl::unexpected(deferred_failed(reply));
}

Result<void> Session::finish_rows() {
  if (auto opened = open_transaction(); !opened) return opened;
  if (task().kind == TaskKind::lost) return {};
  if (isolating_) {
    if (auto stored = store_held(); !stored) return stored;
    if (const auto found = isolating_->finish()) return tl::unexpected(unhunted(*found, 0));
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      parts_[i].counts.suppressed = isolating_->suppressed(i);
    }
    if (auto asked = ask_deferred(); !asked) return asked;
  }
  if (!isolating_) {
    const auto reply = finish_rows_of_tables(RowStream::End::of_transaction);
    if (!reply.ok()) return tl::unexpected(rows_failed(reply));
  }
  if (auto sent = send_dead_letters(); !sent) return sent;
  if (auto sent = send_state(); !sent) return sent;
  if (auto counted = count_suppressed(); !counted) return counted;
  for (auto& part : parts_) {
    part.counts.rows -= part.counts.suppressed;
    part.counts.dead_letters = part.tally.count();
    part.counts.dead_letter_codes = part.tally.codes();
  }
  return {};
}

/// Of rows that were streamed. How many the server stored it says only for all since it was asked
/// last: where they are not all of them, and of several parts, it is asked for each from now on.
Result<void> Session::count_suppressed() {
  if (isolating_) return {};
  if (parts_.size() == 1 || counts_parts()) {
    auto& counts = part().counts;
    counts.suppressed = counts.rows - std::min(counts.rows, stored() - stored_before_);
    return {};
  }
  std::uint64_t rows = 0;
  for (const auto& part : parts_) rows += part.counts.rows;
  if (stored() >= rows) return {};
  shared_->suppresses = true;
  return tl::unexpected(rolled_back(
      {ErrorKind::bad_data, Cause::bad_record,
       fmt::format("{} does not store every row that it accepts: they are counted range by range",
                   table_name())}));
}

}  // namespace semel::postgres
