#include "postgres/session/session.hpp"

#include <fmt/format.h>
#include <utility>

#include "postgres/client/backends.hpp"
#include "postgres/client/quoting.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/target.hpp"

namespace semel::postgres {

std::string Session::table_name() const {
  return split_name(shared_->options.table).quoted();
}

std::string Session::doing(std::string_view what) const {
  return fmt::format("{} {}", what, table_name());
}

Error Session::rolled_back(Error error) {
  drop();
  return error;
}

Error Session::failure(const Reply& reply, const std::string& doing) {
  auto error = to_error(reply, doing);
  if (reply.error && !reply.error->session_ended) {
    const auto meaning = meaning_of(*reply.error);
    if (meaning == Meaning::missing && (!described_now_ || !std::exchange(missed_, true))) {
      // The description may be older than the table, even one of this task, whose rows took a
      // while to come: look again before people are told to act.
      table_.reset();
      error.kind = ErrorKind::retriable;
    } else if (reply.error->sqlstate == "08P01") {
      // On a living session: a column has become wider than what was encoded for it.
      table_.reset();
      error.kind = ErrorKind::retriable;
    } else if (meaning == Meaning::data) {
      // This description may be older than the table. Bad rows are looked for in the table as it is
      // now.
      table_.reset();
    }
  }
  return rolled_back(std::move(error));
}

Error Session::rows_failed(const Reply& reply) {
  const bool living = reply.error && !reply.lost && !reply.error->session_ended;
  if (living && is_cancelled(*reply.error)) rows_.shorten();
  Reply said;
  said.error = reply.error;
  said.lost = reply.lost;
  if (living && table_) {
    said.error->of_value = copy_column(said.error->context, *table_).has_value();
  }
  auto error = failure(said, doing("writing into"));
  // What may pass is tried again as it is, and as often as the configuration says; so is what an
  // old description of the table may have brought about.
  if (!living || error.kind == ErrorKind::unavailable || error.kind == ErrorKind::retriable) {
    return error;
  }
  // This description may be older than the table. Bad rows are looked for in the table as it is
  // now.
  table_.reset();
  return {ErrorKind::bad_data, Cause::bad_record, std::move(error.message)};
}

Error Session::deferred_failed(const Reply& reply) {
  const auto range = parts_.front().task.range;
  const bool isolate = task().isolate;
  auto error = rows_failed(reply);
  if (!reply.error || error.kind == ErrorKind::unavailable) return error;
  holds_for_ = range;
  // Isolating took each row, and the constraints that are deferred to the end refuse the range. The
  // next try keeps all rows until the end (holds_for_) and finds there which of them are bad.
  if (isolate && error.kind == ErrorKind::bad_data) {
    error.kind = ErrorKind::retriable;
    error.cause = Cause::sink;
  }
  return error;
}

Error Session::unhunted(const Unhunted& found, Offset offset) {
  if (found.why == Unhunted::Why::lost) {
    return failure(connection_->receive(row_patience(shared_->options)), doing("writing into"));
  }
  Reply reply;
  reply.error = found.error;
  if (found.why == Unhunted::Why::passing) {
    return failure(reply, fmt::format("writing {} offset {} into {}", to_string(task().range.tp),
                                      offset, table_name()));
  }
  auto error = failure(reply, doing("writing any row into"));
  if (error.kind == ErrorKind::bad_data) error.kind = ErrorKind::fatal;
  error.cause = Cause::sink;
  return error;
}

void Session::abort() noexcept {
  drop();
  leave_connection();
}

void Session::leave_connection() noexcept {
  if (!connection_) return;
  connection_->on_silence({}, nullptr);
  shared_->sessions->park({.connection = std::move(connection_),
                           .id = connection_id_,
                           .shared_out = pooled_,
                           .may_prepare = may_prepare_,
                           .prepared = std::exchange(prepared_, {})});
}

void Session::drop() noexcept {
  parts_.clear();
  isolating_.reset();
  held_.clear();
  state_.clear();
  in_transaction_ = false;
  if (!connection_) return;
  const int backend = connection_->backend();
  if (connection_->roll_back()) return;
  // The connection is gone, but its backend in the server may still run what was sent, and hold its
  // locks: connect() ends it first.
  old_backend_ = backend;
  connection_.reset();
}

Result<void> Session::connect(SessionPool::Wish wish) {
  if (connection_) return {};
  auto taken = shared_->sessions->take(wish, connection_id_);
  if (!taken) return tl::unexpected(taken.error());
  if (old_backend_ != 0) {
    auto ended = end_backends(*taken->connection, same_backend(old_backend_, shared_->name.full));
    if (!ended) return tl::unexpected(ended.error());
    if (!ended->all_gone())
      shared_->options.log.warn("after a lost connection: {}", describe_left(*ended));
    old_backend_ = 0;
  }
  connection_ = std::move(taken->connection);
  connection_->on_silence(std::chrono::milliseconds(shared_->options.told_after_ms),
                          [this](std::chrono::milliseconds waited) { tell_silence(waited); });
  connection_id_ = taken->id;
  pooled_ = taken->shared_out;
  may_prepare_ = taken->may_prepare;
  prepared_ = std::move(taken->prepared);
  // Another session may have had the connection, and have seen another table.
  if (prepared_ != guarded_) guard_.reset();
  return {};
}

void Session::tell_silence(std::chrono::milliseconds waited) const {
  if (parts_.empty()) return;
  constexpr std::int64_t looking_ms = 2'000;
  auto options = shared_->options;
  options.connect_timeout_ms = std::min(options.connect_timeout_ms, looking_ms);
  const int backend = connection_->backend();
  std::string why = "Whether it waits for a lock is not known";
  // Its own session cannot say, because it waits. Behind a proxy it may not be known yet.
  const auto blockers = [&]() -> Result<std::string> {
    if (backend == 0) return fail(ErrorKind::retriable, Cause::sink, "not known");
    auto looking = Connection::open(options, "semel looking", shared_->interrupter);
    if (!looking) return tl::unexpected(looking.error());
    return who_blocks(**looking, backend);
  }();
  if (blockers) {
    why = blockers->empty()
              ? fmt::format(
                    "Its session {} waits for no lock: a trigger, constraint, disk or other "
                    "server may be slow (pg_stat_activity)",
                    backend)
              : fmt::format(
                    "Its session {} waits for a lock, behind {}; pg_terminate_backend() "
                    "would end such a session",
                    backend, *blockers);
  }
  shared_->options.log.warn(
      "PostgreSQL has not answered for {} s while {} is written into {}. {}. Nothing is lost",
      std::chrono::duration_cast<std::chrono::seconds>(waited).count(), ranges(), table_name(),
      why);
}

Result<void> Session::describe() {
  described_now_ = !table_;
  if (table_) return {};
  auto target = describe_target(*connection_, shared_->options);
  if (!target) return tl::unexpected(target.error());
  auto& [table, encoder] = *target;

  constants_.clear();
  stable_ = encoder.defaults_needed(DefaultKind::stable);
  if (const auto constant = encoder.defaults_needed(DefaultKind::constant); !constant.empty()) {
    // With the settings under which the rows will be read.
    const auto reply =
        connection_->exchange(begin_message(*shared_) + ";" +
                              defaults_query(table, constant, encoder.format()) + ";COMMIT");
    if (!reply.ok()) return tl::unexpected(failure(reply, doing("evaluating the defaults of")));
    constants_ = read_defaults(*(reply.results.end() - 2), constant, encoder.format());
    encoder.set_defaults(constants_);
  }
  table_ = std::move(table);
  encoder_.emplace(std::move(encoder));
  staging_.reset();
  if (!table_->stage.empty()) staging_.emplace(*table_, shared_->options);
  guard_.reset();
  return {};
}

Result<void> Session::ready_guard() {
  const bool batch = std::exchange(wants_batch_guard_, wants_batch_guard_ || parts_.size() > 1);
  if ((guard_ && batch == wants_batch_guard_) || !may_prepare_) return {};
  const auto name = guard_name(*shared_);
  const auto batch_name = batch_guard_name(*shared_);
  auto statement = postgres::prepare_guard(*shared_, *table_, name);
  if (wants_batch_guard_) {
    statement += ';';
    statement += postgres::prepare_batch_guard(*shared_, *table_, batch_name);
  }
  // Described again and found as it was: after bad data, for example.
  if (statement != prepared_) {
    std::string before;
    if (!prepared_.empty()) before = "DEALLOCATE " + name + ";";
    if (prepared_.find(batch_name) != std::string::npos) before += "DEALLOCATE " + batch_name + ";";
    const auto reply = connection_->exchange(before + statement);
    if (reply.lost) return tl::unexpected(failure(reply, "preparing the guard"));
    // What the server has against it, it says again when the guard is sent as text.
    may_prepare_ = reply.ok();
    if (!may_prepare_) {
      prepared_.clear();
      guard_.reset();
      return {};
    }
    prepared_ = std::move(statement);
  }
  guarded_ = prepared_;
  guard_ = name;
  return {};
}

void Session::warm_up() noexcept try {
  if (connect(SessionPool::Wish::now) && describe()) (void)ready_guard();
  abort();
} catch (...) {
  abort();
}

std::vector<Task> Session::tasks() const {
  std::vector<Task> all;
  for (const auto& part : parts_) all.push_back(part.task);
  return all;
}

std::string Session::ranges() const {
  const auto first = to_string(parts_.front().task.range);
  return parts_.size() == 1 ? first : fmt::format("{} and {} more", first, parts_.size() - 1);
}

Result<std::optional<Refused>> Session::begin(std::span<const Task> tasks) {
  if (!parts_.empty()) return fail(ErrorKind::fatal, Cause::internal, "begin inside a task");
  for (const auto& task : tasks) parts_.push_back({.task = task});
  if (parts_.size() > 1 && shared_->options.delivery != Delivery::exactly_once) {
    parts_.clear();
    return fail(ErrorKind::fatal, Cause::internal, "several ranges, and not exactly once");
  }
  auto begun = begin_tasks();
  if (!begun || *begun) parts_.clear();
  return begun;
}

Result<std::optional<Refused>> Session::first_refused() {
  auto entries = ask_entries(*connection_, *shared_, tasks());
  if (!entries) return tl::unexpected(entries.error());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto& entry = (*entries)[i];
    if (!allows(entry, parts_[i].task, shared_->owner)) return Refused{std::move(entry), i};
  }
  return std::nullopt;
}

