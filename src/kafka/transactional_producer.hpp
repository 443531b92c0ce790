// Writes records in transactions: all of them are read, or none. Nobody but who has the
// transactional id can: fence() ends what others began with it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>

#include "kafka/options.hpp"
#include "kafka/stop.hpp"

namespace semel::kafka {

/// Views, borrowed for the call that is given them.
struct Outgoing {
  static constexpr std::int32_t by_key = -1;

  std::int32_t partition = by_key;  ///< by_key: as Kafka's own clients choose it
  std::int64_t timestamp_ms = -1;   ///< -1: now
  std::optional<std::string_view> key{};
  std::optional<std::string_view> value{};
  std::span<const Header> headers{};
  std::uint64_t tag = 0;  ///< comes back with a refusal
};

/// A broker took no offence at the sender, and will not have this record.
struct RefusedRecord {
  std::uint64_t tag = 0;
  std::string code;  ///< as Kafka names it
  std::string reason;
};

/// One thread uses it. After an error of anything but begin() it is of no use any more: whoever
/// goes on makes a new one. `stop`: see Stop.
///
/// Errors: unavailable; bad_data (a broker refuses a record, see refused()); in_doubt (of commit():
/// it may have happened; of others: the id may be somebody else's by now); fatal.
class TransactionalProducer {
 public:
  /// Asks nobody.
  static Result<std::unique_ptr<TransactionalProducer>> create(
      const Options& options, const std::string& name, const TransactionOptions& transactions);
  /// Does not wait for what was not committed.
  ~TransactionalProducer();
  TransactionalProducer(const TransactionalProducer&) = delete;
  TransactionalProducer& operator=(const TransactionalProducer&) = delete;

  /// Ends what was begun with the same id: a transaction that is being committed is committed, any
  /// other aborted, both to the last marker; whoever began it can write nothing more. Once, first.
  Result<void> fence(int timeout_ms, const Stop& stop);

  /// What send() calls a topic; asks nobody.
  std::size_t topic(const std::string& name);

  Result<void> begin();
  /// Waits while too much is on its way (TransactionOptions::queue_bytes_max).
  Result<void> send(std::size_t topic, const Outgoing& record, const Stop& stop);
  /// Waits until brokers have all records: what fails until here is no doubt.
  Result<void> flush(int timeout_ms, const Stop& stop);
  /// The transaction has at least one record. flush(), and the end.
  Result<void> commit(int timeout_ms, const Stop& stop);
  /// False: this one is of no use any more. Safe where nothing was begun.
  bool abort(int timeout_ms) noexcept;

  /// Of the last transaction.
  const std::vector<RefusedRecord>& refused() const;
  bool one_by_one() const;

 private:
  struct Impl;
  explicit TransactionalProducer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::kafka
