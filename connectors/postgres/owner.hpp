// The owner's row: taking it over, entering partitions under it, keeping it alive, leaving it. Each
// is one message, so that a process that is frozen never holds its locks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <semel/sink.hpp>

#include "postgres/connection.hpp"
#include "postgres/shared.hpp"

namespace semel::postgres {

/// Fence, then read: see Sink::take_over. The ledger tables must exist.
Result<Claim> take_over(Connection& connection, const Shared& shared,
                        const std::string& cluster_id);

/// See Sink::enter. `epoch` is the one that take_over gave.
Result<EnterResult> enter(Connection& connection, const Shared& shared, std::int64_t epoch,
                          std::span<const Progress> starts);

/// See Sink::keep_alive.
Result<Alive> keep_alive(Connection& connection, const Shared& shared, std::int64_t epoch);

/// Marks the owner as stopped in good order, so that operators need not wait. Best effort.
void say_goodbye(Connection& connection, const Shared& shared, std::int64_t epoch) noexcept;

/// See Sink::trim.
Result<void> trim(Connection& connection, const Shared& shared);

/// What these send between BEGIN and COMMIT: `semel check` tries it in a transaction that it rolls
/// back.
std::string take_over_statements(const Shared& shared, const std::string& cluster_id);
std::string enter_statements(const Shared& shared, std::int64_t epoch,
                             std::span<const Progress> starts);
std::string keep_alive_statements(const Shared& shared, std::int64_t epoch);
std::string goodbye_statement(const Shared& shared, std::int64_t epoch);
std::string trim_statement(const Shared& shared);

/// "BEGIN …;SET LOCAL …;" for a message that takes locks of the ledger.
std::string ledger_begin();

/// A subquery of one row per partition that the trail knows, (topic, "partition"): by index,
/// however long the trail is.
std::string trail_partitions(const Shared& shared);

}  // namespace semel::postgres
