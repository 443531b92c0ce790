// Records into rows and dead letters.
#include <fmt/format.h>

#include "postgres/session.hpp"

namespace semel::postgres {

namespace {

BadRecord bad_record_of(const ServerError& error) {
  return {.column = error.column, .sqlstate = error.sqlstate, .reason = error.text()};
}

}  // namespace

Result<void> Session::write(std::span<const Record> records) {
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
            return tl::unexpected(failure(reply, doing("writing into")));
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
  enum class Fate : std::uint8_t { ignored, good, bad };
  std::vector<Fate> fates(records.size(), Fate::ignored);
  std::vector<BadRecord> reasons(records.size());
  std::vector<PlacedRow> placed;
  encoded_.clear();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto began_at = encoded_.size();
    const auto encoded = encoder_->encode(task_->range.source, records[i], encoded_);
    counts_.unknown_fields += encoded.unknown_fields;
    switch (encoded.status) {
      case EncodeStatus::row:
        fates[i] = Fate::good;
        placed.push_back({i, encoded.column_set, began_at, encoded_.size()});
        break;
      case EncodeStatus::ignored:
        ++counts_.ignored;
        break;
      case EncodeStatus::bad:
        fates[i] = Fate::bad;
        reasons[i] = encoder_->bad();
    }
  }
  const auto reply =
      careful_->write(placed, encoded_, [&](const PlacedRow& row, const auto& error) {
        fates[row.record] = Fate::bad;
        reasons[row.record] = bad_record_of(error);
      });
  if (!reply.ok()) return tl::unexpected(failure(reply, doing("writing into")));
  // Only now, in offset order: what counts as "in a row" is the order of the log.
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (fates[i] == Fate::good) {
      ++counts_.rows;
      tally_.good();
    } else if (fates[i] == Fate::bad) {
      if (auto refused = refuse(records[i], reasons[i]); !refused) return refused;
    }
  }
  return {};
}

Result<void> Session::refuse(const Record& record, const BadRecord& bad) {
  tally_.bad(bad);
  const auto& options = shared_->options;
  if (options.on_bad_record == OnBadRecord::dead_letter) {
    dead_letters_.add(*shared_, *task_, record, bad, !connection_->server_speaks_utf8());
    return dead_letters_.wants_send() ? send_dead_letters() : Result<void>{};
  }
  const auto source = task_->range.source;
  const auto task = *task_;
  Error error{ErrorKind::fatal, Cause::bad_record,
              fmt::format("{} offset {} cannot be stored in {}: {}{} (SQLSTATE {}). Nothing of {} "
                          "was written. on_bad_record = \"dead_letter\" would set it aside; "
                          "`semel offsets` can move past it",
                          to_string(source), record.offset, table_name(),
                          bad.column.empty() ? "" : fmt::format("column \"{}\": ", bad.column),
                          bad.reason, bad.sqlstate, to_string(task.range))};
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
      return tl::unexpected(failure(reply, doing("writing into")));
    }
  }
  const auto reply = dead_letters_.send(*connection_, *shared_, row_patience(shared_->options));
  if (reply.ok()) return {};
  auto error = failure(reply, "writing dead letters into " + shared_->tables.dead_letters);
  // Nothing in a dead letter can be bad: whatever refuses it is the table.
  if (error.kind == ErrorKind::bad_data) error = {ErrorKind::fatal, Cause::sink, error.message};
  return tl::unexpected(std::move(error));
}

Result<void> Session::finish_rows() {
  if (auto opened = open_transaction(); !opened) return opened;
  if (task_->kind == TaskKind::lost) return {};
  return send_dead_letters();
}

}  // namespace semel::postgres
