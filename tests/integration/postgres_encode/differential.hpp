// Puts the same JSON through the encoder and COPY, and through PostgreSQL's own
// json_populate_record, and compares what arrives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "postgres/client/connection.hpp"
#include "postgres/options.hpp"
#include "postgres/rows/row_encoder.hpp"

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
  /// As semel reads it.
  Table describe(const std::string& table);
  const std::string& dsn() const { return dsn_; }

 private:
  std::string dsn_;
  void* connection_;
  std::unique_ptr<Connection> catalogue_;
};

/// What became of one JSON value, by both ways: "(value)" as the column's text, "()" for NULL, or
/// "error SQLSTATE".
struct Compared {
  std::string json;
  std::string expected;  ///< json_populate_record's
  std::string actual;    ///< ours
};

/// SQL of an array of documents {"c": value}.
std::string documents_of(const std::vector<std::string>& values);

/// What json_populate_record makes of column "c" of table "target", value by value: one call for
/// all, each value in a subtransaction of its own.
std::vector<std::string> expected(Database& database, const std::vector<std::string>& values);

/// Runs all `values` through a column of SQL type `type`. Fails the test where the server refuses a
/// row that the encoder let pass. `as_text` puts a column next to it that only text can serve.
std::vector<Compared> run(Database& database, const std::string& type,
                          const std::vector<std::string>& values, bool as_text);

inline bool is_error(const std::string& compared) {
  return compared.starts_with("error ");
}

}  // namespace semel::postgres::test
