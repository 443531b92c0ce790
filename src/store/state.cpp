#include "store/state.hpp"

#include "store/moment.hpp"

namespace semel::store {

namespace {

constexpr std::size_t state_rows_per_piece = 1'000;
// Of the row that says which version the rows are of: where their table was made anew, or restored
// without that of the versions, it is another one. No row of a state has this key. Stored: do not
// change, nor its value.
constexpr std::string_view key_of_mark = "";

std::string mark_of_rows(const StateVersion& version) {
  return std::to_string(version.name);
}

Row state_key(const Owner& owner) {
  return {owner.pipeline, owner.output};
}
Row state_key(const Owner& owner, std::string_view key) {
  return {owner.pipeline, owner.output, Bytes{std::string(key)}};
}

std::int64_t state_number(const Row& row, std::size_t i) {
  return std::get<std::int64_t>(row[i]);
}

StateVersion version_in(const Row& row) {
  return {{state_number(row, 2)}, static_cast<std::uint64_t>(state_number(row, 3))};
}

/// The oldest or the newest; StateVersion() where there is none.
Result<StateVersion> version_at_end(Store& store, const Owner& owner, bool newest) {
  StateVersion found;
  auto read = store.scan(state_versions(), {.prefix = state_key(owner), .backwards = newest},
                         [&](const Row& row) {
                           found = version_in(row);
                           return false;
                         });
  if (!read) return tl::unexpected(read.error());
  return found;
}

/// Whether the rows are of that version.
Result<bool> rows_are_of(Store& store, const Owner& owner, const StateVersion& version) {
  bool are = version == StateVersion();
  auto read = store.scan(state(), {.prefix = state_key(owner, key_of_mark)}, [&](const Row& row) {
    are = bytes_in(row[3]) == mark_of_rows(version) && state_number(row, 4) == version.time.ms;
    return false;
  });
  if (!read) return tl::unexpected(read.error());
  return are;
}

Result<bool> was_there(Store& store, const Owner& owner, const StateVersion& version) {
  bool there = false;
  auto read =
      store.scan(state_versions(), {.prefix = {owner.pipeline, owner.output, version.time.ms}},
                 [&](const Row& row) {
                   there = version_in(row) == version;
                   return false;
                 });
  if (!read) return tl::unexpected(read.error());
  return there;
}

}  // namespace

KeptChange::KeptChange(const StateChange& change) : version(change.version), all(change.all) {
  rows.reserve(change.rows.size());
  for (const auto& row : change.rows) {
    rows.emplace_back(row.key, row.value ? std::optional<std::string>(*row.value) : std::nullopt);
  }
}

Result<void> make_state(Store& store) {
  for (const auto* table : {&state(), &state_versions()}) {
    auto columns = store.columns_of(*table);
    if (!columns) return tl::unexpected(columns.error());
    if (!columns->empty()) continue;
    if (auto made = store.make(*table); !made) return made;
  }
  return {};
}

Result<void> write_state(Store& store, const Owner& owner, const KeptChange& change) {
  if (change.all) {
    for (const auto* table : {&state(), &state_versions()}) {
      if (auto erased = store.erase(*table, state_key(owner)); !erased) return erased;
    }
  }
  const auto write = [&](std::string_view key, const std::optional<std::string>& value) {
    auto row = state_key(owner, key);
    row.push_back(value ? Cell(Bytes{*value}) : Cell());
    row.emplace_back(change.version.time.ms);
    return store.replace(state(), row);
  };
  for (const auto& [key, value] : change.rows) {
    if (auto written = write(key, value); !written) return written;
  }
  if (auto marked = write(key_of_mark, mark_of_rows(change.version)); !marked) return marked;
  auto now = store.now_ms();
  if (!now) return tl::unexpected(now.error());
  return store.replace(state_versions(),
                       {owner.pipeline, owner.output, change.version.time.ms,
                        static_cast<std::int64_t>(change.version.name), moment_text(*now)});
}

Result<StateRead> read_state(Store& store, const Owner& owner, const StateVersion& since,
                             const Sink::SeeState& see) {
  auto version = version_at_end(store, owner, true);
  if (!version) return tl::unexpected(version.error());
  const auto whole = rows_are_of(store, owner, *version);
  if (!whole) return tl::unexpected(whole.error());
  if (!*whole) return StateRead{};
  StateRead read{.version = *version};
  if (since == read.version) return read;
  auto there = was_there(store, owner, since);
  if (!there) return tl::unexpected(there.error());
  read.all = !*there;

  std::vector<std::pair<std::string, std::optional<std::string>>> piece;
  Result<void> seen;
  const auto show = [&] {
    std::vector<StateRow> rows;
    for (const auto& [key, value] : piece) {
      rows.push_back({key, value ? std::optional<std::string_view>(*value) : std::nullopt});
    }
    if (!rows.empty()) seen = see(read, rows);
    piece.clear();
    return seen.has_value();
  };
  auto scanned = store.scan(state(), {.prefix = state_key(owner)}, [&](const Row& row) {
    auto value = bytes_in(row[3]);
    if (read.all ? !value : state_number(row, 4) <= since.time.ms) return true;
    auto key = bytes_in(row[2]).value_or("");
    if (key == key_of_mark) return true;
    piece.emplace_back(std::move(key), std::move(value));
    return piece.size() < state_rows_per_piece || show();
  });
  if (!scanned) return tl::unexpected(scanned.error());
  if (!seen || !show()) return tl::unexpected(seen.error());
  return read;
}

Result<bool> trim_versions(Store& store, const Owner& owner, const std::string& moment,
                           std::size_t at_most) {
  std::vector<Row> old;
  // Only what has a newer one behind it goes.
  std::optional<Row> before;
  auto read = store.scan(state_versions(), {.prefix = state_key(owner)}, [&](const Row& row) {
    if (before) old.push_back(*std::move(before));
    before.reset();
    if (std::get<std::string>(row.back()) >= moment || old.size() >= at_most) return false;
    before = Row{row[0], row[1], row[2]};
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  for (const auto& key : old) {
    if (auto erased = store.erase(state_versions(), key); !erased) {
      return tl::unexpected(erased.error());
    }
  }
  return old.size() >= at_most;
}

Result<bool> trim_gone_keys(Store& store, const Owner& owner, std::size_t at_most) {
  auto oldest = version_at_end(store, owner, false);
  if (!oldest) return tl::unexpected(oldest.error());
  std::vector<Row> gone;
  auto read = store.scan(state(), {.prefix = state_key(owner)}, [&](const Row& row) {
    if (!bytes_in(row[3]) && state_number(row, 4) <= oldest->time.ms) {
      gone.push_back(state_key(owner, bytes_in(row[2]).value_or("")));
    }
    return gone.size() < at_most;
  });
  if (!read) return tl::unexpected(read.error());
  for (const auto& key : gone) {
    if (auto erased = store.erase(state(), key); !erased) return tl::unexpected(erased.error());
  }
  return gone.size() >= at_most;
}

}  // namespace semel::store
