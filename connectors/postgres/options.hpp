// How a pipeline writes to PostgreSQL. Filled by settings.cpp; values only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <semel/types.hpp>

#include "base/log.hpp"
#include "base/setting_names.hpp"
#include "formats/formats.hpp"
#include "record/policy.hpp"
#include "record/route.hpp"
#include "record/rule.hpp"

namespace semel::postgres {

using semel::Delivery;

enum class Write : std::uint8_t {
  append,  ///< a record is a row
  upsert,  ///< of each key the last record is the row
};
/// What a row meets whose key is in the table already, under Write::append.
enum class OnConflict : std::uint8_t { bad, ignore };

/// What becomes of a member for which the table has no column.
enum class Evolve : std::uint8_t {
  none,  ///< as Policy::unknown_fields says
  add,   ///< it gets one
};

enum class EpochUnit : std::uint8_t { seconds, milliseconds, microseconds };

struct Options {
  std::string dsn;  ///< libpq connection string or URI; secret
  /// "table" or "schema.table"; never folded: quoted as written. "{1}" in it:
  /// record::fill_groups().
  std::string table;
  record::RouteRule route;  ///< which table it is for a record; `to` goes before `table`
  std::string path;         ///< of an array whose elements are the rows; empty: a record is one
  /// Instead of `table`, each with what it says of rows: a record goes to all of them that take it.
  std::vector<Options> tables;
  std::vector<std::string> also_known;  ///< no setting: members that other tables have columns for
  std::vector<std::string> also_known_inside;  ///< no setting: of an element of `path`
  std::vector<std::string> topics;             ///< no setting: those that are known to be read
  record::ColumnRules columns;  ///< column → "$.a.b", "@offset" ...; empty: members by name
  record::Policy policy;
  Write write = Write::append;
  OnConflict on_conflict = OnConflict::bad;
  std::vector<std::string> key;  ///< columns of a unique index; empty: the primary key
  std::string version;        ///< a column: a row with a lower one than the table's changes nothing
  std::string marks_removed;  ///< a column that says of a row that it was removed, which stays
  bool create = false;  ///< a table that does not exist is made, of what records have
  Evolve evolve = Evolve::none;
  std::map<std::string, std::string> types;  ///< SQL, of columns that are made: by name
  formats::FormatPtr format = formats::json();      ///< of the records' values
  formats::FormatPtr key_format = formats::json();  ///< of their keys
  EpochUnit epoch_unit = EpochUnit::milliseconds;   ///< of numbers in timestamp columns
  Delivery delivery = Delivery::exactly_once;
  bool synchronous_commit = true;
  std::int64_t connect_timeout_ms = 10'000;
  std::int64_t statement_timeout_ms = 0;  ///< 0: the server's own
  /// After so long without an answer people are told what is waited for. No setting.
  std::int64_t told_after_ms = 30'000;

  std::string ledger_schema;  ///< empty: the first schema of the search path
  // Where the configuration has none (stored: do not change).
  std::string owners_table = "semel_owners";
  std::string progress_table = "semel_progress";
  std::string commits_table = "semel_commits";
  std::string dead_letters_table = "semel_dead_letters";
  std::string begun_table = "semel_begun";                    ///< no setting
  std::string state_table = "semel_state";                    ///< no setting
  std::string state_versions_table = "semel_state_versions";  ///< no setting
  bool is_home = false;           ///< of what a stream's pipeline remembers: Sink::become_home()
  bool own_transactions = false;  ///< rows are a program's, and so is the transaction
  SettingNames names;
  Log log;
  bool accept_changed_table = false;  ///< go on into another table than the ledger knows of
  bool create_ledger = true;          ///< false: the tables must exist (`semel sql` prints them)
  std::int64_t keep_commits_hours =
      std::int64_t{24} * 7;                  ///< age at which rows of history are removed; 0: never
  std::int64_t keep_dead_letters_hours = 0;  ///< likewise dead letters
  /// Rows go by way of a temporary table: their keys decide what becomes of them.
  bool merges() const { return write == Write::upsert || on_conflict == OnConflict::ignore; }
  /// Tables, or columns of them, are made of what records have.
  bool makes() const { return create || evolve == Evolve::add; }
  /// False: rows are a program's own.
  bool writes_rows() const { return !table.empty() || !route.to.empty() || !tables.empty(); }
};

}  // namespace semel::postgres
