#include "postgres/session/session.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "postgres/client/backends.hpp"
#include "postgres/client/quoting.hpp"

namespace semel::postgres {

std::string Session::table_name() const {
  if (tables_.single() || used_.empty()) return tables_.name();
  std::string names;
  for (const auto* used : used_) {
    names +=
        (names.empty() ? "" : ", ") + QualifiedName{used->table.schema, used->table.name}.quoted();
  }
  return names;
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
    const bool fresh = std::ranges::all_of(
        used_, [this](const auto* used) { return used->described_in == task_; });
    if (meaning == Meaning::missing && (!fresh || !std::exchange(missed_, true))) {
      // The description may be older than the table, even one of this task, whose rows took a
      // while to come: look again before people are told to act.
      forget_tables();
      error.kind = ErrorKind::retriable;
    } else if (reply.error->sqlstate == "08P01") {
      // On a living session: a column has become wider than what was encoded for it.
      forget_tables();
      error.kind = ErrorKind::retriable;
    } else if (meaning == Meaning::data) {
      // This description may be older than the table. Bad rows are looked for in the table as it is
      // now.
      forget_tables();
    }
  }
  return rolled_back(std::move(error));
}

Error Session::rows_failed(const Reply& reply) {
  const bool living = reply.error && !reply.lost && !reply.error->session_ended;
  if (living && is_cancelled(*reply.error)) {
    for (auto* used : used_) used->rows.shorten();
  }
  Reply said;
  said.error = reply.error;
  said.lost = reply.lost;
  if (living) {
    said.error->of_value = std::ranges::any_of(used_, [&](const OpenTable* used) {
      return copy_column(said.error->context, used->table).has_value();
    });
  }
  auto error = failure(said, doing("writing into"));
  // What may pass is tried again as it is, and as often as the configuration says; so is what an
  // old description of the table may have brought about.
  if (!living || error.kind == ErrorKind::unavailable || error.kind == ErrorKind::retriable) {
    return error;
  }
  // This description may be older than the table. Bad rows are looked for in the table as it is
  // now.
  forget_tables();
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
  looking_.reset();
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
  if (tables_.only() != nullptr) return {};
  std::vector<std::string> topics;
  for (const auto& part : parts_) topics.push_back(part.task.range.tp.topic);
  forget_missing();
  guard_.reset();
  const Tables::Describe describe = [this](const Tables::Wanted& wanted) {
    return describe_on(*connection_, wanted);
  };
  if (auto known = tables_.describe_known(topics, describe); !known) return known;
  for (const auto& [rule, table] : std::exchange(wanted_, {})) {
    if (auto open = tables_.describe_named(rule, table, describe); !open) return open;
  }
  return {};
}

/// What records have named in vain is looked for again now and then: each time is a round trip, and
/// there may be many names.
void Session::forget_missing() {
  constexpr std::chrono::seconds each(5);
  const auto now = std::chrono::steady_clock::now();
  if (now < look_again_) return;
  look_again_ = now + each;
  tables_.forget_missing();
}

Result<std::unique_ptr<OpenTable>> Session::describe_on(Connection& connection,
                                                        const Tables::Wanted& wanted) {
  auto made = open_table(connection, *shared_, wanted);
  if (made && *made) (*made)->described_in = task_;
  return made;
}

/// While a task runs: its transaction is open, perhaps, and a COPY in it. Where there is no second
/// connection to be had, the table is described before the next try.
Result<std::unique_ptr<OpenTable>> Session::describe_apart(const Tables::Wanted& wanted) {
  if (!looking_) {
    auto opened = Connection::open(shared_->options, shared_->name.full, shared_->interrupter);
    if (!opened) {
      wanted_.emplace_back(wanted.rule, wanted.options.table);
      auto error = opened.error();
      error.message = fmt::format("a second connection, to look at {}: {}", wanted.options.table,
                                  error.message);
      return tl::unexpected(std::move(error));
    }
    looking_ = *std::move(opened);
  }
  auto made = describe_on(*looking_, wanted);
  if (!made && made.error().kind == ErrorKind::unavailable) looking_.reset();
  return made;
}

Result<void> Session::ready_guard() {
  const bool batch = std::exchange(wants_batch_guard_, wants_batch_guard_ || parts_.size() > 1);
  // It names the table whose rows it guards.
  if (!tables_.single() || (guard_ && batch == wants_batch_guard_) || !may_prepare_) return {};
  if (tables_.only() == nullptr) return {};  // it is to be made
  const auto& table = tables_.only()->table;
  const auto name = guard_name(*shared_);
  const auto batch_name = batch_guard_name(*shared_);
  auto statement = postgres::prepare_guard(*shared_, table, name);
  if (wants_batch_guard_) {
    statement += ';';
    statement += postgres::prepare_batch_guard(*shared_, table, batch_name);
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
  ++task_;
  tables_.forget_unmade();
  used_.clear();
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
  if (isolates()) {
    isolating_.emplace(*connection_, row_patience(shared_->options), task().last_resort);
  }
  // Which tables the others are, their records say.
  if (!tables_.single()) return std::nullopt;
  if (auto chosen = choose({}); !chosen) return tl::unexpected(chosen.error());
  return std::nullopt;
}

std::string Session::opening_message() const {
  auto message = begin_rows_message(*shared_);
  // Where the ledger has moved already there is no second attempt that could hold rows together.
  const bool loads = task().kind == TaskKind::load;
  if (loads && delivery() == Delivery::at_most_once) message += ";SET CONSTRAINTS ALL IMMEDIATE";
  return message;
}

Result<void> Session::open_transaction(Opening opening) {
  if (in_transaction_) return {};
  auto message = opening_message();
  const bool loads = task().kind == TaskKind::load;
  if (loads) {
    for (auto* used : used_) message += preparing(*used);
  }
  // Of the last transaction: it may be somebody else's by now.
  if (pooled_) connection_->set_backend(0);
  const bool streams = loads && !isolating_ && opening == Opening::with_rows && !used_.empty();
  const auto reply =
      streams ? used_.front()->rows.open_after(message) : connection_->exchange(message);
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
  std::size_t at = 0;
  for (auto* used : used_) {
    if (loads && !used->stable.empty()) take_defaults(*used, reply.table(++at));
  }
  return {};
}

}  // namespace semel::postgres
