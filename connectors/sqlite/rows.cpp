#include "sqlite/rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/clean_text.hpp"
#include "record/header_json.hpp"

namespace semel::sqlite {

using record::Fault;
using record::Holds;

namespace {

// Of the temporary table, and where they stand in a SELECT of it.
struct Kept {
  enum Place : int {
    task,
    offset,
    timestamp,
    key,
    value,
    headers,
    fault,
    column,
    code,
    reason,
    told,
    absent,
    first
  };
};
constexpr auto kept_names =
    "task, \"offset\", timestamp_ms, key, value, headers, fault, \"column\", code, reason, told, "
    "absent";
constexpr auto kept_table = "temp.semel_range";

/// https://www.sqlite.org/datatype3.html, "Determination Of Column Affinity"
Affinity affinity_of(std::string type) {
  std::ranges::transform(type, type.begin(), [](char c) { return std::toupper(c); });
  const auto has = [&](std::string_view part) { return type.find(part) != std::string::npos; };
  if (has("INT")) return Affinity::integer;
  if (has("CHAR") || has("CLOB") || has("TEXT")) return Affinity::text;
  if (has("BLOB") || type.empty() || type == "ANY") return Affinity::blob;
  if (has("REAL") || has("FLOA") || has("DOUB")) return Affinity::real;
  return Affinity::numeric;
}

Holds holds_of(Affinity affinity, const std::string& type) {
  if (affinity == Affinity::text) return Holds::text;
  if (affinity == Affinity::integer || affinity == Affinity::real) return Holds::number;
  return affinity == Affinity::blob && type.size() > 3 ? Holds::bytes : Holds::unknown;
}

Result<std::string> schema_version(Database& database) {
  auto rows = database.run("PRAGMA main.schema_version");
  if (!rows) return tl::unexpected(rows.error());
  return (*rows)[0].text(0);
}

/// Of a constraint: "NOT NULL constraint failed: clicks.id", "… in INTEGER column clicks.id".
std::string column_in(const std::string& message, const std::string& table) {
  const auto at = message.rfind(table + ".");
  return at == std::string::npos ? "" : message.substr(at + table.size() + 1);
}

}  // namespace

Result<std::vector<TableColumn>> read_columns(Database& database, const std::string& table) {
  auto rows = database.run("SELECT name, type FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0",
                           {table});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("there is no table {} in sink.sqlite.file: make it, or correct "
                            "sink.sqlite.table",
                            table));
  }
  std::vector<TableColumn> columns;
  for (const auto& row : *rows) {
    const auto affinity = affinity_of(row.text(1));
    columns.push_back({{row.text(0), row.text(1), holds_of(affinity, row.text(1))}, affinity});
  }
  return columns;
}

Result<record::Reader> make_reader(const std::vector<TableColumn>& columns, const Options& options,
                                   const record::Format& format) {
  const std::string setting = "sink.sqlite.columns";
  std::vector<record::Column> plain;
  for (const auto& one : columns) plain.push_back(one.record);
  auto mapped = record::map_columns(plain, options.columns, setting, options.table);
  if (!mapped) return tl::unexpected(mapped.error());
  return record::Reader::make(*std::move(mapped), options.policy, format, setting);
}

