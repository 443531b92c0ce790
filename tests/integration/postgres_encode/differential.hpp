// Puts the same JSON through the encoder and COPY, and through PostgreSQL's own
// json_populate_record, and compares what arrives.
#pragma once

#include <string>
#include <vector>

#include "postgres/options.hpp"
#include "postgres/row_encoder.hpp"

namespace semel::postgres::test {

/// A connection to a database of its own on the shared server, TimeZone UTC. Errors throw.
class Database {
 public:
  Database();
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const std::string& sql);
  std::vector<std::vector<std::string>> rows(const std::string& sql);
  std::string value(const std::string& sql);
  /// COPY … FROM STDIN; the server's message where it fails, with its context.
  std::string copy(const std::string& sql, const std::string& data);

 private:
  void* connection_;
};

/// What became of one JSON value, by both ways: "(value)" as the column's text, "()" for NULL, or
/// "error SQLSTATE".
struct Verdict {
  std::string json;
  std::string expected;  ///< json_populate_record's
  std::string actual;    ///< ours
};

/// Runs all `values` through a column of SQL type `type`. Fails the test where the server refuses a
/// row that the encoder let pass. `as_text` puts a column next to it that only text can serve.
std::vector<Verdict> run(Database& database, const std::string& type,
                         const std::vector<std::string>& values, bool as_text);

inline bool is_error(const std::string& verdict) {
  return verdict.starts_with("error ");
}

}  // namespace semel::postgres::test
