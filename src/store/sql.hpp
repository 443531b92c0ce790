// A store that speaks SQL. Arguments are question marks, in the order in which they come.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/plain.hpp"
#include "record/reader.hpp"
#include "store/store.hpp"

namespace semel::store {

/// How a store spells it. Static text.
struct Dialect {
  char quote = '"';           ///< around names; doubled within one
  std::string_view schema{};  ///< before the names of tables: "main."
  std::string_view integer = "BIGINT";
  std::string_view text = "TEXT";
  std::string_view bytes = "BLOB";
  std::string_view of_table{};           ///< behind a table's columns: "STRICT"
  std::string_view replace = "REPLACE";  ///< INSERT, in the place of a row with its key
};

struct Sql {
  std::string text;
  Row args{};
};

/// Of one record; no columns: all of them take their defaults.
std::string insert_row(const Dialect& dialect, std::string_view table,
                       std::span<const record::Column> columns);
/// The names of columns, for a list.
std::string names_of(const Dialect& dialect, std::span<const record::Column> columns);

/// What an argument is, for whoever binds it; borrows from it.
record::Plain plain_of(const Cell& cell);

/// Whether each row is put after a savepoint: the connections of a sink learn it from each other.
using Savepoints = std::atomic<bool>;

/// All of a Store that is only SQL.
class SqlStore : public Store {
 public:
  /// `savepoints` lives longer.
  SqlStore(const Dialect& dialect, Savepoints& savepoints)
      : dialect_(dialect), savepoints_(savepoints) {}

  /// One statement, row by row, until `see` says false.
  virtual Result<void> each(const Sql& sql, const See& see) = 0;
  /// The same without rows.
  Result<void> run(const Sql& sql);
  /// The first cell of the only row, as text; empty: NULL.
  Result<std::string> ask(const Sql& sql);

  /// How many rows statements have changed on this connection, and did not undo.
  virtual std::int64_t changes() const = 0;
  /// What `put` refuses leaves nothing behind. A savepoint costs more than a row, so there is none
  /// until a row is seen to leave something: bad_data then, and all are put again.
  template <class PutOne>
  Result<Put> put_row(PutOne put) {
    if (savepoints_) return in_savepoint(put, true);
    const auto before = changes();
    auto answer = put();
    if (!answer || !answer->bad || changes() == before) return answer;
    savepoints_ = true;
    return fail(ErrorKind::bad_data, Cause::sink,
                "the table keeps something of a row that it refuses; all are put again, each after "
                "a savepoint");
  }
  /// Nothing stays, also of what is not refused.
  Result<Put> put_and_undo(const std::function<Result<Put>()>& put) {
    return in_savepoint(put, false);
  }

  Result<void> make(const Table& table) final;
  Result<void> scan(const Table& table, const Scan& which, const See& see) final;
  Result<std::uint64_t> count(const Table& table, const Row& prefix) final;
  Result<void> add(const Table& table, const Row& row) final;
  Result<void> replace(const Table& table, const Row& row) final;
  Result<void> erase(const Table& table, const Row& prefix) final;

 private:
  Result<void> write(std::string_view verb, const Table& table, const Row& row);
  Result<Put> in_savepoint(const std::function<Result<Put>()>& put, bool stays);

  const Dialect& dialect_;
  Savepoints& savepoints_;
};

/// Makes the table where it is not there.
std::string create_table(const Dialect& dialect, const Table& table);

/// Statements that insert a record, by the columns that it leaves to their defaults, and what ends
/// them. Not thread safe. `Statement`: one that is prepared.
template <class Statement>
class Inserts {
 public:
  /// Arguments are the values that are not absent. `prepare` makes a Result<Statement> of SQL;
  /// `behind` ends the text.
  template <class Prepare>
  Result<Statement*> of(const Dialect& dialect, std::string_view table,
                        std::span<const record::Column> columns,
                        std::span<const record::Value> values, std::string_view behind,
                        Prepare prepare) {
    absent_ = behind;
    for (const auto& value : values) absent_ += value.kind == record::Kind::absent ? '1' : '0';
    if (const auto found = by_absent_.find(absent_); found != by_absent_.end()) {
      return &found->second;
    }
    auto made = prepare(insert_values(dialect, table, columns, values).append(behind));
    if (!made) return tl::unexpected(made.error());
    constexpr std::size_t sets_max = 1'000;  // of records that each lack other columns
    if (by_absent_.size() >= sets_max) by_absent_.clear();
    return &by_absent_.emplace(absent_, *std::move(made)).first->second;
  }

 private:
  static std::string insert_values(const Dialect& dialect, std::string_view table,
                                   std::span<const record::Column> columns,
                                   std::span<const record::Value> values) {
    std::vector<record::Column> given;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (values[i].kind != record::Kind::absent) given.push_back(columns[i]);
    }
    return insert_row(dialect, table, given);
  }

  std::map<std::string, Statement> by_absent_;
  std::string absent_;
};

}  // namespace semel::store
