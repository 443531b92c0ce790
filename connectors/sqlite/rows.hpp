// The records of one transaction, on their way into the table.
//
// They wait in a temporary table, which is a file of this connection's own: so the lock of writers
// is taken when all of them are there, and nobody waits for Kafka with it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <semel/check.hpp>
#include <semel/sink.hpp>

#include "record/bad_tally.hpp"
#include "record/reader.hpp"
#include "sqlite/database.hpp"

namespace semel::sqlite {

/// By a column's declared type, as SQLite has it.
enum class Affinity : std::uint8_t { integer, real, numeric, text, blob };

/// A column that can be written. `record.name` is its name.
struct TableColumn {
  record::Column record;
  Affinity affinity = Affinity::blob;

  bool operator==(const TableColumn& other) const {
    return record.name == other.record.name && record.type_name == other.record.type_name;
  }
};

/// Generated columns are left out. Fatal where the table is not there.
Result<std::vector<TableColumn>> read_columns(Database& database, const std::string& table);
/// Where columns come from. Fatal with Cause::configuration.
Result<record::Reader> make_reader(const std::vector<TableColumn>& columns, const Options& options,
                                   const record::Format& format);

/// Binds what `column` stores of `value`, by its affinity; or says why it cannot.
std::string bind_value(sqlite3_stmt* statement, int at, const TableColumn& column,
                       const record::Value& value);

/// What becomes of one task's records.
struct TaskRows {
  Task task;
  Committed counts;
  record::BadTally tally{"SQLite"};
};

/// Not thread safe. The database has to outlive it.
class RangeRows {
 public:
  static Result<RangeRows> make(Database& database, const Options& options,
                                const record::Format& format);

  /// In a transaction. `whole`: keep all of it, for the case that the table refuses it.
  Result<void> add(std::size_t task, const Record& record, TaskRows& into, bool whole);

  /// Puts all of them into the table, in the transaction that has the lock of writers, and the bad
  /// ones aside. Where something is refused that was not kept as a whole: bad_data. `sampled`: not
  /// put aside but told there.
  Result<void> store(const Owner& owner, std::vector<TaskRows>& tasks,
                     std::vector<SampledRecord>* sampled = nullptr);

  /// The table is still what it was; asked with the lock. False: make another one.
  Result<bool> fits(Database& database);

 private:
  RangeRows(Database& database, const Options& options, record::Reader reader)
      : database_(&database), options_(options), reader_(std::move(reader)) {}
  Result<std::string> keep(std::size_t task, const Record& record, record::ReadRecord& read,
                           bool whole);
  Result<sqlite3_stmt*> insert_of(const std::string& absent);
  Result<void> store_one(const Owner& owner, TaskRows& part, std::vector<SampledRecord>* sampled);
  Result<void> refuse(const Owner& owner, TaskRows& part, const record::BadRecord& bad);
  record::BadRecord refused_by_table() const;

  Database* database_;
  Options options_;
  record::Reader reader_;
  std::vector<TableColumn> columns_;
  std::string schema_version_;
  Statement keep_;
  Statement kept_;
  std::map<std::string, Statement> inserts_;  ///< by the columns that are left to their defaults
};

}  // namespace semel::sqlite
