#include "store/entries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/clean_text.hpp"
#include "base/ledger_names.hpp"
#include "record/header_json.hpp"
#include "store/moment.hpp"

namespace semel::store {

namespace {

bool is_null(const Row& row, std::size_t i) {
  return std::holds_alternative<std::monostate>(row[i]);
}
Cell or_null(const std::string& text) {
  return text.empty() ? Cell() : Cell(text);
}
Cell or_null(const std::optional<std::string_view>& bytes) {
  return bytes ? Cell(Bytes{std::string(*bytes)}) : Cell();
}

Row key_of(const Owner& owner) {
  return {owner.pipeline, owner.output};
}
Row key_of(const Owner& owner, const TopicPartition& tp) {
  return {owner.pipeline, owner.output, tp.topic, std::int64_t{tp.partition}};
}
TopicPartition tp_of(const Row& row) {
  return {text_in(row[2]), static_cast<std::int32_t>(number_in(row[3]))};
}

/// The first row that a scan comes to.
Result<std::optional<Row>> first_of(Store& store, const Table& table, const Scan& which) {
  std::optional<Row> found;
  auto read = store.scan(table, which, [&](const Row& row) {
    found = row;
    return false;
  });
  if (!read) return tl::unexpected(read.error());
  return found;
}

Result<std::string> now_of(Store& store) {
  auto now = store.now_ms();
  if (!now) return tl::unexpected(now.error());
  return moment_text(*now);
}

ProgressRow progress_of(const Row& row) {
  ProgressRow progress{.at = {.tp = tp_of(row), .until = number_in(row[4])},
                       .epoch = number_in(row[5]),
                       .owner = text_in(row[6]),
                       .moved_at = text_in(row[11])};
  progress.at.batch_time = {number_in(row[7])};
  if (!is_null(row, 8)) {
    progress.at.last = RecordMark{number_in(row[8]), number_in(row[9]),
                                  static_cast<std::uint32_t>(number_in(row[10]))};
  }
  return progress;
}

Move move_of(const Row& row) {
  const auto count = [&](std::size_t i) { return static_cast<std::uint64_t>(number_in(row[i])); };
  return {.tp = tp_of(row),
          .batch_time = {number_in(row[4])},
          .epoch = number_in(row[5]),
          .from = number_in(row[6]),
          .until = number_in(row[7]),
          .kind = kind_of(text_in(row[8])),
          .rows = count(9),
          .dead_letters = count(10),
          .ignored = count(11),
          .suppressed = count(12),
          .committed_at = text_in(row[14])};
}

}  // namespace

tl::unexpected<Error> not_whole(std::string_view place, std::string_view what,
                                std::string_view remedy) {
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the ledger in {} is not whole: {}. What it has lost is not begun anew, "
                          "because that stores records again or leaves some out. Restore all of "
                          "its tables from one backup; or {}",
                          place, what, remedy));
}

Result<bool> find_ledger(Store& store, std::string_view place) {
  std::string missing;
  std::size_t found = 0;
  for (const auto* table : tables()) {
    auto columns = store.columns_of(*table);
    if (!columns) return tl::unexpected(columns.error());
    if (columns->empty()) {
      missing += fmt::format("{}table {}", missing.empty() ? "" : ", ", table->name);
      continue;
    }
    ++found;
    for (const auto& column : table->columns) {
      if (std::ranges::find(*columns, column.name) != columns->end()) continue;
      missing +=
          fmt::format("{}column {} of {}", missing.empty() ? "" : ", ", column.name, table->name);
    }
  }
  if (found == 0) return false;
  if (!missing.empty()) {
    return not_whole(place, missing + " does not exist (any more)",
                     "run what `semel sql` prints, and say where to go on with `semel offsets FILE "
                     "set`");
  }
  std::int64_t newest = 0;
  constexpr std::size_t version = 8;
  auto read = store.scan(owners(), {}, [&](const Row& row) {
    newest = std::max(newest, number_in(row[version]));
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  if (newest <= ledger_version) return true;
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the ledger in {} is of version {}, and this semel knows {}: use the "
                          "newer semel that wrote it",
                          place, newest, ledger_version));
}

