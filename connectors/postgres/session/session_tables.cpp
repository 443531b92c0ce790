// The tables of a transaction: which ones a record is for, and what each needs before its rows
// come.
#include <fmt/format.h>
#include <algorithm>

#include "base/crash_point.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/session/session.hpp"
#include "postgres/table/catalog.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/maker.hpp"

namespace semel::postgres {

Result<Fate> Session::choose(const Record& record) {
  auto fate = tables_.choose(task().range.tp, record, [this](const Tables::Wanted& wanted) {
    return describe_apart(wanted);
  });
  if (!fate) return tl::unexpected(rolled_back(fate.error()));
  if (*fate != Fate::row) return fate;
  for (auto* table : tables_.chosen()) {
    if (table->used_in == task_) continue;
    if (auto ready = use(*table); !ready) return tl::unexpected(ready.error());
  }
  return fate;
}

Result<void> Session::use(OpenTable& table) {
  // Of the others a COPY may be open, and nothing else can be said meanwhile.
  if (in_transaction_ && !isolating_) {
    if (const auto reply = finish_rows_of_tables(); !reply.ok()) {
      return tl::unexpected(rows_failed(reply));
    }
  }
  table.used_in = task_;
  table.firsts = table.others = 0;
  used_.insert(std::ranges::upper_bound(used_, table.rule, {},
                                        [](const OpenTable* used) { return used->rule; }),
               &table);
  table.encoder.begin_rows();
  const auto* staging = table.staging ? &*table.staging : nullptr;
  table.rows.start(*connection_, table.table, table.encoder, row_patience(shared_->options),
                   staging);
  if (isolating_) {
    table.number = isolating_->add({&table.table, &table.encoder, staging, table.rule});
  }
  // Defaults are needed before the first record is encoded. Otherwise the transaction begins in
  // the message that brings its first rows.
  if (!in_transaction_) return table.stable.empty() ? Result<void>{} : open_transaction();
  auto message = preparing(table);
  if (message.empty()) return {};
  const auto reply = connection_->exchange(message.substr(1), row_patience(shared_->options));
  if (!reply.ok()) return tl::unexpected(failure(reply, doing("writing into")));
  if (!table.stable.empty()) take_defaults(table, reply.table(0));
  return {};
}

/// The server never freezes a temporary table, and what it was made with holds the whole database's
/// oldest transaction back for as long as the session lives. Emptied, it is as if it were new.
/// Counted here, since behind a proxy nobody knows which session has which.
std::string Session::preparing(OpenTable& table) {
  constexpr std::uint64_t each = 1'000;
  std::string message;
  if (table.staging) {
    message += ";" + table.staging->create();
    if (++table.staged_transactions % each == 0) message += ";" + table.staging->empty();
  }
  if (!table.stable.empty()) {
    message += ";" + defaults_query(table.table, table.stable, table.encoder.format());
  }
  return message;
}

void Session::take_defaults(OpenTable& table, const Rows& row) {
  auto defaults = read_defaults(row, table.stable, table.encoder.format());
  defaults.insert(defaults.end(), table.constants.begin(), table.constants.end());
  table.encoder.set_defaults(defaults);
}

Reply Session::flush_rows() {
  return used_.size() == 1 ? used_.front()->rows.flush() : finish_rows_of_tables();
}

Reply Session::finish_rows_of_tables(RowStream::End end) {
  Reply reply;
  for (auto* used : used_) {
    reply = used->rows.finish(end);
    if (!reply.ok()) break;
  }
  return reply;
}

std::uint64_t Session::stored() const {
  std::uint64_t stored = 0;
  // Where a table has rows that are not the first of their record, what it stored says nothing of
  // how many records were.
  for (const auto* used : used_) stored += used->others > 0 ? used->firsts : used->rows.stored();
  return stored;
}

bool Session::stages() const {
  return std::ranges::any_of(used_,
                             [](const OpenTable* used) { return used->staging.has_value(); });
}

std::vector<const Table*> Session::used_tables() const {
  std::vector<const Table*> tables;
  for (const auto* used : used_) tables.push_back(&used->table);
  return tables;
}

/// In transactions of their own, before the one of the rows: what is made stays, whatever becomes
/// of the range. Another process that makes the same finds it made, and a zombie harms nobody.
Result<void> Session::make_tables() {
  const auto wanted = tables_.to_make();
  if (wanted.empty()) return {};
  const auto doing = ranges();
  drop();
  if (!connection_) {
    return fail(ErrorKind::unavailable, Cause::sink,
                "the connection was lost before a table was made");
  }
  std::string names;
  for (const auto& table : wanted) {
    const auto made = make_table(*connection_, table.options, table.shape);
    if (!made) return tl::unexpected(rolled_back(made.error()));
    tables_.made(table, made->columns);
    crash_point("postgres_made_table");
    names += (names.empty() ? "" : ", ") + split_name(table.options.table).quoted();
  }
  forget_tables();
  // No failure of the range: it is not counted as one.
  return tl::unexpected(
      Error{ErrorKind::unavailable, Cause::sink,
            fmt::format("{} is read again: {} can take all of its records now", doing, names)});
}

void Session::forget_tables() {
  const auto used = std::exchange(used_, {});
  tables_.forget(used);
}

}  // namespace semel::postgres
