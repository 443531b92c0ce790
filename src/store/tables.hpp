// The ledger's tables, whatever keeps them: a store is given rows of these and need not know what
// they mean.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace semel::store {

struct Bytes {
  std::string bytes;

  auto operator<=>(const Bytes&) const = default;
};
/// Nothing (NULL), a number, text in UTF-8, or bytes: by the column's type.
using Cell = std::variant<std::monostate, std::int64_t, std::string, Bytes>;
/// In the order of its table's columns. A key is the beginning of one.
using Row = std::vector<Cell>;

// What is in a cell, where nothing is as good as 0 or an empty text.
std::int64_t number_in(const Cell& cell, std::int64_t absent = 0);
const std::string& text_in(const Cell& cell);
/// A store may give bytes as text. Absent: there is nothing in the cell.
std::optional<std::string> bytes_in(const Cell& cell);

enum class Type : std::uint8_t { integer, text, bytes };

struct TableColumn {
  std::string_view name;
  Type type = Type::text;
  bool may_be_null = false;
  std::string_view about{};  ///< for people who look at the table; may be empty
};

/// Rows are unique by, and stand in the order of, their first `key` cells: numbers by value, texts
/// by their bytes.
struct Table {
  std::string_view name;
  std::vector<TableColumn> columns;
  std::size_t key = 0;
};

/// Of the tables' columns and what they mean, as each row of owners() says it.
inline constexpr std::int64_t ledger_version = 1;

const Table& owners();
const Table& progress();
const Table& history();
const Table& dead_letters();
/// All that every ledger has.
std::span<const Table* const> tables();
/// Where transactions are a program's own (Setup::own_begins): each adds a row when it begins, and
/// its advance takes it away. One that others see is of a transaction that was committed without.
const Table& begun();
/// Where the output is the home of a stream's state: its rows, and the versions that it had, as
/// long as the history is kept.
const Table& state();
const Table& state_versions();

}  // namespace semel::store
