// The contract in its simplest form: a sink in memory, to read and to test the suite with.
// Everything that a real one does with transactions is one mutex here.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

namespace semel::memory {

/// What all sinks and ledgers of one store share.
struct MemoryStore {
  struct Stored {
    Offset offset = 0;
    std::string value;
  };
  struct Output {
    std::int64_t epoch = 0;
    Owner owner;
    bool alive = false;
    std::optional<std::string> failure;  ///< by which the owner ended
    std::string cluster_id;
    std::map<TopicPartition, Progress> progress;
    std::vector<Move> moves;
    std::uint64_t dead_letters = 0;
  };
  std::mutex mutex;
  std::map<std::pair<std::string, std::string>, Output> outputs;  ///< by pipeline and output
  std::vector<Stored> rows;
  std::vector<Offset> dead;
};

/// A value is storable if it begins with '{'.
std::unique_ptr<Sink> memory_sink(std::shared_ptr<MemoryStore> store, const Owner& owner);
std::unique_ptr<Ledger> memory_ledger(std::shared_ptr<MemoryStore> store,
                                      const std::string& pipeline, const std::string& output);

}  // namespace semel::memory
