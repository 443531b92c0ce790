#include "bench/semel/words.hpp"

#include <fmt/format.h>
#include <cmath>

namespace semel::bench {

std::string grouped(std::int64_t number) {
  const auto digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > first && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string grouped(double number) {
  return grouped(static_cast<std::int64_t>(std::llround(number)));
}

}  // namespace semel::bench
