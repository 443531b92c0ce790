#include "sqlite/database.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "base/lock_holder.hpp"

namespace semel::sqlite {

namespace {

/// What a result code (https://www.sqlite.org/rescode.html) means for a pipeline; others are fatal.
struct Meaning {
  int code;
  ErrorKind kind = ErrorKind::fatal;
  std::string_view remedy{};  ///< {}: the setting of the file
};
constexpr std::string_view other_file = ": is {} the right file?";
constexpr std::array meanings{
    Meaning{SQLITE_BUSY, ErrorKind::unavailable},
    Meaning{SQLITE_LOCKED, ErrorKind::unavailable},
    Meaning{SQLITE_INTERRUPT, ErrorKind::unavailable},
    Meaning{SQLITE_FULL, ErrorKind::unavailable,
            ": free space there, or where temporary files are (SQLITE_TMPDIR)"},
    Meaning{SQLITE_IOERR, ErrorKind::unavailable},
    Meaning{SQLITE_NOMEM, ErrorKind::retriable},
    Meaning{SQLITE_SCHEMA, ErrorKind::retriable},
    Meaning{SQLITE_CANTOPEN, ErrorKind::fatal,
            ": the file has to exist (`sqlite3 FILE \"CREATE TABLE ...\"` makes one), and files "
            "beside it have to be allowed"},
    Meaning{SQLITE_READONLY, ErrorKind::fatal,
            ": semel has to be allowed to write the file and its directory"},
    Meaning{SQLITE_NOTADB, ErrorKind::fatal, other_file},
    Meaning{SQLITE_CORRUPT, ErrorKind::fatal, other_file},
};

Error error_of(int code, const std::string& message, const Options& options) {
  const auto& file = options.file;
  const int kind = code & 0xFF;
  const auto* found = std::ranges::find(meanings, kind, &Meaning::code);
  const auto meaning = found == meanings.end() ? Meaning{kind} : *found;
  auto remedy = fmt::format(fmt::runtime(meaning.remedy), options.names("sink.sqlite.file"));
  if (kind == SQLITE_BUSY || kind == SQLITE_LOCKED) {
    // In WAL mode, the lock of writers is one of this byte.
    constexpr std::uint64_t writers = 120;
    remedy = fmt::format(
        ": {} is writing into it and has kept the lock for longer than {}; where it "
        "hangs, end it",
        lock_holder(file + "-shm", writers), options.names("sink.sqlite.busy_timeout"));
  }
  return {meaning.kind, Cause::sink, fmt::format("SQLite, {}: {}{}", file, message, remedy)};
}

store::Cell cell_of(sqlite3_stmt* statement, int column) {
  if (sqlite3_column_type(statement, column) == SQLITE_INTEGER) {
    return std::int64_t{sqlite3_column_int64(statement, column)};
  }
  auto text = cell(statement, column);
  return text ? store::Cell(*std::move(text)) : store::Cell();
}

}  // namespace

std::optional<std::string> cell(sqlite3_stmt* statement, int column) {
  const int type = sqlite3_column_type(statement, column);
  if (type == SQLITE_NULL) return std::nullopt;
  // In UTF-8, whatever the file's encoding is.
  const void* bytes = type == SQLITE_BLOB ? sqlite3_column_blob(statement, column)
                                          : sqlite3_column_text(statement, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return size == 0 ? "" : std::string(static_cast<const char*>(bytes), size);
}

void bind_value(sqlite3_stmt* statement, int at, const record::Plain& value,
                sqlite3_destructor_type keep) {
  const auto data = [](std::string_view bytes) { return bytes.empty() ? "" : bytes.data(); };
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    sqlite3_bind_int64(statement, at, *number);
  } else if (const auto* real = std::get_if<double>(&value)) {
    sqlite3_bind_double(statement, at, *real);
  } else if (const auto* text = std::get_if<std::string_view>(&value)) {
    sqlite3_bind_text64(statement, at, data(*text), text->size(), keep, SQLITE_UTF8);
  } else if (const auto* blob = std::get_if<record::Bytes>(&value)) {
    sqlite3_bind_blob64(statement, at, data(blob->bytes), blob->bytes.size(), keep);
  } else {
    sqlite3_bind_null(statement, at);
  }
}

Result<void> Database::open() {
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(options_.file.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
    return tl::unexpected(error());
  }
  sqlite3_busy_handler(
      handle_, [](void* self, int times) { return static_cast<Database*>(self)->wait(times); },
      this);
  constexpr int looks_after = 10'000;  // instructions of SQLite's machine: some hundred µs
  sqlite3_progress_handler(
      handle_, looks_after,
      [](void* flag) { return static_cast<std::atomic<bool>*>(flag)->load() ? 1 : 0; },
      stop_.get());
  // The first look at the file: is it a database at all?
  auto looked = run({"PRAGMA synchronous = FULL"});
  return looked ? run({"SELECT count(*) FROM sqlite_schema"}) : looked;
}

int Database::wait(int times) {
  const auto now = std::chrono::steady_clock::now();
  if (times == 0) waiting_since_ = now;
  if (*stop_ || now - waiting_since_ > std::chrono::milliseconds(options_.busy_timeout_ms))
    return 0;
  constexpr int naps_short = 10;
  sqlite3_sleep(times < naps_short ? 1 : naps_short);
  return 1;
}

Error Database::error() const {
  const bool full = code() % 256 == SQLITE_CANTOPEN && sqlite3_system_errno(handle_) == ENOSPC;
  return error_of(full ? SQLITE_FULL : code(), message(), options_);
}

Result<void> Database::can_keep_rows() const {
  if (sqlite3_db_readonly(handle_, "main") == 1) {
    return tl::unexpected(error_of(SQLITE_READONLY, "the file is read-only", options_));
  }
  int moved = 0;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  std::error_code gone;  // also where a link leads to another file by now
  const auto* const opened = sqlite3_db_filename(handle_, "main");
  if (moved == 0 && std::filesystem::equivalent(options_.file, opened, gone)) return {};
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("SQLite, {}: the file was moved, deleted or replaced while it was "
                          "written; start semel again",
                          options_.file));
}

