// The SQLite connector's door: all but options.hpp is private to it.
#pragma once

#include "connector/connector.hpp"

namespace semel::sqlite {

Connector connector();

}  // namespace semel::sqlite
