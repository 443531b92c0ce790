// The PostgreSQL connector's door: everything else in this folder is private to it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <semel/error.hpp>
#include <semel/ledger.hpp>
#include <semel/sink.hpp>
#include <semel/types.hpp>

#include "postgres/options.hpp"

namespace semel::postgres {

/// Connects once, to fail early: reads the table's columns from the catalogue and chooses encoders.
Result<std::unique_ptr<Sink>> make_sink(const Options& options, const Owner& owner);

/// For operators; takes nothing over. Fails with Cause::sink if the ledger tables do not exist.
Result<std::unique_ptr<Ledger>> open_ledger(const Options& options, const std::string& pipeline,
                                            const std::string& output);

/// The statements that make the ledger tables, with the rights a pipeline needs as comments. No
/// connection.
std::string ledger_ddl(const Options& options);

/// One line of `semel check`.
struct Finding {
  bool ok = false;
  std::string what;    ///< "login as app to shop", "column clicks.amount (numeric)"
  std::string remedy;  ///< what to do; empty when ok
};

/// Login, primary or standby, table, columns and types against the mapping, privileges, ledger
/// tables. Never changes anything. Stops early where the rest cannot be known.
std::vector<Finding> check(const Options& options);

}  // namespace semel::postgres
