// Whether every record is there, once: from the table alone. The ledger is not asked.
#pragma once

#include <cstdint>
#include <string>

namespace semel::bench {

/// What the table holds.
struct Found {
  std::int64_t rows = 0;
  std::int64_t distinct = 0;  ///< ids
  std::int64_t damaged = 0;   ///< rows whose id was never produced, or whose proof is wrong
  std::int64_t sum_id = 0;
  std::int64_t sum_proof = 0;
};

struct Comparison {
  std::int64_t lost = 0;
  std::int64_t duplicated = 0;
  std::int64_t damaged = 0;
  bool sums_agree = false;  ///< can only agree where nothing is lost or duplicated

  bool exactly_once() const { return lost == 0 && duplicated == 0 && damaged == 0 && sums_agree; }
};

/// The query for a Found of `table`, columns in the order of its members.
std::string oracle_sql(const std::string& table, std::int64_t produced);

/// Records [0, produced) were produced.
Comparison compare(const Found& found, std::int64_t produced);

}  // namespace semel::bench
