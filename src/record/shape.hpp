// What rows could be made of, as far as records tell: for a sink that makes the table. No I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

#include "record/elements.hpp"
#include "record/policy.hpp"
#include "record/reader.hpp"
#include "record/rule.hpp"

namespace semel::record {

/// Kinds of values that were seen in one place.
struct SeenKinds {
  bool boolean = false;
  bool number = false;
  bool text = false;    ///< strings, and bytes that are text
  bool nested = false;  ///< objects and arrays
  bool other = false;   ///< what only a format with types has, or bytes that are no text
  bool any() const { return boolean || number || text || nested || other; }
};

/// A column that rows could have.
struct ShapeColumn {
  std::string name;
  /// Of the rules; absent: the member of its name.
  const ColumnRule* rule = nullptr;
  std::optional<Mapping> mapping{};  ///< the first one of a rule that has any
  SeenKinds seen{};
};

/// The rules that make the rows, but for what is only known of a column that exists.
struct ShapeRules {
  ColumnRules columns;
  Policy policy;
  const Format* format = nullptr;       ///< outlives the Shape
  const Format* keys = nullptr;         ///< likewise
  std::string path;                     ///< of an array whose elements are the rows; empty: none
  std::string setting;                  ///< where `columns` stands, for people
  std::vector<std::string> also_known;  ///< members that others have columns for
  std::vector<std::string> also_known_inside;  ///< likewise, of an element of `path`
  /// Where there is no table yet: columns without which no row can be. A row that lacks one of
  /// them, or has no value at all, is bad: it says nothing of what there should be.
  std::optional<std::vector<std::string>> needed{};
};

/// Looks at records as a Reader or Elements does, and keeps what kinds of values each column of the
/// rules would get, and each member that no rule comes from. Where a rule takes the value whole, no
/// member is a column of its own: nothing of a record would be lost without it. Members are called
/// as Policy::names folds them. Not thread safe. Movable.
class Shape {
 public:
  /// So many columns at most: what records bring beyond is counted in left_out().
  static constexpr std::size_t columns_max = 1'000;

  /// Fails (fatal, configuration) where a rule cannot be followed, whatever the column is.
  static Result<Shape> make(ShapeRules rules);

  /// Row, removal or ignored; bad() and unavailable() of the others.
  Fate add(const TopicPartition& tp, const Record& record);
  const BadRecord& bad() const;
  Error unavailable() const;

  /// Those of the rules first, then members in the order in which they were met.
  std::span<const ShapeColumn> columns() const { return columns_; }
  /// Rows that were seen.
  std::size_t rows() const { return rows_; }
  /// Of columns beyond columns_max, the first one's name.
  const std::string& left_out() const { return left_out_; }

  /// As Elements has them.
  std::vector<std::string> known_members() const;
  std::vector<std::string> known_inside() const;

 private:
  explicit Shape(ShapeRules rules) : rules_(std::move(rules)) {}

  Result<void> read_as(std::vector<MappedColumn> mapped);
  /// False: the row is bad.
  bool row(std::span<const Value> values);
  void members_of(std::string_view object);
  void note(const Value& value, std::size_t column);
  bool says_enough();

  ShapeRules rules_;
  std::variant<std::monostate, Reader, Elements> reader_;
  std::vector<ShapeColumn> columns_;
  std::unordered_map<std::string, std::size_t> by_name_;  ///< members that are columns
  std::vector<std::string> known_;                        ///< members of a row that are none
  bool takes_members_ = false;       ///< the last value that is read is all of the row
  std::vector<std::size_t> filled_;  ///< columns that have a value in the last row
  std::size_t rows_ = 0;
  std::string left_out_;
  std::optional<BadRecord> poor_;  ///< why the last record is bad, where that is said here
};

}  // namespace semel::record
