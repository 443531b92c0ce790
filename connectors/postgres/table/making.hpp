// The statements that make a table, and give it the columns that it lacks, from what records have.
// No I/O.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "postgres/options.hpp"
#include "record/shape.hpp"

namespace semel::postgres {

/// A column that a table could have.
struct NewColumn {
  std::string name;
  std::string type;  ///< as SQL

  bool operator==(const NewColumn&) const = default;
};

/// What a table needs for records like those that were seen.
struct Making {
  std::vector<NewColumn> columns;     ///< without those that it has
  std::vector<std::string> left_out;  ///< for people: what gets no column, and why
  std::string mistake;                ///< for people: a column of the rules that cannot be

  bool operator==(const Making&) const = default;
};

/// A table as far as making it is concerned.
struct TableNow {
  bool exists = false;
  std::vector<std::string> columns;   ///< all, also those that cannot be written
  std::vector<std::string> reserved;  ///< names that the server gives to no column of a user's
};

/// The type of a column for such values. Numbers are numeric, which keeps each of them as it is;
/// text takes whatever is not all of one kind, and jsonb objects and arrays. Absent: nothing was
/// seen that says it.
std::optional<std::string> type_for(const record::ShapeColumn& column);

/// Of a table that does not exist: all columns of its rules, and what else was seen, and those by
/// which rows are merged. Of one that exists, those that it lacks. `rule` is one table's.
Making plan_making(const Options& rule, const TableNow& now,
                   std::span<const record::ShapeColumn> shape);

/// What keeps a table that does not exist from being made; empty: nothing.
std::string why_not_made(const Options& rule, const Making& making);

/// "CREATE TABLE IF NOT EXISTS …", with the key of an upsert as its primary key.
std::string create_statement(const Options& rule, const Making& making);
/// "ALTER TABLE … ADD COLUMN IF NOT EXISTS …"; there is a column at least.
std::string widen_statement(const Options& rule, const Making& making);

/// For people: `"id" numeric, "name" text`.
std::string told(const Making& making);

}  // namespace semel::postgres
