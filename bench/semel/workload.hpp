// The records: each carries its id and a number computed from it, so that a row proves itself.
#pragma once

#include <cstdint>
#include <string>

namespace semel::bench {

/// What a row with this id must hold in its column `proof`.
std::int64_t proof_of(std::int64_t id);
/// The same as an SQL expression over the column `id`.
std::string proof_sql();

/// Appends record `id` as a JSON object of `size` bytes (or as few as its members need).
void append_record(std::int64_t id, std::int64_t size, std::string& out);
/// The columns of the table that takes these records.
std::string columns_sql();

/// The sum of proof_of() over [0, count).
std::int64_t sum_of_proofs(std::int64_t count);

}  // namespace semel::bench
