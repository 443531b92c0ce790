// A connection of libpq's, for the loops that write into PostgreSQL by themselves. Links nothing of
// semel.
#pragma once

#include <libpq-fe.h>

#include <stdexcept>
#include <string>

namespace bare {

/// What the server refuses is thrown. Not thread safe.
class Database {
 public:
  explicit Database(const std::string& dsn) : connection_(PQconnectdb(dsn.c_str())) {
    check(PQstatus(connection_) == CONNECTION_OK);
  }
  ~Database() { PQfinish(connection_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const std::string& sql, ExecStatusType expected = PGRES_COMMAND_OK) {
    PGresult* result = PQexec(connection_, sql.c_str());
    const bool good = PQresultStatus(result) == expected;
    PQclear(result);
    check(good);
  }
  void copy(const std::string& bytes) {
    check(PQputCopyData(connection_, bytes.data(), static_cast<int>(bytes.size())) == 1);
  }
  void end_copy() {
    check(PQputCopyEnd(connection_, nullptr) == 1);
    while (PGresult* result = PQgetResult(connection_)) {
      const bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
      PQclear(result);
      check(good);
    }
  }

 private:
  void check(bool good) const {
    if (!good) throw std::runtime_error(PQerrorMessage(connection_));
  }
  PGconn* connection_;
};

}  // namespace bare
