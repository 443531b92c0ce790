// An output in memory: rows, dead letters and the ledger, changed as one fact.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/sink.hpp>
#include <semel/testing.hpp>

#include "testing/memory_ledger.hpp"
#include "testing/moments.hpp"

namespace semel::testing {

/// A state in its home, which keeps all of its history.
struct StateTable {
  struct Value {
    std::optional<std::string> value{};  ///< absent: the key is gone
    StateVersion since{};
  };
  std::map<std::string, Value, std::less<>> rows{};
  std::vector<StateVersion> versions{};  ///< the newest is the last
};

struct Table {
  MemoryLedger ledger{};
  std::vector<Row> rows{};
  std::vector<DeadLetter> dead_letters{};
  StateTable state{};
};

/// Both live longer.
std::unique_ptr<Sink> sink_of(Table& table, const std::string& owner, Moments& moments);

}  // namespace semel::testing