Result<std::optional<Refused>> Session::begin_tasks() {
  at_ = 0;
  stored_before_ = 0;
  order_.start();
  dead_letters_.clear();
  state_.clear();
  held_.clear();
  in_transaction_ = false;
  not_ours_ = false;
  if (auto connected = connect(SessionPool::Wish::turn); !connected)
    return tl::unexpected(connected.error());
  const bool loads = task().kind == TaskKind::load;
  if (task().isolate) {
    // Before hunting, read the ledger: if the range was committed after all, every row of it would
    // look like a duplicate key.
    auto refused = first_refused();
    if (!refused) return tl::unexpected(rolled_back(refused.error()));
    if (*refused) return refused;
  }
  if (auto begun = begin_part(0); !begun) return tl::unexpected(begun.error());
  if (!loads) return std::nullopt;
  if (auto described = describe(); !described) {
    return tl::unexpected(rolled_back(described.error()));
  }
  if (auto prepared = ready_guard(); !prepared) {
    return tl::unexpected(rolled_back(prepared.error()));
  }
  if (delivery() == Delivery::at_most_once) {
    auto advanced = advance_first(task());
    if (!advanced || *advanced) return advanced;
  }
  const auto patience = row_patience(shared_->options);
  const auto* staging = staging_ ? &*staging_ : nullptr;
  encoder_->begin_rows();
  rows_.start(*connection_, *table_, *encoder_, patience, staging);
  if (isolates()) {
    isolating_.emplace(*connection_, *table_, *encoder_, staging, patience, task().last_resort);
  }
  // Defaults are needed before the first record is encoded. Otherwise the transaction begins in
  // the message that brings its first rows.
  if (!stable_.empty()) {
    if (auto opened = open_transaction(); !opened) return tl::unexpected(opened.error());
  }
  return std::nullopt;
}

