// How a pipeline writes to SQLite. Filled by settings in connector.cpp; values only.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "record/policy.hpp"

namespace semel::sqlite {

struct Options {
  std::string file;   ///< the database; has to exist
  std::string table;  ///< in it; quoted as written
  std::map<std::string, std::string> columns;
  record::Policy policy;
  std::int64_t busy_timeout_ms = 5'000;  ///< that another process may keep us waiting at once
  std::int64_t keep_commits_hours =
      std::int64_t{24} * 7;  ///< age at which rows of the history are removed; 0: never
};

}  // namespace semel::sqlite
