// What tests of logs have in common.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "source/local_log.hpp"

namespace semel::test {

/// (number, value) of each record.
using Lines = std::vector<std::pair<Offset, std::string>>;

/// All that is there in [from, until), a few at a time.
inline Lines read_all(source::LocalLog& log, Offset from, Offset until) {
  Lines lines;
  while (from < until) {
    KeptRecords some;
    log.read(from, until, 3, some).value();
    for (std::size_t i = 0; i < some.size(); ++i) {
      lines.emplace_back(some[i].offset, std::string(some[i].value.value()));
    }
    from += static_cast<Offset>(some.size());
  }
  return lines;
}

}  // namespace semel::test
