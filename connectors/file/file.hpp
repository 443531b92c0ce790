// Files that are whole, exactly once, and the ledger beside them: the connector's door.
#pragma once

#include "connector/connector.hpp"

namespace semel::file {

Connector connector();

}  // namespace semel::file
