// What a stream's pipeline remembers, in the tables of its home: state() and state_versions(). All
// of it is called in a transaction, and gives its store's errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <semel/sink.hpp>

#include "store/store.hpp"

namespace semel::store {

/// A change that owns what it has.
struct KeptChange {
  StateVersion version;
  std::vector<std::pair<std::string, std::optional<std::string>>> rows;
  bool all = false;

  explicit KeptChange(const StateChange& change);
};

/// Where they are missing.
Result<void> make_state(Store& store);
/// As SinkSession::change_state().
Result<void> write_state(Store& store, const Owner& owner, const KeptChange& change);
/// As Sink::read_state().
Result<StateRead> read_state(Store& store, const Owner& owner, const StateVersion& since,
                             const Sink::SeeState& see);
/// Removes versions from before `moment`, at most so many, and never the newest. True: there are
/// more.
Result<bool> trim_versions(Store& store, const Owner& owner, const std::string& moment,
                           std::size_t at_most);
/// Removes rows of keys that are gone and that no version of the history asks for, at most so many.
/// Looks at all rows. True: there are more.
Result<bool> trim_gone_keys(Store& store, const Owner& owner, std::size_t at_most);

}  // namespace semel::store
