// The ledger's tables as text: their names, their rights, the statements that make them and that
// bring those of an earlier version up. No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "postgres/options.hpp"

namespace semel::postgres {

/// Rises with each change of the tables that a semel of before would not understand or would lack.
/// 1: the tables of before versions were counted.
constexpr int ledger_version = 3;

/// Names as they go into SQL: qualified where the schema is known, and quoted.
struct LedgerTables {
  std::string schema;  ///< unquoted; empty: not known yet
  std::string owners;
  std::string progress;
  std::string commits;
  std::string dead_letters;
  std::string letters_index;  ///< without schema: an index has its table's
  std::string begun;
  std::string state;
  std::string state_versions;
  std::string commits_name;  ///< unquoted and without schema, as the server names it in an error
};

LedgerTables ledger_tables(const Options& options, const std::string& schema);

/// What a pipeline and the operators' commands need on a table.
struct LedgerNeed {
  std::string Options::*table;
  std::vector<const char*> privileges;
};
std::vector<LedgerNeed> ledger_needs(const Options& options);

/// An expression: the version of the tables that exist, 1 where they have none; NULL where there
/// are none. From the catalogue: no right is needed, and no lock.
std::string version_expression(const LedgerTables& tables);

/// Whether the tables that are there have the columns and indexes of ledger_version.
enum class LedgerColumns : std::uint8_t {
  missing,
  letters_missing,  ///< they have; but the table of dead letters is made anew
  there,
};

/// Makes what is missing and brings what is there to ledger_version, whatever of it was done
/// before; fails where the tables are of a later version. One transaction, from BEGIN to COMMIT,
/// under a lock that all who do so take. `lock_timeout`: how long it waits for tables in use, which
/// it does where columns are missing: each transaction that reads them is waited for. `grants` are
/// statements for the end.
std::string ledger_script(const LedgerTables& tables, bool with_schema,
                          const std::string& lock_timeout,
                          LedgerColumns columns = LedgerColumns::missing,
                          const std::string& grants = "");
/// The same between BEGIN and COMMIT; each statement ends with a semicolon.
std::string ledger_statements(const LedgerTables& tables, bool with_schema,
                              const std::string& lock_timeout,
                              LedgerColumns columns = LedgerColumns::missing);

}  // namespace semel::postgres
