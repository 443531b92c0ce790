// What a pipeline does, as its owner's row remembers it from one run to the next.
#pragma once

#include <string>

#include "postgres/table/table.hpp"

namespace semel::postgres {

/// Empty: not known.
struct Job {
  std::string target;  ///< the table, qualified and quoted
  Oid target_oid = 0;
  std::string topics;
  std::string mapping;
};

}  // namespace semel::postgres
