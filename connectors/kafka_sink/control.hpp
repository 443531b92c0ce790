// The transactions of an owner that are none of a task, and how somebody becomes the owner.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <semel/sink.hpp>

#include "kafka_sink/shared.hpp"

namespace semel::kafka_sink {

/// Not thread safe. Calls that fail can be made again. Errors: unavailable, fatal.
class Control {
 public:
  explicit Control(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  /// Whoever else writes such transactions is fenced; the ledger is read to the end of all that is
  /// there afterwards: who owns the output, and with how many slots, is final then.
  Result<void> fence(const Stop& stop);
  /// One transaction; false: the output is not ours, nothing was written.
  Result<bool> write(const Rows& rows, const Stop& stop);

  /// After fence(): writes `rows`, whose owner becomes the owner; waits until everybody can see
  /// it, then ends whatever others have begun in any slot, and then reads the ledger to the end:
  /// what stands there is final. In this order: who is fenced and comes back reads the ledger
  /// before it writes. What somebody has left open in the ledger hides what stands behind it: then
  /// it is ended before that, too. `keep`: the producers of our slots.
  Result<void> seize(const Rows& rows, bool keep, const Stop& stop);

 private:
  Result<void> write_all(const Rows& rows, const Stop& stop);
  Result<void> begin_with_owner_id(const Stop& stop);
  Result<void> read_to_the_end(const Stop& stop);
  Result<void> wait_until_seen(const OwnerRow& owner, const Stop& stop);
  Result<bool> is_seen(const OwnerRow& owner, const Stop& stop);
  Result<std::vector<ProducerPtr>> fence_slots(int count, const Stop& stop);

  std::shared_ptr<Shared> shared_;
  ProducerPtr producer_;
};

/// Whether take_over() would go on from what is there, as far as it can be read; writes nothing.
Result<void> can_go_on(Shared& shared, const Stop& stop);

/// As Sink has it.
Result<TakenOver> take_over(Shared& shared, Control& control, const std::string& cluster_id,
                            const Stop& stop);

}  // namespace semel::kafka_sink
