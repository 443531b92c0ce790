// The RocksDB connector's door: all but options.hpp is private to it.
#pragma once

#include "connector/connector.hpp"

namespace semel::rocksdb {

Connector connector();

}  // namespace semel::rocksdb
