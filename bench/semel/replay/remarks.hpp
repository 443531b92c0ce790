// What a reader has to know beside the numbers.
#pragma once

#include <string>
#include <vector>

#include "bench/semel/replay/result.hpp"

namespace semel::bench {

/// What each kind is, in a sentence.
std::string description(Kind kind);

/// What a reader should conclude: a sentence for each way.
std::vector<std::string> conclusions(const Report& report);

/// What a reader has to know of this contender's numbers, a line each; empty where there is
/// nothing.
std::string remarks(const Contender& contender, const Report& report);

}  // namespace semel::bench
