// Text of others on its way to people.
#pragma once

#include <string>
#include <string_view>

namespace semel {

/// `text` in one line: a run of white space that holds a line break or a tab becomes one space,
/// other control characters become \xHH, so that nothing foreign moves a terminal's cursor or
/// pretends to be a line of its own.
std::string one_line(std::string_view text);

}  // namespace semel
