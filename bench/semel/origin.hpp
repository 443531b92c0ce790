// Where a report comes from: its foot.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace semel::bench {

struct Origin {
  std::string command;  ///< as it was given, without what may be secret
  std::string date;
  std::vector<std::pair<std::string, std::string>> machine;  ///< name, value
};

}  // namespace semel::bench
