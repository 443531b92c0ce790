// The messages that hold the promises: how a transaction begins, and the one that ends it, as text;
// and the question what the ledger has.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "postgres/client/connection.hpp"
#include "postgres/client/reply.hpp"
#include "postgres/session/shared.hpp"
#include "postgres/table/table.hpp"

namespace semel::postgres {

/// "SET LOCAL …;": what types' input functions look at, and what the text of a value or of a
/// default's expression depends on. A test tries every setting that there is.
std::string_view pinned_settings();

/// A column of a SELECT that takes a time limit away for the transaction, on servers that know it.
std::string unlimited(std::string_view setting);

/// "BEGIN …;SAVEPOINT semel;SET LOCAL …;SELECT pg_backend_pid(), …". Settings are local to the
/// transaction: behind a proxy the next one may be another session.
std::string begin_message(const Shared& shared);

/// begin_message() for a transaction that will hold locks of other tables: it fails where the
/// output is not ours, and so does whatever follows in the same message. is_fenced() of the reply.
std::string begin_rows_message(const Shared& shared);
bool is_fenced(const Reply& reply);

/// What a commit writes into the ledger.
struct Advance {
  const Task* task = nullptr;
  std::optional<RecordMark> last;
  Committed counts;
  /// As the rows were encoded for them; none: none were, and what they look like does not matter.
  std::vector<const Table*> tables{};
};

/// Compare-and-set and history in one statement. Where nothing moves, a NOT NULL column of the
/// history is violated: the *server* refuses, and a COMMIT behind it in the same message is not
/// run.
std::string advance_statement(const Shared& shared, const Advance& advance);

/// The same for people to see: where nothing moves, the error says why; and only in a transaction
/// whose setting semel.range is `begun_as`. `beside`: ", name AS (…)", statements that are run with
/// it.
std::string advance_aloud(const Shared& shared, const Advance& advance, const std::string& begun_as,
                          const std::string& beside);

/// advance_statement as a prepared statement `name` of one session, for ranges encoded for `table`:
/// planning it takes the server as long as running it. Only where fits_prepared().
std::string prepare_guard(const Shared& shared, const Table& table, const std::string& name);
/// An identifier, of this owner only: should sessions be shared after all, nobody runs another's.
std::string guard_name(const Shared& shared);
bool fits_prepared(const Advance& advance);
std::string execute_guard(const Advance& advance, const std::string& name);

/// The same for several tasks of one batch, as begin() takes them: all of their rows move, or the
/// server refuses. Locked in the order of take_over_statements.
std::string advance_batch_statement(const Shared& shared, std::span<const Advance> advances);
/// Of any number of tasks; at least one was encoded for `table`.
std::string prepare_batch_guard(const Shared& shared, const Table& table, const std::string& name);
std::string batch_guard_name(const Shared& shared);
std::string execute_batch_guard(std::span<const Advance> advances, const std::string& name);

/// "RELEASE SAVEPOINT semel;…;<advance>;COMMIT": outside the transaction that begin_message opened,
/// RELEASE fails and nothing else is run. `advance`: advance_statement() or execute_guard().
std::string final_message(const std::string& advance);

/// For a ledger that moved before the rows came (at most once): adds what is known only now.
std::string complete_statement(const Shared& shared, const Advance& advance);

/// Did advance_statement's compare-and-set match nothing?
bool is_refusal(const ServerError& error, const LedgerTables& tables);

/// "pipeline = '…' AND output = '…'", with `alias` ("p.") before each.
std::string mine(const Owner& owner, std::string_view alias = "");
std::string mine(const Shared& shared, std::string_view alias = "");

/// A query for the LedgerEntry of the owner, without any progress.
std::string entry_query(const Shared& shared);
/// unavailable on a standby: what it says may be old.
Result<LedgerEntry> read_entry(const Rows& rows, const Shared& shared, std::size_t row = 0);

/// Asks on `connection`, outside a transaction. Of each task's partition, in their order, all of
/// one moment.
Result<std::vector<LedgerEntry>> ask_entries(Connection& connection, const Shared& shared,
                                             std::span<const Task> tasks);

}  // namespace semel::postgres
