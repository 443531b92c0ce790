// Rows on their way to a temporary table: what each begins with, and what they lack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace semel::postgres {

// Where rows go by way of a temporary table (Table::stage), each begins with two fields of these
// names: a number that grows from row to row, and which columns the record had: a number of
// Staged::sets, or -1 where it says that the row of its key is to go.
inline constexpr std::string_view stage_number = "semel_number";
inline constexpr std::string_view stage_set = "semel_set";

/// What rows were encoded for a temporary table since begin_rows().
struct Staged {
  struct Set {
    std::uint32_t number = 0;
    std::vector<std::string> columns;  ///< in the table's order

    bool lacks(const std::string& column) const;
  };
  std::vector<Set> sets;
  bool removals = false;

  /// Those columns that some of the rows have, and others lack.
  std::vector<std::string> varying() const;
  /// Each combination of them is a statement: more of them end the task.
  static constexpr std::size_t varying_max = 8;
};

}  // namespace semel::postgres
