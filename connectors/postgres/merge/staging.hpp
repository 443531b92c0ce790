// Rows on their way into a table by way of a temporary one, as SQL: what is there twice is found by
// the server, with the equality of the index that decides. No I/O.
//
// A range is first copied there whole, then carried over in the order of its keys: sessions that
// merge at once lock rows in one order. Carrying over twice, or a range in pieces, in its order,
// ends as once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "postgres/options.hpp"
#include "postgres/rows/row_encoder.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// Of one description of a table; made anew with it.
class Staging {
 public:
  /// `table` is one whose rows are merged (Options::merges); both must outlive it. `ties`: whether
  /// a record takes the place of a row of its own version.
  enum class Ties : std::uint8_t { record, row };
  Staging(const Table& table, const Options& options, Ties ties = Ties::record);

  /// Makes the temporary table where this session has none; it is empty at each transaction's
  /// begin. Asked for in each transaction: behind a proxy the session may be another.
  const std::string& create() const { return create_; }
  /// Carries over what was staged behind `after` (a number as the encoder gives them). Tags of
  /// INSERT, UPDATE and DELETE count the rows of the table that became something else.
  std::string merge(const Staged& staged, std::int64_t after) const;
  /// Empties the temporary table within a transaction.
  const std::string& empty() const { return empty_; }

 private:
  std::string ignore_conflicts(const Staged& staged, const std::string& behind) const;
  std::string remove(const std::string& behind) const;
  std::string live(const Staged& staged, const std::string& behind) const;
  std::string counted_rows(const std::string& rows) const;
  std::string upsert(const std::vector<std::string>& columns, const std::string& rows,
                     const std::vector<std::string>& carried) const;
  std::string upserts(const Staged& staged, const std::string& rows) const;
  std::string value_of(const std::string& column, bool removals) const;

  const Table& table_;
  const Options& options_;
  bool only_newer_;
  std::string name_;   ///< of the table, quoted
  std::string stage_;  ///< of the temporary one
  std::string keys_;   ///< "s.a, s.b"
  std::string create_;
  std::string empty_;
};

}  // namespace semel::postgres
