// A sink in memory: the smallest store there is, to read and to test with. It shows what a store
// has to bring (src/store/store.hpp), and no more.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "store/tables.hpp"

namespace semel::memory {

/// What all sinks and ledgers of one store share.
struct MemoryStore {
  struct Stored {
    Offset offset = 0;
    std::string value;
  };
  /// Of a table of the ledger, by their keys.
  using Rows = std::map<store::Row, store::Row>;
  using Tables = std::map<std::string_view, std::shared_ptr<const Rows>>;

  std::int64_t patience_ms = 0;  ///< Sink::patience_ms(); set before the first sink is made
  std::mutex mutex;              ///< of tables and rows
  std::timed_mutex writer;       ///< whoever has a transaction for writing
  Tables tables;
  std::vector<Stored> rows;
};

/// A value is storable if it begins with '{'.
std::unique_ptr<Sink> memory_sink(std::shared_ptr<MemoryStore> store, const Owner& owner);
/// There has been an owner.
std::unique_ptr<Ledger> memory_ledger(std::shared_ptr<MemoryStore> store,
                                      const std::string& pipeline, const std::string& output);
/// Offsets of the records that were set aside, in ascending order.
std::vector<Offset> dead_letters(MemoryStore& store);

}  // namespace semel::memory
