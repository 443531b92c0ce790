// What came back for one message: every result of it, and how it ended.
#pragma once

#include <libpq-fe.h>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/client/sqlstate.hpp"

namespace semel::postgres {

/// One result set or command tag.
class Rows {
 public:
  explicit Rows(PGresult* result) : result_(result) {}

  int size() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string_view view(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  std::string text(int row, int column) const { return std::string(view(row, column)); }
  /// Of what encode(…, 'hex') made; absent where it is NULL.
  std::optional<std::string> bytes(int row, int column) const;
  bool flag(int row, int column) const { return view(row, column) == "t"; }
  std::int64_t number(int row, int column) const;  ///< 0 where NULL
  std::optional<std::int64_t> optional_number(int row, int column) const;
  std::string_view tag() const { return PQcmdStatus(result_.get()); }
  bool is_table() const { return PQresultStatus(result_.get()) == PGRES_TUPLES_OK; }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

struct Reply {
  std::vector<Rows> results;         ///< of the statements before the one that failed, if one did
  std::optional<ServerError> error;  ///< what the server said
  std::optional<std::string> lost;   ///< the session is gone, and why; nothing more will be known
  bool copy_in = false;              ///< the server waits for COPY's rows

  bool ok() const { return !error && !lost; }
  /// As the tags of COPY and INSERT count them.
  std::uint64_t rows_stored() const;
  /// As those of INSERT, UPDATE and DELETE do.
  std::uint64_t rows_changed() const;
  std::string_view last_tag() const { return results.empty() ? "" : results.back().tag(); }
  std::size_t tables() const;
  /// The nth result that is a table. It must be there: ask only after ok().
  const Rows& table(std::size_t n) const;
};

}  // namespace semel::postgres
