// Ways from Kafka into PostgreSQL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <semel/error.hpp>

namespace semel::bench {

/// `direct` is semel; the others are what people write without it.
enum class Kind : std::uint8_t { semel, receiver, at_least_once, at_most_once };

std::string to_string(Kind kind);
/// "receiver,at-most-once", "all" or "none". semel always runs, and first.
Result<std::vector<Kind>> parse_baselines(const std::string& list);

}  // namespace semel::bench
