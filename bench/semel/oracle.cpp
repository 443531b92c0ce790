#include "bench/semel/oracle.hpp"

#include <fmt/format.h>

#include "bench/semel/workload.hpp"

namespace semel::bench {

std::string oracle_sql(const std::string& table, std::int64_t produced) {
  return fmt::format(
      "SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE id IS NULL OR id < 0 OR id >= "
      "{} OR proof IS DISTINCT FROM {}), coalesce(sum(id), 0)::bigint, coalesce(sum(proof), "
      "0)::bigint FROM {}",
      produced, proof_sql(), table);
}

Comparison compare(const Found& found, std::int64_t produced) {
  return {.lost = produced - found.distinct,
          .duplicated = found.rows - found.distinct,
          .damaged = found.damaged,
          .sums_agree = found.sum_id == produced * (produced - 1) / 2 &&
                        found.sum_proof == sum_of_proofs(produced)};
}

}  // namespace semel::bench
