// Numbers and remarks as the reports write them.
#pragma once

#include <cstdint>
#include <string>

#include "bench/result.hpp"

namespace semel::bench {

/// 1234567 → "1,234,567"
std::string grouped(std::int64_t number);
std::string grouped(double number);

/// What each kind is, in a sentence.
std::string description(Kind kind);

/// What a reader has to know of this contender's numbers, a line each; empty where there is
/// nothing.
std::string remarks(const Contender& contender, const Report& report);

}  // namespace semel::bench
