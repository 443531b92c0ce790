#include "postgres/session/rehearsal.hpp"

#include <fmt/format.h>
#include <array>
#include <utility>

#include "postgres/client/quoting.hpp"
#include "postgres/ledger/owner.hpp"
#include "postgres/merge/staging.hpp"
#include "postgres/rows/dead_letters.hpp"
#include "postgres/rows/row_stream.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/guard.hpp"

namespace semel::postgres {

namespace {

constexpr auto lock_timeout = "2s";
constexpr std::string_view end_savepoint = ";RELEASE SAVEPOINT semel_rehearsal";

/// A range of a topic that is nobody's.
Task imagined_task() {
  Task task;
  task.time = {1};
  task.range = {{"semel check", 0}, 0, 1};
  task.epoch = 1;
  task.moved_by = BatchTime{0};
  return task;
}

}  // namespace

std::unique_ptr<Shared> rehearsing(const Connection& connection, const Options& options,
                                   LedgerTables tables) {
  auto shared = std::make_unique<Shared>();
  shared->options = options;
  const auto name = fmt::format("semel check, process {}", connection.backend_at_login());
  shared->owner = {.pipeline = name, .output = name, .id = name, .description = name};
  shared->name = {.prefix = name + "/", .full = "semel check"};
  shared->tables = std::move(tables);
  return shared;
}

Reply Rehearsal::begin() {
  return connection_.exchange(begin_message(shared_) +
                              fmt::format(";SET LOCAL lock_timeout = '{}'", lock_timeout));
}

Reply Rehearsal::attempt(const std::string& statements, std::string_view rows) {
  auto reply =
      connection_.exchange("SAVEPOINT semel_rehearsal;" + statements + std::string(end_savepoint));
  if (reply.copy_in) {
    connection_.put(rows, control_patience);
    connection_.put_end(nullptr, control_patience);
    reply = connection_.receive(control_patience);
  }
  if (reply.error && !reply.lost) {
    auto back =
        connection_.exchange("ROLLBACK TO SAVEPOINT semel_rehearsal" + std::string(end_savepoint));
    if (!back.ok()) return back;
  }
  return reply;
}

Reply Rehearsal::make_ledger(bool with_schema) {
  return attempt(ledger_statements(shared_.tables, with_schema, lock_timeout));
}

Reply Rehearsal::move_ledger(const std::vector<const Table*>& tables) {
  const auto task = imagined_task();
  // One alone, and two in one statement.
  std::array together{task, task};
  together[0].range.tp.partition = 1;
  together[1].range.tp.partition = 2;
  const auto start_of = [](const Task& of) {
    return Progress{.tp = of.range.tp, .until = of.range.from};
  };
  const std::array starts{start_of(task), start_of(together[0]), start_of(together[1])};
  const Advance move{
      .task = &task, .last = RecordMark{task.range.from, 0, 0}, .counts = {}, .tables = tables};
  std::array moves{move, move};
  moves[0].task = &together[0];
  moves[1].task = &together[1];
  return attempt(
      take_over_statements(shared_, "") + ";" + enter_statements(shared_, task.epoch, starts) +
      ";" + keep_alive_statements(shared_, task.epoch) + ";" + advance_statement(shared_, move) +
      ";" + advance_batch_statement(shared_, moves) + ";" + trim_statement(shared_) + ";" +
      goodbye_statement(shared_, task.epoch, std::nullopt));
}

Reply Rehearsal::set_aside() {
  DeadLetters letters;
  const Record record{.offset = 0, .value = "{}"};
  letters.add(shared_, imagined_task(), record, {.code = "00000", .reason = "semel check"}, true);
  auto reply = connection_.exchange("SAVEPOINT semel_rehearsal");
  if (reply.ok()) reply = letters.send(connection_, shared_, control_patience);
  if (reply.lost) return reply;
  auto back =
      connection_.exchange("ROLLBACK TO SAVEPOINT semel_rehearsal" + std::string(end_savepoint));
  return back.ok() ? std::move(reply) : std::move(back);
}

Reply Rehearsal::write_rows(const OpenTable& target) {
  const auto& table = target.table;
  const auto& encoder = target.encoder;
  auto needed = encoder.defaults_needed(DefaultKind::constant);
  const auto stable = encoder.defaults_needed(DefaultKind::stable);
  needed.insert(needed.end(), stable.begin(), stable.end());
  if (!needed.empty()) {
    if (auto reply = attempt(defaults_query(table, needed, encoder.format())); !reply.ok()) {
      return reply;
    }
  }
  const auto stream = std::string(encoder.copy_begin()) + std::string(encoder.copy_end());
  const auto copy = copy_statement(table, encoder, 0);
  if (!target.staging) return attempt(copy, stream);
  const auto& staging = *target.staging;
  auto reply = attempt(staging.create() + ";" + copy, stream);
  if (!reply.ok()) return reply;
  return attempt(staging.merge(
      {.sets = {{0, encoder.columns_of(0)}}, .removals = target.options.policy.removes()}, 0));
}

std::optional<ServerError> refused_default(Connection& connection, const Column& column) {
  if (column.default_kind != DefaultKind::changing || column.default_expression.empty()) return {};
  auto reply = connection.exchange("BEGIN READ ONLY;SELECT " + column.default_expression);
  connection.roll_back();
  if (!reply.error || meaning_of(reply.error->sqlstate) != Meaning::privilege) return {};
  return std::move(reply.error);
}

}  // namespace semel::postgres
