#include "postgres/session.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "postgres/backends.hpp"
#include "postgres/catalog.hpp"
#include "postgres/defaults.hpp"
#include "postgres/quoting.hpp"

namespace semel::postgres {

std::string Session::table_name() const {
  return split_name(shared_->options.table).quoted();
}

std::string Session::doing(std::string_view what) const {
  return fmt::format("{} {}", what, table_name());
}

Error Session::rolled_back(Error error) {
  abort();
  return error;
}

Error Session::failure(const Reply& reply, const std::string& doing) {
  auto error = to_error(reply, doing);
  if (reply.error && !reply.error->session_ended) {
    const auto meaning = meaning_of(reply.error->sqlstate);
    if (meaning == Meaning::missing && !described_now_) {
      // The description may be older than the table: look again before people are told to act.
      table_.reset();
      error.kind = ErrorKind::retriable;
    } else if (reply.error->sqlstate == "08P01") {
      // On a living session: a column has become wider than what was encoded for it.
      table_.reset();
      error.kind = ErrorKind::retriable;
    } else if (meaning == Meaning::data) {
      // Who hunts for bad rows has to see the table as it is now.
      table_.reset();
    }
  }
  return rolled_back(std::move(error));
}

void Session::abort() noexcept {
  task_.reset();
  careful_.reset();
  begin_unread_ = false;
  if (!connection_) return;
  const int backend = connection_->backend();
  if (connection_->roll_back()) return;
  // It may still run what we sent, and hold its locks.
  old_backend_ = backend;
  connection_.reset();
}

Result<void> Session::connect() {
  if (shared_->interrupter->interrupted()) {
    return fail(ErrorKind::unavailable, Cause::sink, "interrupted, because the pipeline ends");
  }
  if (connection_ && !connection_->is_alive()) connection_.reset();
  if (connection_) return {};
  auto opened = Connection::open(shared_->options, shared_->name.full, shared_->interrupter);
  if (!opened) return tl::unexpected(opened.error());
  if (old_backend_ != 0) {
    auto ended = end_backends(**opened, same_backend(old_backend_, shared_->name.full));
    if (!ended) return tl::unexpected(ended.error());
    if (!ended->all_gone()) spdlog::warn("after a lost connection: {}", describe_left(*ended));
    old_backend_ = 0;
  }
  connection_ = *std::move(opened);
  return {};
}

Result<void> Session::describe() {
  described_now_ = !table_;
  if (table_) return {};
  auto table = describe_table(*connection_, shared_->options.table);
  if (!table) return tl::unexpected(table.error());
  if (auto left = leave_failing_defaults_to_server(*connection_, *table); !left) {
    return tl::unexpected(left.error());
  }
  auto encoder = RowEncoder::make(*table, shared_->options);
  if (!encoder) return tl::unexpected(encoder.error());

  constants_.clear();
  stable_ = encoder->defaults_needed(DefaultKind::stable);
  if (const auto constant = encoder->defaults_needed(DefaultKind::constant); !constant.empty()) {
    // With the settings under which the rows will be read.
    const auto reply =
        connection_->exchange(begin_message(*shared_) + ";" +
                              defaults_query(*table, constant, encoder->format()) + ";COMMIT");
    if (!reply.ok()) return tl::unexpected(failure(reply, doing("evaluating the defaults of")));
    constants_ = read_defaults(*(reply.results.end() - 2), constant, encoder->format());
    encoder->set_defaults(constants_);
  }
  table_ = *std::move(table);
  encoder_.emplace(*std::move(encoder));
  return {};
}

void Session::warm_up() noexcept try {
  if (connect() && !describe()) abort();
} catch (...) {
  abort();
}

Result<std::optional<Refused>> Session::begin(const Task& task) {
  if (task_) return fail(ErrorKind::fatal, Cause::internal, "begin inside a task");
  auto prepared = prepare(task);
  if (!prepared || *prepared) task_.reset();
  return prepared;
}

Result<std::optional<Refused>> Session::prepare(const Task& task) {
  task_ = task;
  counts_ = {};
  dead_letters_.clear();
  tally_.start();
  not_ours_ = false;
  if (auto connected = connect(); !connected) return tl::unexpected(connected.error());
  if (task.careful) {
    // Before hunting, read the ledger: if the range was committed after all, every row of it would
    // look like a duplicate key.
    auto entry = ask_entry(*connection_, *shared_, task.range.source);
    if (!entry) return tl::unexpected(rolled_back(entry.error()));
    if (!allows(*entry, task, shared_->owner)) return Refused{*std::move(entry)};
  }
  if (task.kind == TaskKind::load) {
    if (auto described = describe(); !described) {
      return tl::unexpected(rolled_back(described.error()));
    }
    if (delivery() == Delivery::at_most_once) {
      auto advanced = advance_first(task);
      if (!advanced || *advanced) return advanced;
    }
  }
  if (auto opened = open_transaction(); !opened) return tl::unexpected(opened.error());
  return std::nullopt;
}

Result<void> Session::open_transaction() {
  auto message = begin_message(*shared_);
  if (task_->kind == TaskKind::load) {
    const auto patience = row_patience(shared_->options);
    rows_.start(*connection_, *table_, *encoder_, patience);
    if (careful()) {
      message += ";SET CONSTRAINTS ALL IMMEDIATE";
      careful_.emplace(*connection_, *table_, *encoder_, patience);
    }
    if (!stable_.empty()) message += ";" + defaults_query(*table_, stable_, encoder_->format());
  }
  // Not waited for: the first records are encoded meanwhile.
  if (!connection_->send(message)) {
    return tl::unexpected(failure(connection_->receive(control_patience), "beginning"));
  }
  begin_unread_ = true;
  // Defaults are needed before the first record is encoded.
  return stable_.empty() || task_->kind == TaskKind::lost ? Result<void>{} : transaction_is_open();
}

Result<void> Session::transaction_is_open() {
  if (!begin_unread_) return {};
  begin_unread_ = false;
  const auto reply = connection_->receive(control_patience);
  if (!reply.ok()) {
    return tl::unexpected(failure(reply, doing("beginning a transaction for")));
  }
  // Tables in the answer: settings, the backend, and defaults if they were asked for.
  connection_->set_backend(static_cast<int>(reply.table(1).number(0, 0)));
  if (reply.table(1).text(0, 1) != shared_->owner.id) {
    not_ours_ = true;
    return tl::unexpected(
        rolled_back({ErrorKind::in_doubt, Cause::sink,
                     "another process owns the output, or the ledger went back"}));
  }
  if (task_->kind == TaskKind::load && !stable_.empty()) {
    auto defaults = read_defaults(reply.table(2), stable_, encoder_->format());
    defaults.insert(defaults.end(), constants_.begin(), constants_.end());
    encoder_->set_defaults(defaults);
  }
  return {};
}

}  // namespace semel::postgres
