#include "bench/semel/replay/plan.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

namespace semel::bench {

namespace {

constexpr std::array<std::pair<int, const char*>, 4> signals{{
    {SIGKILL, "KILL"},
    {SIGTERM, "TERM"},
    {SIGINT, "INT"},
    {SIGSTOP, "STOP"},
}};

}  // namespace

Result<int> parse_signal(const std::string& name) {
  const auto bare = name.starts_with("SIG") ? name.substr(3) : name;
  for (const auto& [number, text] : signals) {
    if (bare == text) return number;
  }
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("--signal: {} is none of KILL, TERM, INT, STOP", name));
}

std::string signal_name(int number) {
  for (const auto& [value, name] : signals) {
    if (value == number) return std::string("SIG") + name;
  }
  return fmt::format("signal {}", number);
}

std::int64_t transaction_records(std::int64_t records, int kills) {
  return std::max<std::int64_t>(records / (std::int64_t{8} * (kills + 1)), 500);
}

}  // namespace semel::bench
