// The SQLite connector's door: everything else in this folder is private to it.
#pragma once

#include "connector/connector.hpp"

namespace semel::sqlite {

Connector connector();

}  // namespace semel::sqlite