Result<RangeRows> RangeRows::make(Database& database, const Options& options,
                                  const record::Format& format) {
  auto version = schema_version(database);
  if (!version) return tl::unexpected(version.error());
  auto columns = read_columns(database, options.table);
  if (!columns) return tl::unexpected(columns.error());
  auto reader = make_reader(*columns, options, format);
  if (!reader) return tl::unexpected(reader.error());
  RangeRows rows(database, options, *std::move(reader));
  rows.columns_ = *std::move(columns);
  rows.schema_version_ = *std::move(version);
  std::string names(kept_names), marks = "?1";
  for (int i = 2; i <= Kept::first; ++i) marks += fmt::format(", ?{}", i);
  for (std::size_t i = 0; i < rows.columns_.size(); ++i) {
    names += fmt::format(", c{}", i);
    marks += fmt::format(", ?{}", Kept::first + i + 1);
  }
  for (const auto& sql :
       {fmt::format("DROP TABLE IF EXISTS {}", kept_table),
        fmt::format("CREATE TABLE {} (n INTEGER PRIMARY KEY, {})", kept_table, names)}) {
    if (auto done = database.run(sql); !done) return tl::unexpected(done.error());
  }
  auto keep =
      database.prepare(fmt::format("INSERT INTO {} ({}) VALUES ({})", kept_table, names, marks));
  if (!keep) return tl::unexpected(keep.error());
  auto kept = database.prepare(fmt::format("SELECT {} FROM {} ORDER BY n", names, kept_table));
  if (!kept) return tl::unexpected(kept.error());
  rows.keep_ = *std::move(keep);
  rows.kept_ = *std::move(kept);
  return rows;
}

Result<bool> RangeRows::fits(Database& database) {
  auto version = schema_version(database);
  if (!version) return tl::unexpected(version.error());
  if (*version == schema_version_) return true;
  auto columns = read_columns(database, options_.table);
  if (!columns) return tl::unexpected(columns.error());
  if (*columns != columns_) return false;
  schema_version_ = *std::move(version);
  return true;
}

Result<void> RangeRows::add(std::size_t task, const Record& record, TaskRows& into, bool whole) {
  const auto read = reader_.read(into.task.range.tp, record);
  into.counts.unknown_fields += read.unknown_fields;
  if (read.fate == record::Fate::unavailable) return tl::unexpected(reader_.unavailable());
  if (read.fate == record::Fate::ignored) {
    ++into.counts.ignored;
    return {};
  }
  auto* row = keep_.get();
  sqlite3_reset(row);
  sqlite3_clear_bindings(row);
  std::optional<record::BadRecord> bad;
  if (read.fate == record::Fate::bad) bad = reader_.bad();
  std::string left_out(columns_.size(), '0');
  for (std::size_t i = 0; i < columns_.size() && !bad; ++i) {
    const auto& value = reader_.values()[i];
    if (value.kind == record::Kind::absent) left_out[i] = '1';
    const auto why = bind_value(row, Kept::first + static_cast<int>(i) + 1, columns_[i], value);
    if (why.empty()) continue;
    const auto& [name, type, holds] = columns_[i].record;
    const auto said = fmt::format("column \"{}\" ({}): {}", name, type, why);
    bad = {.fault = Fault::unfit, .column = name, .reason = said, .told = said};
  }
  sqlite3_bind_int64(row, Kept::task + 1, static_cast<std::int64_t>(task));
  sqlite3_bind_int64(row, Kept::offset + 1, record.offset);
  bind_bytes(row, Kept::absent + 1, left_out, true);
  if (bad || whole) {
    if (record.timestamp_ms >= 0) sqlite3_bind_int64(row, Kept::timestamp + 1, record.timestamp_ms);
    bind_bytes(row, Kept::key + 1, record.key, false);
    bind_bytes(row, Kept::value + 1, record.value, false);
    const auto headers = record::headers_as_json(record.headers());
    if (!headers.empty()) bind_bytes(row, Kept::headers + 1, headers, true);
  }
  if (bad) {
    sqlite3_bind_int64(row, Kept::fault + 1, static_cast<int>(bad->fault));
    bind_bytes(row, Kept::column + 1, bad->column, true);
    bind_bytes(row, Kept::code + 1, bad->code, true);
    bind_bytes(row, Kept::reason + 1, bad->reason, true);
    bind_bytes(row, Kept::told + 1, bad->told, true);
  }
  const int code = sqlite3_step(row);
  sqlite3_reset(row);
  return code == SQLITE_DONE ? Result<void>{} : tl::unexpected(database_->error());
}

