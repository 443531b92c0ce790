// An output in memory: rows, dead letters and the ledger, changed as one fact.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <semel/sink.hpp>
#include <semel/testing.hpp>

#include "testing/memory_ledger.hpp"
#include "testing/memory_state.hpp"
#include "testing/moments.hpp"

namespace semel::testing {

struct Table {
  MemoryLedger ledger{};
  std::vector<Row> rows{};
  std::vector<DeadLetter> dead_letters{};
  MemoryState state{};
};

/// Both live longer.
std::unique_ptr<Sink> sink_of(Table& table, const std::string& owner, Moments& moments);

}  // namespace semel::testing
