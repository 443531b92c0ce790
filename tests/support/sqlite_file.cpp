#include "support/sqlite_file.hpp"

#include "support/catch.hpp"

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

std::shared_ptr<Process> SqliteFile::locked() const {
  const std::string script =
      "import sqlite3, sys, time\n"
      "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
      "c.execute('BEGIN IMMEDIATE')\n"
      "print('locked', flush=True)\n"
      "sys.stdin.read()\n"
      "time.sleep(600)\n";
  auto holder =
      std::make_shared<Process>(ProcessOptions{.argv = {"python3", "-c", script, path()}});
  REQUIRE(eventually([&] { return holder->out().find("locked") != std::string::npos; }));
  return holder;
}

}  // namespace semel::test
