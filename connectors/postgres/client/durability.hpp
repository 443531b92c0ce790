// Relations that do not share the fate of the transactions that write them: a crash empties an
// unlogged table, a foreign server commits by itself, a temporary table is one session's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>

#include "postgres/client/reply.hpp"
#include "postgres/options.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// A query of the weak parts of a relation: itself, its partitions at any depth, what a view reads.
/// `relation`: an SQL expression of its oid. Columns: oid, name, kind, as read_weak_parts() has
/// them.
std::string weak_parts_query(std::string_view relation);
std::vector<WeakPart> read_weak_parts(const Rows& rows);

/// Text that differs where the weak parts do: of those that were read, and as an SQL expression
/// that looks again. It is cheap for ordinary tables: it is part of every commit.
std::string fingerprint_of(const std::vector<WeakPart>& parts);
std::string weak_parts_fingerprint(const Table& table, std::string_view relation);

/// Fatal (Cause::sink) where `delivery` is more than the table can hold; names what it could hold.
Result<void> can_hold(const Table& table, Delivery delivery);

/// The same of the ledger's tables, which must not lose what the target keeps.
Result<void> ledger_can_hold(const std::vector<WeakPart>& parts, Delivery delivery);

}  // namespace semel::postgres
