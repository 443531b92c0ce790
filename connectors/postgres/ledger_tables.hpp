// The four tables of the ledger: their names, their DDL, making them.
#pragma once

#include <string>

#include <semel/error.hpp>

#include "postgres/connection.hpp"
#include "postgres/options.hpp"

namespace semel::postgres {

/// Names as they go into SQL: qualified where the schema is known, and quoted.
struct LedgerTables {
  std::string schema;  ///< unquoted; empty: not known yet
  std::string owners;
  std::string progress;
  std::string commits;
  std::string dead_letters;
  std::string commits_name;  ///< unquoted and without schema, as the server names it in an error
};

LedgerTables ledger_tables(const Options& options, const std::string& schema);

/// Finds the schema (the configured one, or the first of the search path) on `connection`.
Result<LedgerTables> locate_ledger(Connection& connection, const Options& options);

/// CREATE … IF NOT EXISTS for schema and tables; each statement ends with a semicolon and newline.
std::string create_statements(const LedgerTables& tables, bool with_schema);

/// Which of the tables exist, and what the role lacks on them; for people.
struct LedgerState {
  bool schema_exists = false;
  std::string missing;  ///< names, comma separated
  std::string lacking;  ///< privileges, comma separated: "UPDATE on semel_progress"
  bool may_create = false;
};
Result<LedgerState> inspect_ledger(Connection& connection, const Options& options,
                                   const LedgerTables& tables);

/// Makes what is missing where options.create_ledger allows it. Several may do so at once. Fatal
/// with a remedy where tables are missing and cannot be made.
Result<void> ensure_ledger(Connection& connection, const Options& options,
                           const LedgerTables& tables);

}  // namespace semel::postgres
