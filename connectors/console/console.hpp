// The console connector's door: all but options.hpp is private to it.
#pragma once

#include "connector/connector.hpp"

namespace semel::console {

Connector connector();

}  // namespace semel::console
