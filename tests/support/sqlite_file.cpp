#include "support/sqlite_file.hpp"

#include "support/catch.hpp"
#include "support/process.hpp"

namespace semel::test {

SqliteFile::SqliteFile(const std::string& schema) {
  sql(schema);
}

void SqliteFile::sql(const std::string& statements) const {
  (void)value(statements);
}

std::string SqliteFile::value(const std::string& query) const {
  const auto result = run({.argv = {"sqlite3", "-cmd", ".timeout 20000", path(), query}});
  INFO(query << "\n" << result.err);
  REQUIRE(result.code == 0);
  auto text = result.out;
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace semel::test
