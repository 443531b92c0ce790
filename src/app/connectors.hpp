// The sinks there are: those of connectors.list.
#pragma once

#include <vector>

#include "connector/connector.hpp"

namespace semel::app {

/// In the order in which settings, help and errors name them.
const std::vector<Connector>& connectors();

}  // namespace semel::app
