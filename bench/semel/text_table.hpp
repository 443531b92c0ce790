// Columns of text, as wide as they need to be.
#pragma once

#include <string>
#include <vector>

namespace semel::bench {

using Row = std::vector<std::string>;

/// The first column to the left, the others to the right. All rows have as many cells as the first.
std::string text_table(const std::vector<Row>& rows);

}  // namespace semel::bench