record::BadRecord RangeRows::refused_by_table() const {
  const int code = database_->code();
  const auto message = database_->message();
  auto fault = Fault::refused;
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      fault = Fault::duplicate;
      break;
    case SQLITE_CONSTRAINT_NOTNULL:
      fault = Fault::missing;
      break;
    case SQLITE_CONSTRAINT_DATATYPE:
    case SQLITE_MISMATCH:
      fault = Fault::unfit;
      break;
    default:
      break;
  }
  return {.fault = fault,
          .column = fault == Fault::refused ? "" : column_in(message, options_.table),
          .code = std::to_string(code),
          .reason = message,
          .told = message};
}

/// `absent`: a '1' for each column that the record has nothing for.
Result<sqlite3_stmt*> RangeRows::insert_of(const std::string& absent) {
  if (const auto found = inserts_.find(absent); found != inserts_.end()) return found->second.get();
  std::string names, marks, all;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const auto name = sqlite::quoted(columns_[i].record.name);
    all += (i == 0 ? "" : ", ") + name;
    if (absent[i] == '1') continue;
    names += (names.empty() ? "" : ", ") + name;
    marks += fmt::format("{}?{}", marks.empty() ? "" : ", ", i + 1);
  }
  const auto values =
      names.empty() ? "DEFAULT VALUES" : fmt::format("({}) VALUES ({})", names, marks);
  auto insert = database_->prepare(fmt::format("INSERT INTO main.{} {} RETURNING {}",
                                               sqlite::quoted(options_.table), values, all));
  if (!insert) return tl::unexpected(insert.error());
  constexpr std::size_t sets_max = 1'000;  // of records that each lack other columns
  if (inserts_.size() >= sets_max) inserts_.clear();
  return inserts_.emplace(absent, *std::move(insert)).first->second.get();
}