/// The server never freezes a temporary table, and what it was made with holds the whole database's
/// oldest transaction back for as long as the session lives. Emptied, it is as if it were new.
/// Counted here, since behind a proxy nobody knows which session has which.
std::string Session::renewed_stage() {
  constexpr std::uint64_t each = 1'000;
  return ++staged_transactions_ % each == 0 ? ";" + staging_->empty() : std::string();
}

Result<void> Session::open_transaction(Opening opening) {
  if (in_transaction_) return {};
  auto message = begin_rows_message(*shared_);
  const bool loads = task().kind == TaskKind::load;
  if (loads && staging_) message += ";" + staging_->create() + renewed_stage();
  const bool asks_for_defaults = loads && !stable_.empty();
  // Where the ledger has moved already there is no second attempt that could hold rows together.
  if (loads && delivery() == Delivery::at_most_once) message += ";SET CONSTRAINTS ALL IMMEDIATE";
  if (asks_for_defaults) {
    message += ';';
    message += defaults_query(*table_, stable_, encoder_->format());
  }
  // Of the last transaction: it may be somebody else's by now.
  if (pooled_) connection_->set_backend(0);
  const bool streams = loads && !isolating_ && opening == Opening::with_rows;
  const auto reply = streams ? rows_.open_after(message) : connection_->exchange(message);
  in_transaction_ = true;
  if (is_fenced(reply)) {
    not_ours_ = true;
    return tl::unexpected(
        rolled_back({ErrorKind::in_doubt, Cause::sink,
                     "another process owns the output, or the ledger went back"}));
  }
  // Tables in the answer: the backend, and defaults if they were asked for.
  const bool begun = !reply.lost && reply.tables() > 0;
  if (begun) connection_->set_backend(static_cast<int>(reply.table(0).number(0, 0)));
  if (!reply.ok()) {
    return tl::unexpected(
        begun && streams
            ? rows_failed(reply)
            : failure(reply, doing(begun ? "writing into" : "beginning a transaction for")));
  }
  if (asks_for_defaults) {
    auto defaults = read_defaults(reply.table(1), stable_, encoder_->format());
    defaults.insert(defaults.end(), constants_.begin(), constants_.end());
    encoder_->set_defaults(defaults);
  }
  return {};
}

}  // namespace semel::postgres
