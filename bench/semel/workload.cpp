#include "bench/semel/workload.hpp"

#include <fmt/format.h>
#include <array>
#include <chrono>
#include <iterator>
#include <string_view>

namespace semel::bench {

namespace {

// A multiplicative generator modulo a Mersenne prime: fits into 64 bits for ids below 10^14.
constexpr std::int64_t factor = 48'271;
constexpr std::int64_t modulus = 2'147'483'647;
constexpr std::array<std::string_view, 4> event_kinds = {"click", "view", "purchase", "refund"};
constexpr std::string_view filling =
    "delivered to the door on the second try, signed; paid in full; left in the basket for a day; ";

}  // namespace

std::int64_t proof_of(std::int64_t id) {
  return id * factor % modulus;
}

std::string proof_sql() {
  return fmt::format("id * {} % {}", factor, modulus);
}

void append_record(std::int64_t id, std::int64_t size, std::string& out) {
  using namespace std::chrono;
  const auto proof = proof_of(id);
  const auto at = sys_days{2026y / January / 1} + milliseconds(id * 37);
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{floor<milliseconds>(at - day)};
  const auto began = out.size();
  fmt::format_to(std::back_inserter(out),
                 R"({{"id":{},"proof":{},"kind":"{}","amount":{}.{:02},)"
                 R"("at":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z","ok":{},"note":")",
                 id, proof, event_kinds[static_cast<std::size_t>(proof % 4)], proof % 10'000,
                 id % 100, static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), time.hours().count(), time.minutes().count(),
                 time.seconds().count(), time.subseconds().count(), proof % 8 != 0);
  const auto until = began + static_cast<std::size_t>(size > 2 ? size - 2 : 0);
  while (out.size() < until) out += filling.substr(0, until - out.size());
  out += "\"}";
}

std::string columns_sql() {
  return "id bigint, proof bigint, kind text, amount double precision, at timestamptz, ok boolean, "
         "note text";
}

std::int64_t sum_of_proofs(std::int64_t count) {
  std::int64_t sum = 0;
  for (std::int64_t id = 0; id < count; ++id) sum += proof_of(id);
  return sum;
}

}  // namespace semel::bench
