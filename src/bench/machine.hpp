// What a report says about where it was made.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/stage.hpp"

namespace semel::bench {

std::vector<std::pair<std::string, std::string>> machine_facts(Stage& stage);

}  // namespace semel::bench