Result<void> RangeRows::refuse(const Owner& owner, TaskRows& part, const record::BadRecord& bad) {
  auto* row = kept_.get();
  const auto at = sqlite3_column_int64(row, Kept::offset);
  const auto& range = part.task.range;
  part.tally.bad(at, bad);
  if (options_.policy.on_bad_record == record::OnBadRecord::stop) {
    return tl::unexpected(
        record::stopped_by(range, at, "table " + options_.table, record::for_log(bad, "SQLite")));
  }
  ++part.counts.dead_letters;
  constexpr std::size_t text_bytes_max = 1'000;
  auto letter = database_->prepare(
      "INSERT INTO main.semel_dead_letters (pipeline, output, topic, \"partition\", \"offset\", "
      "batch_time, column_name, code, reason, timestamp_ms, key, value, headers) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
  if (!letter) return tl::unexpected(letter.error());
  auto* insert = letter->get();
  bind_bytes(insert, 1, owner.pipeline, true);
  bind_bytes(insert, 2, owner.output, true);
  bind_bytes(insert, 3, range.tp.topic, true);
  sqlite3_bind_int64(insert, 4, range.tp.partition);
  sqlite3_bind_int64(insert, 5, at);
  sqlite3_bind_int64(insert, 6, part.task.time.ms);
  if (!bad.column.empty()) bind_bytes(insert, 7, sanitise(bad.column, text_bytes_max), true);
  bind_bytes(insert, 8, bad.code, true);
  bind_bytes(insert, 9, sanitise(bad.reason, text_bytes_max), true);
  for (int i = 0; i < 4; ++i) {
    sqlite3_bind_value(insert, 10 + i, sqlite3_column_value(row, Kept::timestamp + i));
  }
  if (sqlite3_step(insert) == SQLITE_DONE) return {};
  return tl::unexpected(database_->error());
}

/// The one that kept_ stands at.
Result<void> RangeRows::store_one(const Owner& owner, TaskRows& part,
                                  std::vector<SampledRecord>* sampled) {
  auto* row = kept_.get();
  SampledRecord told{.tp = part.task.range.tp, .offset = sqlite3_column_int64(row, Kept::offset)};
  std::optional<record::BadRecord> bad;
  if (sqlite3_column_type(row, Kept::fault) != SQLITE_NULL) {
    bad = {.fault = static_cast<Fault>(sqlite3_column_int(row, Kept::fault)),
           .column = cell(row, Kept::column),
           .code = cell(row, Kept::code),
           .reason = cell(row, Kept::reason),
           .told = cell(row, Kept::told)};
  } else {
    const auto left_out = cell(row, Kept::absent);
    auto insert = insert_of(left_out);
    if (!insert) return tl::unexpected(insert.error());
    sqlite3_clear_bindings(*insert);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (left_out[i] == '1') continue;
      const int at = static_cast<int>(i);
      sqlite3_bind_value(*insert, at + 1, sqlite3_column_value(row, Kept::first + at));
    }
    const int code = sqlite3_step(*insert);
    for (int i = 0; sampled != nullptr && code == SQLITE_ROW && i < sqlite3_column_count(*insert);
         ++i) {
      const auto& name = columns_[static_cast<std::size_t>(i)].record.name;
      const bool null = sqlite3_column_type(*insert, i) == SQLITE_NULL;
      if (left_out[static_cast<std::size_t>(i)] == '1')
        told.defaults.push_back(name);
      else
        told.values.emplace_back(name, null ? std::nullopt : std::optional(cell(*insert, i)));
    }
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
      // Without a row, the table's own will kept it out: ON CONFLICT IGNORE, RAISE(IGNORE).
      ++(code == SQLITE_ROW ? part.counts.rows : part.counts.suppressed);
      part.tally.good();
      if (code == SQLITE_DONE) told.fate = SampledRecord::Fate::suppressed;
    } else {
      bad = refused_by_table();
      auto error = database_->error();
      const int kind = code & 0xFF;
      const bool of_record = kind == SQLITE_CONSTRAINT || kind == SQLITE_MISMATCH ||
                             kind == SQLITE_TOOBIG || kind == SQLITE_ERROR;
      if (of_record && database_->in_transaction() && sampled == nullptr && !part.task.isolate) {
        error = {ErrorKind::bad_data, Cause::bad_record, error.message};
      } else if (of_record && database_->in_transaction()) {
        error.message.clear();
      }
      sqlite3_reset(*insert);
      if (!error.message.empty()) return tl::unexpected(std::move(error));
    }
    sqlite3_reset(*insert);
  }
  if (bad && sampled == nullptr) return refuse(owner, part, *bad);
  if (bad) told.fate = SampledRecord::Fate::refused, told.reason = bad->reason;
  if (sampled != nullptr) sampled->push_back(std::move(told));
  return {};
}

Result<void> RangeRows::store(const Owner& owner, std::vector<TaskRows>& tasks,
                              std::vector<SampledRecord>* sampled) {
  int code = 0;
  while ((code = sqlite3_step(kept_.get())) == SQLITE_ROW) {
    auto& part = tasks[static_cast<std::size_t>(sqlite3_column_int64(kept_.get(), Kept::task))];
    if (auto stored = store_one(owner, part, sampled); !stored) {
      sqlite3_reset(kept_.get());
      return stored;
    }
  }
  sqlite3_reset(kept_.get());
  if (code != SQLITE_DONE) return tl::unexpected(database_->error());
  if (auto emptied = database_->run(fmt::format("DELETE FROM {}", kept_table)); !emptied) {
    return tl::unexpected(emptied.error());
  }
  for (const auto& part : tasks) {
    if (sampled != nullptr || !part.tally.stops(options_.policy)) continue;
    return tl::unexpected(
        record::does_not_fit(part.task.range, part.tally, "table " + options_.table));
  }
  return {};
}

}  // namespace semel::sqlite
