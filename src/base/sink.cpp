#include <semel/consumer.hpp>
#include <semel/sink.hpp>

namespace semel {

bool allows(const LedgerEntry& entry, const Task& task, const Owner& owner) {
  return entry.epoch == task.epoch && entry.owner == owner.id && entry.until == task.range.from &&
         (!task.moved_by || entry.batch_time == *task.moved_by);
}

// Here, because connectors derive from it that know no consumer.
TransactionLedger::~TransactionLedger() = default;

}  // namespace semel