Result<void> make_ledger(Store& store, std::string_view place) {
  auto there = find_ledger(store, place);
  if (!there) return tl::unexpected(there.error());
  if (*there) return {};
  for (const auto* table : tables()) {
    if (auto made = store.make(*table); !made) return made;
  }
  return {};
}

namespace {

Row key_of(const Owner& owner, const TopicPartition* tp) {
  return tp == nullptr ? key_of(owner) : key_of(owner, *tp);
}

}  // namespace

Result<void> none_begun(Store& store, const Owner& owner, const TopicPartition* tp,
                        std::string_view place) {
  auto row = first_of(store, begun(), {.prefix = key_of(owner, tp)});
  if (!row) return tl::unexpected(row.error());
  if (!*row) return {};
  const OffsetRange range{
      .tp = tp_of(**row), .from = number_in((**row)[4]), .until = number_in((**row)[5])};
  return fail(
      ErrorKind::fatal, Cause::program,
      fmt::format(
          "{0}: a transaction was committed without the advance: what it stored is in {1}, "
          "and the position stands before it. Going on would store it a second time. Either "
          "delete what that transaction stored, if anything, and say `semel offsets FILE set "
          "{2}:{3}={4}`; or, where all of it is there, go on behind it: `semel offsets FILE set "
          "{2}:{3}={5}`. And leave the commit to transact(), or put the advance before it",
          to_string(range), place, range.tp.topic, range.tp.partition, range.from, range.until));
}

