// The ledger for transactions of the user's own: of a Setup without a table.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <semel/consumer.hpp>

#include "store/setup.hpp"
#include "store/sql.hpp"

namespace semel::store {

class LedgerOfStore : public TransactionLedger {
 public:
  virtual const Setup& setup() const = 0;
};

Result<std::unique_ptr<TransactionLedger>> make_ledger(Setup setup);

/// The ledger of a range, where it is one of this kind ("SQLite"); else throws Failed.
const Setup& setup_of(const Range& range, std::string_view kind);

/// The guard and the move, in an open transaction for writing. What the ledger has, where it
/// refuses; nothing is changed then. Gives the store's errors.
Result<std::optional<LedgerEntry>> advance(Store& store, const Owner& owner, const RangeMove& move);

/// Into begun(). Where the advance would not fit it violates NOT NULL, and where a transaction of
/// the partition was committed without an advance, the key; both roll the transaction back.
std::string begin_text(const Dialect& dialect, const Owner& owner, const Task& task);

/// Statements that move the ledger by compare-and-set: where it does not fit, the first of them
/// violates NOT NULL, and that rolls the transaction back, whoever looks at the answer or not.
/// `now`: ISO 8601. `with_begin`: only in a transaction that has run begin_text().
std::string advance_text(const Dialect& dialect, const Owner& owner, const RangeMove& move,
                         const std::string& now, bool with_begin);

}  // namespace semel::store
