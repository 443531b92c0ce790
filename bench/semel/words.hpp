// Numbers as the reports write them.
#pragma once

#include <cstdint>
#include <string>

namespace semel::bench {

/// 1234567 → "1,234,567"
std::string grouped(std::int64_t number);
std::string grouped(double number);

}  // namespace semel::bench