Result<std::vector<TopicPartition>> read_begun(Store& store, const Owner& owner) {
  std::vector<TopicPartition> all;
  auto read = store.scan(begun(), {.prefix = key_of(owner)}, [&](const Row& row) {
    all.push_back(tp_of(row));
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  return all;
}

Result<void> forget_begun(Store& store, const Owner& owner, const TopicPartition* tp) {
  auto columns = store.columns_of(begun());
  if (!columns) return tl::unexpected(columns.error());
  if (columns->empty()) return {};
  return store.erase(begun(), key_of(owner, tp));
}

Result<std::optional<OwnerRow>> read_owner(Store& store, const Owner& owner) {
  auto found = first_of(store, owners(), {.prefix = key_of(owner)});
  if (!found) return tl::unexpected(found.error());
  if (!*found) return std::nullopt;
  const auto& row = **found;
  return OwnerRow{.epoch = number_in(row[2]),
                  .id = text_in(row[3]),
                  .description = text_in(row[4]),
                  .since = text_in(row[5]),
                  .seen_at = text_in(row[6]),
                  .cluster_id = text_in(row[7]),
                  .state = text_in(row[9]),
                  .reason = text_in(row[10]),
                  .heartbeat_ms = number_in(row[11]),
                  .topics = text_in(row[12]),
                  .target = text_in(row[13])};
}

Result<void> write_owner(Store& store, const Owner& owner, const OwnerRow& row) {
  return store.replace(owners(), {owner.pipeline, owner.output, row.epoch, row.id, row.description,
                                  row.since, row.seen_at, row.cluster_id, ledger_version, row.state,
                                  or_null(row.reason), row.heartbeat_ms, row.topics, row.target});
}

Result<std::vector<ProgressRow>> read_progress_rows(Store& store, const Owner& owner) {
  std::vector<ProgressRow> rows;
  auto read = store.scan(progress(), {.prefix = key_of(owner)}, [&](const Row& row) {
    rows.push_back(progress_of(row));
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  return rows;
}

Result<std::vector<Progress>> read_progress(Store& store, const Owner& owner) {
  auto rows = read_progress_rows(store, owner);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Progress> all;
  for (auto& row : *rows) all.push_back(std::move(row.at));
  return all;
}

Result<std::optional<Progress>> find_progress(Store& store, const Owner& owner,
                                              const TopicPartition& tp) {
  auto row = first_of(store, progress(), {.prefix = key_of(owner, tp)});
  if (!row) return tl::unexpected(row.error());
  return *row ? std::optional(progress_of(**row).at) : std::nullopt;
}

Row row_of(const Owner& owner, const ProgressRow& row, const std::string& now) {
  const auto& [at, epoch, id, moved_at] = row;
  auto cells = key_of(owner, at.tp);
  cells.insert(cells.end(), {at.until, epoch, id, at.batch_time.ms});
  if (at.last) {
    cells.insert(cells.end(),
                 {at.last->offset, at.last->timestamp_ms, std::int64_t{at.last->checksum}});
  } else {
    cells.insert(cells.end(), 3, Cell());
  }
  cells.emplace_back(now);
  return cells;
}

Result<void> write_progress(Store& store, const Owner& owner, const ProgressRow& row) {
  auto now = now_of(store);
  if (!now) return tl::unexpected(now.error());
  return store.replace(progress(), row_of(owner, row, *now));
}

Result<LedgerEntry> read_entry(Store& store, const Owner& owner, const TopicPartition* tp) {
  auto row = read_owner(store, owner);
  if (!row) return tl::unexpected(row.error());
  LedgerEntry entry;
  if (*row) {
    entry.epoch = (*row)->epoch;
    entry.owner = (*row)->id;
    entry.owner_description = (*row)->description;
    entry.since = (*row)->since;
  }
  if (tp == nullptr) return entry;
  auto at = find_progress(store, owner, *tp);
  if (!at) return tl::unexpected(at.error());
  if (*at) {
    entry.until = (*at)->until;
    entry.batch_time = (*at)->batch_time;
  }
  return entry;
}

Row row_of(const Owner& owner, const Move& move, const std::string& note, const std::string& now) {
  const auto count = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
  auto cells = key_of(owner, move.tp);
  cells.insert(cells.end(), {move.batch_time.ms, move.epoch, move.from, move.until,
                             std::string(kind_name(move.kind)), count(move.rows),
                             count(move.dead_letters), count(move.ignored.value_or(0)),
                             count(move.suppressed.value_or(0)), or_null(note), now});
  return cells;
}

Result<void> add_move(Store& store, const Owner& owner, const Move& move, const std::string& note) {
  auto now = now_of(store);
  if (!now) return tl::unexpected(now.error());
  return store.add(history(), row_of(owner, move, note, *now));
}

Result<void> read_history(Store& store, const Owner& owner,
                          const std::function<void(const Move&)>& see) {
  return store.scan(history(), {.prefix = key_of(owner)}, [&](const Row& row) {
    see(move_of(row));
    return true;
  });
}

Result<std::optional<Move>> last_move(Store& store, const Owner& owner, const TopicPartition& tp) {
  auto row = first_of(store, history(), {.prefix = key_of(owner, tp), .backwards = true});
  if (!row) return tl::unexpected(row.error());
  return *row ? std::optional(move_of(**row)) : std::nullopt;
}

Result<std::vector<Move>> last_moves(Store& store, const Owner& owner) {
  std::vector<Move> all;
  auto read = store.newest_moves(key_of(owner), [&](const Row& row) {
    all.push_back(move_of(row));
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  return all;
}

Result<bool> trim_history(Store& store, const Owner& owner, const std::string& moment,
                          std::size_t at_most) {
  return store.trim_history(key_of(owner), moment, at_most);
}

Row row_of(const Owner& owner, const Task& task, const DeadLetter& letter, const std::string& now) {
  constexpr std::size_t text_bytes_max = 1'000;
  auto cells = key_of(owner, task.range.tp);
  cells.insert(
      cells.end(),
      {letter.offset, task.time.ms, letter.timestamp_ms >= 0 ? Cell(letter.timestamp_ms) : Cell(),
       or_null(letter.key), or_null(letter.value), or_null(letter.headers),
       or_null(sanitise(letter.column, text_bytes_max)), std::string(letter.code),
       sanitise(letter.reason, text_bytes_max), now});
  return cells;
}

Result<void> add_dead_letter(Store& store, const Owner& owner, const Task& task,
                             const Record& record, const record::BadRecord& bad) {
  auto now = now_of(store);
  if (!now) return tl::unexpected(now.error());
  return store.add(dead_letters(), row_of(owner, task,
                                          {.offset = record.offset,
                                           .timestamp_ms = record.timestamp_ms,
                                           .key = record.key,
                                           .value = record.value,
                                           .headers = record::headers_as_json(record.headers()),
                                           .column = bad.column,
                                           .code = bad.code,
                                           .reason = bad.reason},
                                          *now));
}

}  // namespace semel::store
