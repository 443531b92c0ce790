#include "sqlite/database.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

namespace semel::sqlite {

namespace {

/// Who has the lock of writers, as the system knows it: SQLite locks byte 120 of the -shm file of a
/// database in WAL mode. To ask for the lock itself would be wrong: closing that file would drop
/// the locks of this process, too.
std::string lock_holder(const std::string& file) {
  struct stat shm {};
  if (stat((file + "-shm").c_str(), &shm) != 0) return "another process";
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string id, type, advisory, mode, pid, inode, from, until;
    words >> id >> type >> advisory >> mode >> pid >> inode >> from >> until;
    if (mode != "WRITE" || !inode.ends_with(fmt::format(":{}", shm.st_ino))) continue;
    if (from > "120" || until < "120" || from.size() != 3 || pid == "0") continue;
    std::string name;
    std::getline(std::ifstream("/proc/" + pid + "/comm"), name);
    return fmt::format("process {} ({})", pid, name.empty() ? "not visible here" : name);
  }
  return "another process";
}

Error error_of(int code, const std::string& message, const std::string& file) {
  const auto say = [&](std::string_view remedy) {
    return fmt::format("SQLite, {}: {}{}", file, message, remedy);
  };
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorKind::unavailable, Cause::sink,
              say(fmt::format(": {} is writing into it and has kept the lock for longer than "
                              "sink.sqlite.busy_timeout; where it hangs, end it",
                              lock_holder(file)))};
    case SQLITE_INTERRUPT:
      return {ErrorKind::unavailable, Cause::sink, say("")};
    case SQLITE_FULL:
      return {ErrorKind::retriable, Cause::sink,
              say(": free space there, or where temporary files are (SQLITE_TMPDIR)")};
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_SCHEMA:
      return {ErrorKind::retriable, Cause::sink, say("")};
    case SQLITE_CANTOPEN:
      return {ErrorKind::fatal, Cause::sink,
              say(": the file has to exist (`sqlite3 FILE \"CREATE TABLE ...\"` makes one), and "
                  "files beside it have to be allowed")};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {ErrorKind::fatal, Cause::sink,
              say(": semel has to be allowed to write the file and its directory")};
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return {ErrorKind::fatal, Cause::sink, say(": is sink.sqlite.file the right file?")};
    default:
      return {ErrorKind::fatal, Cause::sink, say("")};
  }
}

}  // namespace

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

std::string cell(sqlite3_stmt* statement, int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
  return {bytes, bytes + sqlite3_column_bytes(statement, column)};
}

void bind_bytes(sqlite3_stmt* statement, int at, std::optional<std::string_view> bytes, bool text) {
  if (!bytes) {
    sqlite3_bind_null(statement, at);
    return;
  }
  const char* data = bytes->empty() ? "" : bytes->data();
  if (text) {
    sqlite3_bind_text64(statement, at, data, bytes->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  } else {
    sqlite3_bind_blob64(statement, at, data, bytes->size(), SQLITE_TRANSIENT);
  }
}

Result<std::unique_ptr<Database>> Database::open(const Options& options, StopFlag stop) {
  std::unique_ptr<Database> database(new Database(options, std::move(stop)));
  const int code =
      sqlite3_open_v2(options.file.c_str(), &database->handle_,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code != SQLITE_OK) {
    return tl::unexpected(error_of(code, sqlite3_errstr(code), options.file));
  }
  sqlite3_busy_handler(
      database->handle_,
      [](void* self, int times) { return static_cast<Database*>(self)->wait(times); },
      database.get());
  constexpr int looks_after = 10'000;  // instructions of SQLite's machine: some hundred µs
  sqlite3_progress_handler(
      database->handle_, looks_after,
      [](void* flag) { return static_cast<std::atomic<bool>*>(flag)->load() ? 1 : 0; },
      database->stop_.get());
  // The first look at the file: is it a database at all?
  for (const auto* sql : {"PRAGMA synchronous = FULL", "SELECT count(*) FROM sqlite_schema"}) {
    if (auto done = database->run(sql); !done) return tl::unexpected(done.error());
  }
  return database;
}

int Database::wait(int times) {
  const auto now = std::chrono::steady_clock::now();
  if (times == 0) waiting_since_ = now;
  if (*stop_ || now - waiting_since_ > std::chrono::milliseconds(options_.busy_timeout_ms)) {
    return 0;
  }
  constexpr int naps_short = 10;
  sqlite3_sleep(times < naps_short ? 1 : naps_short);
  return 1;
}

Error Database::error() const {
  return error_of(code(), message(), options_.file);
}

Result<void> Database::can_keep_rows() const {
  if (sqlite3_db_readonly(handle_, "main") == 1) {
    return tl::unexpected(error_of(SQLITE_READONLY, "the file is read-only", options_.file));
  }
  int moved = 0;
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (moved == 0) return {};
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("SQLite, {}: the file was moved, deleted or replaced while it was "
                          "written; start semel again",
                          options_.file));
}

void Database::roll_back() noexcept {
  if (in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<void> Database::script(std::string_view sql) {
  const int code = sqlite3_exec(handle_, std::string(sql).c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Result<void>{} : tl::unexpected(error());
}

Result<Statement> Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle_, sql.c_str(), static_cast<int>(sql.size()), &statement, nullptr) !=
      SQLITE_OK) {
    return tl::unexpected(error());
  }
  return Statement(statement);
}

Result<void> Database::each(const std::string& sql, const std::vector<Arg>& args,
                            const std::function<void(const Cells&)>& see) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  auto* handle = statement->get();
  for (int i = 0; i < static_cast<int>(args.size()); ++i) {
    const auto& arg = args[static_cast<std::size_t>(i)];
    if (const auto* number = std::get_if<std::int64_t>(&arg)) {
      sqlite3_bind_int64(handle, i + 1, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&arg)) {
      bind_bytes(handle, i + 1, *text, true);
    }
  }
  int code = 0;
  Cells cells;
  while ((code = sqlite3_step(handle)) == SQLITE_ROW) {
    cells.clear();
    for (int i = 0; i < sqlite3_column_count(handle); ++i) {
      const bool null = sqlite3_column_type(handle, i) == SQLITE_NULL;
      cells.push_back(null ? std::nullopt : std::optional(cell(handle, i)));
    }
    see(cells);
  }
  return code == SQLITE_DONE ? Result<void>{} : tl::unexpected(error());
}

Result<Rows> Database::run(const std::string& sql, const std::vector<Arg>& args) {
  Rows rows;
  auto done = each(sql, args, [&](const Cells& cells) { rows.push_back(cells); });
  if (!done) return tl::unexpected(done.error());
  return rows;
}

}  // namespace semel::sqlite
