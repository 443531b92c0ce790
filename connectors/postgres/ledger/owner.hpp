// The owner's row: taking it over, entering partitions under it, keeping it alive, leaving it. Each
// is one message, so that a process that is frozen never holds its locks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <semel/sink.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/session/shared.hpp"

namespace semel::postgres {

/// Raises the epoch, then reads: see Sink::take_over. The ledger tables must exist.
Result<TakenOver> take_over(Connection& connection, const Shared& shared,
                            const std::string& cluster_id);

/// See Sink::enter. `epoch` is the one that take_over gave.
Result<EnterResult> enter(Connection& connection, const Shared& shared, std::int64_t epoch,
                          std::span<const Progress> starts);

/// See Sink::keep_alive.
Result<Alive> keep_alive(Connection& connection, const Shared& shared, std::int64_t epoch);

/// Marks the owner as stopped, or as failed with a reason (never a secret), so that nobody need
/// wait. Best effort, bounded.
void say_goodbye(Connection& connection, const Shared& shared, std::int64_t epoch,
                 const std::optional<std::string>& failure) noexcept;

/// See Sink::trim.
Result<bool> trim(Connection& connection, const Shared& shared);
/// The same of dead letters that are older than options.keep_dead_letters_hours; said in the log.
Result<bool> trim_letters(Connection& connection, const Shared& shared);

/// What these send between BEGIN and COMMIT: `semel check` tries it in a transaction that it rolls
/// back.
std::string take_over_statements(const Shared& shared, const std::string& cluster_id);
std::string enter_statements(const Shared& shared, std::int64_t epoch,
                             std::span<const Progress> starts);
std::string keep_alive_statements(const Shared& shared, std::int64_t epoch);
std::string goodbye_statement(const Shared& shared, std::int64_t epoch,
                              const std::optional<std::string>& failure);
std::string trim_statement(const Shared& shared);

/// "BEGIN …;SET LOCAL …;" for a message that takes locks of the ledger.
std::string ledger_begin(const Shared& shared);

/// A condition for end_backends: who may hold the ledger of this output before it is taken over.
std::string others_before(const Shared& shared);

/// Whether the owner of a row of the owners' table writes, as an SQL expression: it did not say
/// that it ended, and was seen within five of its own heartbeats, by the server's clock. The only
/// such rule of this connector. `heartbeat_ms`: the column, or NULL where the ledger has none yet.
std::string alive_condition(std::string_view alias, std::string_view heartbeat_ms);

}  // namespace semel::postgres
