// The ledger for transactions of the user's own: no table of ours is written but the ledger.
#pragma once

#include <memory>
#include <string>

#include <semel/consumer.hpp>

#include "postgres/options.hpp"
#include "postgres/session/shared.hpp"

namespace semel::postgres {

/// A ledger whose statements this connector can write.
class LedgerOfOurs : public TransactionLedger {
 public:
  virtual const Shared& shared() const = 0;
  /// The database's encoding is UTF-8: it has every character.
  virtual bool utf8() const = 0;
};

/// Of options without a table. Connects once.
Result<std::unique_ptr<TransactionLedger>> make_ledger(const Options& options, const Owner& owner);

}  // namespace semel::postgres
