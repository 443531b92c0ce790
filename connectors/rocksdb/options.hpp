// How a pipeline writes to RocksDB. Filled by settings in connector.cpp; values only.
#pragma once

#include <cstdint>
#include <string>

#include "store/setup.hpp"

namespace semel::rocksdb {

/// What two records have to have in common to be one row.
enum class Rows : std::uint8_t {
  by_key,       ///< their key: the later one takes the place of the earlier
  by_position,  ///< partition and offset: each record is a row
};

struct Options {
  std::string directory;  ///< of the database; made where it is not there
  Rows keep = Rows::by_key;
  store::Options rows;  ///< `table` is the column family
};

}  // namespace semel::rocksdb
