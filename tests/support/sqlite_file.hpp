// A database of SQLite in a directory of its own, looked at by the program `sqlite3`: as other
// people would, and not by semel's code.
#pragma once

#include <memory>
#include <string>

#include "support/process.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

class SqliteFile {
 public:
  explicit SqliteFile(const std::string& schema);

  std::string path() const { return dir_ / "shop.db"; }
  std::string directory() const { return dir_ / "."; }
  void sql(const std::string& statements) const;
  /// Rows are lines, columns are parted by '|'; without the last line's end.
  std::string value(const std::string& query) const;
  /// Another process, which has the lock of writers until it ends.
  std::shared_ptr<Process> locked() const;
  std::int64_t number(const std::string& query) const { return std::stoll(value(query)); }

 private:
  TempDir dir_;
};

}  // namespace semel::test
