// This connector as the program sees it, with [sink.sqlite] of a configuration file.
#include <algorithm>
#include <functional>

#include "sqlite/database.hpp"
#include "sqlite/setup.hpp"
#include "sqlite/sqlite.hpp"

namespace semel::sqlite {

namespace {

std::vector<config::Setting> settings() {
  constexpr std::int64_t hour = 3'600'000;
  return {
      store::required_text("file", &Options::file,
                           "The database file that gets the rows, from the directory that semel is "
                           "started in. It must exist; semel switches it to SQLite's write-ahead "
                           "log.",
                           "\"shop.db\""),
      {.path = "busy_timeout",
       .binding = config::duration(&Options::busy_timeout_ms, {0, hour}),
       .text = "How long another process may have the file locked before semel says who it is. It "
               "goes on trying."}};
}

Result<std::unique_ptr<store::Store>> open(Options options,
                                           const std::shared_ptr<Database::Shared>& shared,
                                           const store::Interrupt& stop,
                                           std::optional<std::chrono::milliseconds> patience) {
  if (patience) options.busy_timeout_ms = std::min(options.busy_timeout_ms, patience->count());
  auto database = std::make_unique<Database>(std::move(options), stop, shared);
  if (auto opened = database->open(); !opened) return tl::unexpected(opened.error());
  return database;
}

}  // namespace

store::Setup setup_of(const Options& options) {
  return {.section = "sink.sqlite",
          .kind = std::string(kind),
          .place = "file " + options.file,
          .find_dead_letters = "sqlite3 " + options.file +
                               " \"SELECT * FROM semel_dead_letters ORDER BY failed_at DESC\"",
          .options = options.rows,
          .own_begins = true,
          .names = options.names,
          .can_be_home = true,
          .patience_ms = options.busy_timeout_ms,
          .open = std::bind_front(open, options, std::make_shared<Database::Shared>()),
          .ddl = [](const store::Table& table) { return store::create_table(dialect, table); }};
}

Connector connector() {
  return store::connector<Options, setup_of>("sqlite", settings());
}

}  // namespace semel::sqlite
