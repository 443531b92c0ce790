#include "testing/memory_state.hpp"

#include <algorithm>

namespace semel::testing {

MemoryChange::MemoryChange(const StateChange& change) : version(change.version), all(change.all) {
  for (const auto& row : change.rows) {
    rows.emplace(row.key, row.value ? std::optional<std::string>(*row.value) : std::nullopt);
  }
}

void MemoryState::apply(const MemoryChange& change) {
  if (change.all) *this = {};
  for (const auto& [key, value] : change.rows) rows_[key] = {value, change.version};
  versions_.push_back(change.version);
}

Result<StateRead> MemoryState::read(const StateVersion& since, const Sink::SeeState& see) const {
  StateRead read;
  if (!versions_.empty()) read.version = versions_.back();
  if (read.version == since) return read;
  read.all = std::ranges::find(versions_, since) == versions_.end();
  std::vector<StateRow> rows;
  for (const auto& [key, row] : rows_) {
    if (read.all ? !row.value : row.since <= since) continue;
    rows.push_back({key, row.value ? std::optional<std::string_view>(*row.value) : std::nullopt});
  }
  if (auto seen = see(read, rows); !seen) return tl::unexpected(seen.error());
  return read;
}

}  // namespace semel::testing
