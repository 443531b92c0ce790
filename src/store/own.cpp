#include "store/own.hpp"

#include <fmt/format.h>
#include <string_view>

#include "store/entries.hpp"
#include "store/moment.hpp"

namespace semel::store {

namespace {

constexpr std::string_view hexadecimal = "0123456789abcdef";

std::string hex(std::string_view bytes) {
  std::string text = "x'";
  for (const char c : bytes) {
    text += hexadecimal[static_cast<unsigned char>(c) >> 4U];
    text += hexadecimal[static_cast<unsigned char>(c) & 15U];
  }
  return text + "'";
}

std::string literal(const Cell& cell) {
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return std::to_string(*number);
  if (const auto* bytes = std::get_if<Bytes>(&cell)) return hex(bytes->bytes);
  const auto* text = std::get_if<std::string>(&cell);
  if (text == nullptr) return "NULL";
  // A zero would end the whole text.
  if (text->find('\0') != std::string::npos) return "CAST(" + hex(*text) + " AS TEXT)";
  std::string quoted = "'";
  for (const char c : *text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

std::string insert(const Dialect& dialect, std::string_view verb, const Table& table,
                   const std::vector<std::string>& cells) {
  std::string names;
  std::string values;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    names += fmt::format("{}{}{}{}", i == 0 ? "" : ", ", dialect.quote, table.columns[i].name,
                         dialect.quote);
    values += (i == 0 ? "" : ", ") + cells[i];
  }
  return fmt::format("{} INTO {}{} ({}) VALUES ({});\n", verb, dialect.schema, table.name, names,
                     values);
}

std::vector<std::string> literals(const Row& row) {
  std::vector<std::string> cells;
  for (const auto& cell : row) cells.push_back(literal(cell));
  return cells;
}

/// Where the ledger will stand; NULL where it does not stand where the range begins, or is not
/// ours. `also`: " AND …", what else has to hold.
std::string stands(const Dialect& dialect, const Owner& owner, const Task& task,
                   const std::string& also = "") {
  const auto at = [&](std::string_view alias) {
    return fmt::format("{0}.pipeline = {1} AND {0}.output = {2}", alias, literal(owner.pipeline),
                       literal(owner.output));
  };
  return fmt::format(
      "(SELECT {until} FROM {schema}{owners} w, {schema}{progress} p WHERE {w} AND w.epoch = "
      "{epoch} "
      "AND w.owner = {id} AND {p} AND p.topic = {topic} AND p.\"partition\" = {partition} AND "
      "p.until_offset = {from}{moved}{also})",
      fmt::arg("until", task.range.until), fmt::arg("schema", dialect.schema),
      fmt::arg("owners", owners().name), fmt::arg("progress", progress().name),
      fmt::arg("w", at("w")), fmt::arg("p", at("p")), fmt::arg("epoch", task.epoch),
      fmt::arg("id", literal(owner.id)), fmt::arg("topic", literal(task.range.tp.topic)),
      fmt::arg("partition", task.range.tp.partition), fmt::arg("from", task.range.from),
      fmt::arg("moved", task.moved_by ? fmt::format(" AND p.batch_time = {}", task.moved_by->ms)
                                      : std::string()),
      fmt::arg("also", also));
}

/// Of begun().
std::string begun_here(const Owner& owner, const Task& task) {
  return fmt::format("pipeline = {} AND output = {} AND topic = {} AND \"partition\" = {}",
                     literal(owner.pipeline), literal(owner.output), literal(task.range.tp.topic),
                     task.range.tp.partition);
}

Move commit_of(const RangeMove& move) {
  const auto& task = move.task;
  return {.tp = task.range.tp,
          .batch_time = task.time,
          .epoch = task.epoch,
          .from = task.range.from,
          .until = task.range.until,
          .rows = move.rows,
          .dead_letters = move.dead_letters.size()};
}

Progress goes_to(const RangeMove& move) {
  const auto& task = move.task;
  return {
      .tp = task.range.tp, .until = task.range.until, .batch_time = task.time, .last = move.last};
}

DeadLetter borrowed(const BadRecordCopy& letter) {
  return {.offset = letter.offset,
          .timestamp_ms = letter.timestamp_ms,
          .key = letter.key,
          .value = letter.value,
          .headers = letter.headers,
          .reason = letter.reason};
}

}  // namespace

const Setup& setup_of(const Range& range, std::string_view kind) {
  const auto* ours = dynamic_cast<const LedgerOfStore*>(&range.ledger());
  if (ours != nullptr && ours->setup().kind == kind) return ours->setup();
  throw Failed({ErrorKind::fatal, Cause::configuration,
                fmt::format("the ledger of this range is none of {}: make the consumer with the "
                            "ledger() of the same header",
                            kind)});
}

Result<std::optional<LedgerEntry>> advance(Store& store, const Owner& owner,
                                           const RangeMove& move) {
  const auto& task = move.task;
  auto entry = read_entry(store, owner, &task.range.tp);
  if (!entry) return tl::unexpected(entry.error());
  if (!allows(*entry, task, owner)) return *std::move(entry);
  auto now = store.now_ms();
  if (!now) return tl::unexpected(now.error());
  const auto moment = moment_text(*now);
  auto done = store.replace(
      progress(),
      row_of(owner, {.at = goes_to(move), .epoch = task.epoch, .owner = owner.id}, moment));
  if (done) done = store.add(history(), row_of(owner, commit_of(move), "", moment));
  for (const auto& letter : move.dead_letters) {
    if (done) done = store.add(dead_letters(), row_of(owner, task, borrowed(letter), moment));
  }
  if (!done) return tl::unexpected(done.error());
  return std::nullopt;
}

std::string begin_text(const Dialect& dialect, const Owner& owner, const Task& task) {
  const auto& range = task.range;
  return insert(dialect, "INSERT OR ROLLBACK", begun(),
                {literal(owner.pipeline), literal(owner.output), literal(range.tp.topic),
                 std::to_string(range.tp.partition), std::to_string(range.from),
                 stands(dialect, owner, task), literal(owner.id)});
}

std::string advance_text(const Dialect& dialect, const Owner& owner, const RangeMove& move,
                         const std::string& now, bool with_begin) {
  const auto& task = move.task;
  constexpr std::size_t until_column = 7;
  auto history_cells = literals(row_of(owner, commit_of(move), "", now));
  const auto mark =
      fmt::format("{}{} WHERE {} AND from_offset = {} AND owner = {}", dialect.schema, begun().name,
                  begun_here(owner, task), task.range.from, literal(owner.id));
  history_cells[until_column] =
      stands(dialect, owner, task,
             with_begin ? fmt::format(" AND EXISTS (SELECT 1 FROM {})", mark) : std::string());
  auto text = insert(dialect, "INSERT OR ROLLBACK", history(), history_cells);
  if (with_begin) text += fmt::format("DELETE FROM {};\n", mark);
  text += insert(
      dialect, "INSERT OR REPLACE", progress(),
      literals(row_of(owner, {.at = goes_to(move), .epoch = task.epoch, .owner = owner.id}, now)));
  for (const auto& letter : move.dead_letters) {
    text += insert(dialect, "INSERT OR ROLLBACK", dead_letters(),
                   literals(row_of(owner, task, borrowed(letter), now)));
  }
  return text;
}

}  // namespace semel::store
