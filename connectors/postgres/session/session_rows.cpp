// Records into rows and dead letters.
#include <fmt/format.h>
#include <algorithm>

#include "postgres/session/session.hpp"

namespace semel::postgres {

Result<void> Session::write(std::size_t, std::span<const Record> records) {
  if (!task_ || task_->kind != TaskKind::load) {
    return fail(ErrorKind::fatal, Cause::internal, "write outside a task that loads");
  }
  return careful_ ? write_carefully(records) : write_streaming(records);
}

Result<void> Session::write_streaming(std::span<const Record> records) {
  for (const auto& record : records) {
    auto& out = rows_.buffer();
    const auto began_at = out.size();
    const auto encoded = encoder_->encode(task_->range.source, record, out);
    counts_.unknown_fields += encoded.unknown_fields;
    switch (encoded.status) {
      case EncodeStatus::row:
        ++counts_.rows;
        tally_.good();
        rows_.placed(began_at, encoded.column_set);
        if (rows_.wants_flush()) {
          if (auto opened = open_transaction(); !opened) return opened;
          if (const auto reply = rows_.flush(); !reply.ok()) {
            return tl::unexpected(rows_failed(reply));
          }
        }
        break;
      case EncodeStatus::ignored:
        ++counts_.ignored;
        break;
      case EncodeStatus::bad:
        if (auto refused = refuse(record, encoder_->bad()); !refused) return refused;
    }
  }
  return {};
}

Result<void> Session::write_carefully(std::span<const Record> records) {
  if (auto opened = open_transaction(); !opened) return opened;
  if (holds()) return hold(records);
  std::vector<bool> is_row(records.size(), false);
  std::vector<std::optional<BadRecord>> bad(records.size());
  std::vector<PlacedRow> placed;
  encoded_.clear();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto began_at = encoded_.size();
    const auto encoded = encoder_->encode(task_->range.source, records[i], encoded_);
    counts_.unknown_fields += encoded.unknown_fields;
    switch (encoded.status) {
      case EncodeStatus::row:
        is_row[i] = true;
        placed.push_back({i, encoded.column_set, began_at, encoded_.size()});
        break;
      case EncodeStatus::ignored:
        ++counts_.ignored;
        break;
      case EncodeStatus::bad:
        bad[i] = encoder_->bad();
    }
  }
  if (const auto found = careful_->write(placed, encoded_, into(bad))) {
    const auto at = found->row ? placed[*found->row].record : 0;
    return tl::unexpected(unhunted(*found, records[at].offset));
  }
  return sort_out(
      records.size(), [&](std::size_t i) { return records[i]; }, is_row, bad);
}

Result<void> Session::hold(std::span<const Record> records) {
  for (const auto& record : records) {
    encoded_.clear();
    const auto encoded = encoder_->encode(task_->range.source, record, encoded_);
    counts_.unknown_fields += encoded.unknown_fields;
    switch (encoded.status) {
      case EncodeStatus::row:
        held_.add(record, encoded.column_set, encoded_);
        break;
      case EncodeStatus::ignored:
        ++counts_.ignored;
        break;
      case EncodeStatus::bad:
        held_.add_bad(record, encoder_->bad());
    }
  }
  return held_.full() ? store_held() : Result<void>{};
}

Result<void> Session::store_held() {
  std::vector<bool> is_row(held_.size(), false);
  std::vector<std::optional<BadRecord>> bad(held_.size());
  for (std::size_t i = 0; i < held_.size(); ++i) bad[i] = held_.bad(i);
  for (const auto& row : held_.rows()) is_row[row.record] = true;
  if (const auto found = careful_->write_together(held_.rows(), held_.bytes(), into(bad))) {
    const auto at = found->row ? held_.rows()[*found->row].record : 0;
    return tl::unexpected(unhunted(*found, held_.record(at).offset));
  }
  auto sorted = sort_out(
      held_.size(), [&](std::size_t i) { return held_.record(i); }, is_row, bad);
  held_.clear();
  return sorted;
}

CarefulWriter::OnRefused Session::into(std::vector<std::optional<BadRecord>>& bad) {
  return [this, &bad](const PlacedRow& row, const ServerError& error) {
    auto found = bad_record_of(error, *table_);
    name_column(found, error);
    bad[row.record] = std::move(found);
  };
}

Result<void> Session::sort_out(std::size_t count, const std::function<Record(std::size_t)>& record,
                               const std::vector<bool>& is_row,
                               const std::vector<std::optional<BadRecord>>& bad) {
  // In offset order: what counts as "in a row" is the order of the log.
  for (std::size_t i = 0; i < count; ++i) {
    if (bad[i]) {
      if (auto refused = refuse(record(i), *bad[i]); !refused) return refused;
    } else if (is_row[i]) {
      ++counts_.rows;
      tally_.good();
    }
  }
  return {};
}

void Session::name_column(BadRecord& bad, const ServerError& error) {
  if (!bad.column.empty()) return;
  const auto query = constraint_columns_query(error, *table_);
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
  tally_.bad(record.offset, bad);
  if (shared_->options.policy.on_bad_record == record::OnBadRecord::dead_letter) {
    dead_letters_.add(*shared_, *task_, record, bad, !connection_->server_speaks_utf8());
    return dead_letters_.wants_send() ? send_dead_letters() : Result<void>{};
  }
  const auto source = task_->range.source;
  const auto task = *task_;
  auto error =
      record::stopped_by(task.range, record.offset, table_name(), record::for_log(bad, code_name));
  if (auto opened = open_transaction(Opening::without_rows); !opened) return opened;
  drop();
  if (!connection_) return tl::unexpected(std::move(error));
  // If the range is not ours any more, its rows are not for us to judge.
  const auto entry = ask_entry(*connection_, *shared_, source);
  if (entry && !allows(*entry, task, shared_->owner)) {
    error = {ErrorKind::in_doubt, Cause::sink,
             "the ledger moved while the range was written: it has to be read again"};
  }
  return tl::unexpected(std::move(error));
}

Result<void> Session::send_dead_letters() {
  if (auto opened = open_transaction(); !opened) return opened;
  if (!careful_) {
    // One COPY at a time; the rows go on afterwards.
    if (const auto reply = rows_.finish(); !reply.ok()) {
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

Result<void> Session::ask_deferred() {
  const auto reply =
      connection_->exchange("SET CONSTRAINTS ALL IMMEDIATE", row_patience(shared_->options));
  return reply.ok() ? Result<void>{} : tl::unexpected(deferred_failed(reply));
}

Result<void> Session::finish_rows() {
  if (auto opened = open_transaction(); !opened) return opened;
  if (task_->kind == TaskKind::lost) return {};
  if (careful_) {
    if (auto stored = store_held(); !stored) return stored;
    if (const auto found = careful_->finish()) return tl::unexpected(unhunted(*found, 0));
    counts_.suppressed = careful_->suppressed();
    if (auto asked = ask_deferred(); !asked) return asked;
  }
  if (auto sent = send_dead_letters(); !sent) return sent;
  if (!careful_) counts_.suppressed = counts_.rows - std::min(counts_.rows, rows_.stored());
  counts_.rows -= counts_.suppressed;
  return {};
}

}  // namespace semel::postgres
