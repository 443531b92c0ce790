// A report as one page that needs nothing from anywhere else.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/semel/origin.hpp"

namespace semel::bench {

/// `body` is HTML; everything else is text. `facts` and the origin stand at the foot.
std::string page(const std::string& title, const std::string& body, const std::string& notes,
                 const std::vector<std::pair<std::string, std::string>>& facts,
                 const Origin& origin);

/// <td>, of a class (good, bad) or of none.
std::string cell(const std::string& text, const char* style = "");

/// "good" where `passed`.
std::string verdict_line(bool passed, const std::string& text);

}  // namespace semel::bench