Result<Statement> Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr);
  return code == SQLITE_OK ? Result<Statement>(statement) : tl::unexpected(error());
}

Result<void> Database::each(const store::Sql& sql, const See& see) {
  auto prepared = prepare(sql.text);
  if (!prepared) return tl::unexpected(prepared.error());
  auto* statement = prepared->get();
  int at = 0;
  for (const auto& arg : sql.args) bind_value(statement, ++at, store::plain_of(arg));
  int code = 0;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    store::Row row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(cell_of(statement, i));
    if (!see(row)) return {};
  }
  return code == SQLITE_DONE ? Result<void>{} : tl::unexpected(error());
}

Result<void> Database::begin(store::Access access) {
  if (access == store::Access::reading) return run({"BEGIN"});
  queue_ = std::unique_lock(shared_->writer);
  auto begun = run({"BEGIN IMMEDIATE"});
  return begun ? can_keep_rows() : begun;
}

Result<void> Database::commit() {
  auto done = run({"COMMIT"});
  // Whether the disk has it, the ledger says; where there was no room for it, it has not.
  if (!done && code() != SQLITE_FULL) done.error().kind = ErrorKind::in_doubt;
  return done;
}

void Database::roll_back() noexcept {
  if (in_transaction()) (void)run({"ROLLBACK"});
  queue_ = {};
}

/// Written in the file, so that readers and the writer are in nobody's way from now on.
Result<void> Database::set_up() {
  auto mode = ask({"PRAGMA journal_mode = WAL"});
  if (!mode) return tl::unexpected(mode.error());
  if (*mode == "wal") return {};
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("SQLite cannot use its write-ahead log for {}: it has to be a file on a "
                          "disk of this machine",
                          options_.file));
}

Result<std::vector<std::string>> Database::columns_of(const store::Table& table) {
  std::vector<std::string> names;
  auto read = each({"SELECT name FROM pragma_table_xinfo(?, 'main')", {std::string(table.name)}},
                   [&](const store::Row& row) {
                     names.push_back(std::get<std::string>(row[0]));
                     return true;
                   });
  return read ? Result<std::vector<std::string>>(names) : tl::unexpected(read.error());
}

}  // namespace semel::sqlite
