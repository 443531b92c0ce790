#include "store/store.hpp"

#include <fmt/format.h>

#include "base/wall_clock.hpp"

namespace semel::store {

namespace {

constexpr std::size_t partition_key = 4;  // of history(): whose, topic, partition

Row beginning(const Row& row, std::size_t cells) {
  return {row.begin(), row.begin() + static_cast<std::ptrdiff_t>(cells)};
}

/// The partition behind that of `before` that the history knows, as the beginning of its keys.
Result<std::optional<Row>> next_in_history(Store& store, const Row& prefix, const Row& before) {
  std::optional<Row> found;
  auto read = store.scan(history(), {.prefix = prefix, .after = before}, [&](const Row& row) {
    found = beginning(row, partition_key);
    return false;
  });
  if (!read) return tl::unexpected(read.error());
  return found;
}

}  // namespace

Result<void> Store::newest_moves(const Row& prefix, const See& see) {
  Row at;
  while (true) {
    auto next = next_in_history(*this, prefix, at);
    if (!next) return tl::unexpected(next.error());
    if (!*next) return {};
    at = **std::move(next);
    bool goes_on = true;
    auto read = scan(history(), {.prefix = at, .backwards = true}, [&](const Row& row) {
      goes_on = see(row);
      return false;
    });
    if (!read || !goes_on) return read;
  }
}

Result<bool> Store::trim_history(const Row& prefix, const std::string& moment,
                                 std::size_t at_most) {
  std::vector<Row> old;
  Row at;
  while (old.size() < at_most) {
    auto next = next_in_history(*this, prefix, at);
    if (!next) return tl::unexpected(next.error());
    if (!*next) break;
    at = **std::move(next);
    // Only what has a newer row behind it is old enough.
    std::optional<Row> before;
    auto read = scan(history(), {.prefix = at}, [&](const Row& row) {
      if (before) old.push_back(*std::move(before));
      before.reset();
      if (std::get<std::string>(row.back()) >= moment || old.size() >= at_most) return false;
      before = beginning(row, history().key);
      return true;
    });
    if (!read) return tl::unexpected(read.error());
  }
  for (const auto& key : old) {
    if (auto erased = erase(history(), key); !erased) return tl::unexpected(erased.error());
  }
  return old.size() >= at_most;
}

Result<std::int64_t> Store::now_ms() {
  return wall_clock_ms();
}

record::BadRecord unfit(const record::Column& column, std::string_view why) {
  const auto said = fmt::format("column \"{}\" ({}): {}", column.name, column.type_name, why);
  return {.fault = record::Fault::unfit, .column = column.name, .reason = said, .told = said};
}

}  // namespace semel::store
