// What the topics and transactional ids of an output are called.
#pragma once

#include <string>

#include <semel/error.hpp>
#include <semel/types.hpp>

#include "kafka_sink/options.hpp"

namespace semel::kafka_sink {

struct Names {
  std::string target;
  std::string dead_letters;
  std::string ledger;
  std::string history;

  /// Of what is the owner's own: positions that begin, heartbeats.
  std::string owner_id() const { return ledger + "-owner"; }
  /// Of the transactions of one session after the other. Never by epoch: a new id fences nobody.
  std::string slot_id(int slot) const { return ledger + "-" + std::to_string(slot); }
};

/// Fatal (Cause::configuration) where two of them are one, or one is no topic's name.
Result<Names> names_of(const Options& options, const Owner& owner);

}  // namespace semel::kafka_sink
