// What a stream's pipeline remembers, at its home in memory: what the protocol demands of one, and
// no more. It keeps all of its history.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <semel/sink.hpp>

namespace semel::testing {

/// A change that owns what it has.
struct MemoryChange {
  StateVersion version{};
  bool all = false;
  std::map<std::string, std::optional<std::string>> rows{};

  explicit MemoryChange(const StateChange& change);
};

class MemoryState {
 public:
  void apply(const MemoryChange& change);
  /// As Sink::read_state().
  Result<StateRead> read(const StateVersion& since, const Sink::SeeState& see) const;

 private:
  struct Value {
    std::optional<std::string> value;  ///< absent: the key is gone
    StateVersion since;
  };
  std::map<std::string, Value> rows_;
  std::vector<StateVersion> versions_;  ///< the newest is the last
};

}  // namespace semel::testing
