// The PostgreSQL connector's door: all but options.hpp is private to it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <semel/check.hpp>
#include <semel/error.hpp>
#include <semel/ledger.hpp>
#include <semel/sink.hpp>
#include <semel/types.hpp>

#include "connector/connector.hpp"
#include "postgres/options.hpp"

namespace semel::postgres {

/// The one value that the program takes: everything below, for a configured section.
Connector connector();

/// Connects once, to fail early: reads the table's columns from the catalogue and chooses encoders.
Result<std::unique_ptr<Sink>> make_sink(const Options& options, const Owner& owner);

/// For operators; takes nothing over. Fails with Cause::sink if the ledger tables do not exist.
Result<std::unique_ptr<Ledger>> open_ledger(const Options& options, const std::string& pipeline,
                                            const std::string& output);

/// The statements that make the ledger tables, with the rights a pipeline needs as comments. No
/// connection.
std::string ledger_ddl(const Options& options);

/// What the table's unique indexes make of rows that are there already.
Result<WrittenAgain> written_again(const Options& options);

/// Login, primary or standby, table, columns and types against the mapping, the ledger of `owner`
/// (its pipeline, output and what it reads count), and whatever a pipeline sends, tried in a
/// transaction that is rolled back. Never changes anything. Stops early where the rest cannot be
/// known. `sessions`: how many a pipeline would like to have; 0: nothing is said of that.
std::vector<Finding> check(const Options& options, const Owner& owner = {}, int sessions = 0);

/// What the records that `feed` has would become, in their order: encoded as they will be, and
/// offered to the table in a transaction that is rolled back. Triggers run in it. What a rollback
/// leaves, stays: numbers taken from sequences, and what triggers do outside the database.
Result<std::vector<SampledRecord>> sample(const Options& options, const RecordFeed& feed);

/// The statements that would make tables, and columns of them, for the records that `feed` has, as
/// `create` and `evolve` would; empty: none are needed. Changes nothing.
Result<std::string> table_sql(const Options& options, const RecordFeed& feed);

}  // namespace semel::postgres
