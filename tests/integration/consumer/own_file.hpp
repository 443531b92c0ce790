// A file of SQLite with a table of a program's own, and the program's connection to it.
#pragma once

#include <sqlite3.h>
#include <cstdint>
#include <string>

#include <semel/consumer.hpp>

#include "support/temp_dir.hpp"

namespace semel::test {

class OwnFile {
 public:
  OwnFile();
  ~OwnFile() { sqlite3_close(handle); }
  OwnFile(const OwnFile&) = delete;
  OwnFile& operator=(const OwnFile&) = delete;

  int run(const std::string& sql) const {
    return sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr);
  }
  /// The first cell of the answer, asked by a tool that no one here wrote.
  std::string value(const std::string& query) const;
  std::int64_t number(const std::string& query) const { return std::stoll(value(query)); }

 private:
  TempDir dir_{"semel-own-sqlite"};

 public:
  std::string path;
  sqlite3* handle = nullptr;
};

/// Reads the range to its end and inserts a row for each record.
void insert_into_file(sqlite3* connection, Range& range);
/// Takes ranges and moves each by transact(), until the consumer is done().
void drain_into_file(DirectConsumer& consumer, sqlite3* connection);

}  // namespace semel::test
