// What is measured: the command line's words as values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "bench/semel/kind.hpp"
#include "bench/semel/setup.hpp"

namespace semel::bench {

/// KILL, TERM, INT or STOP, with or without SIG.
Result<int> parse_signal(const std::string& name);
std::string signal_name(int number);

struct Plan {
  Setup setup;
  int kills = 10;
  double kill_every_s = 2;
  int signal = 9;
  std::vector<Kind> kinds{Kind::semel};
  std::uint64_t seed = 1;
};

/// Records in one transaction at most: small enough that every start has something to do.
std::int64_t transaction_records(std::int64_t records, int kills);

}  // namespace semel::bench
