// The formats that a record's value may have: those of formats.list.
#pragma once

#include <vector>

#include "formats/formats.hpp"

namespace semel::app {

/// In the order in which settings and errors name them; the first is the default.
const std::vector<formats::FormatPtr>& all_formats();

}  // namespace semel::app
