// Your own transaction: records are pulled range by range, and the ledger's move is part of the
// transaction that stores what came of them. <semel/postgres.hpp>, <semel/sqlite.hpp> and
// <semel/rocksdb.hpp> say how.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <semel/api.hpp>
#include <semel/error.hpp>
#include <semel/failed.hpp>
#include <semel/log.hpp>
#include <semel/record.hpp>
#include <semel/sink.hpp>
#include <semel/types.hpp>

namespace semel {

/// One end of a partition: its first record that Kafka still has, or behind its last one.
enum class StartAt : std::uint8_t { earliest, latest };
/// The first record at or after a moment.
struct StartAtMoment {
  std::int64_t ms = 0;  ///< since the Unix epoch
};
/// Where a topic begins that the ledger does not know; what the ledger knows always wins. A map
/// needs an offset for every partition.
using ConsumerStart = std::variant<StartAt, StartAtMoment, std::map<TopicPartition, Offset>>;

/// What a DirectConsumer reads, and how.
struct ConsumerOptions {
  /// Names the position in the ledger. One consumer at a time has a name: who starts later takes
  /// over, and the one before it can commit nothing any more. Letters, digits and . _ - only, at
  /// most 200.
  std::string pipeline;
  /// A second position under the same name. Letters, digits and _ - only, at most 63.
  std::string output = "default";
  std::string brokers;                      ///< "host:port", comma separated
  std::vector<std::string> topics;          ///< exact names; either this or `topic_pattern`
  std::string topic_pattern;                ///< regular expression (ECMAScript) for the whole name
  ConsumerStart start = StartAt::earliest;  ///< where the ledger knows no position
  bool read_uncommitted = false;            ///< also what transactions have not committed
  bool once = false;                        ///< done() at the ends that are seen first
  /// Where records are gone before they were read: record what was lost and go on, instead of
  /// ending with an error.
  bool skip_lost = false;
  std::int64_t interval_ms = 250;              ///< how often Kafka is asked, once all is read
  std::int64_t max_records_per_range = 10'000; /**< offsets of one range at most: what a transaction
                                                  holds, and what is read again after a failure */
  int ranges_in_hand = 1;  ///< of different partitions, at once; each has a reader of its own
  int max_failures = 8;    ///< of one range in a row, after which next() ends with an error
  std::int64_t startup_timeout_ms = 30'000;      ///< how long servers may be away at the start
  std::int64_t no_progress_timeout_ms = 60'000;  ///< a range that yields nothing is tried again
  std::int64_t long_in_hand_ms = 300'000;  ///< a range in hand for longer is told in the log, once
  std::int64_t heartbeat_ms = 10'000;      ///< how often the ledger is told that we live; by next()
  std::int64_t memory_bytes = 128ll << 20;  ///< for records fetched ahead, of all readers
  bool commit_group_offsets = true;  ///< show the position to Kafka's lag tools; never read back
  std::string group_id;              ///< under which it is shown; empty: the pipeline's name
  std::map<std::string, std::string> librdkafka;  ///< passed through; some are refused by name
  LogCallback log;                                ///< empty: warnings go to standard error
  LogLevel log_level = LogLevel::info;            ///< and above
};

/// The ledger that a user's own transactions move. Every member as in Sink.
class SEMEL_API TransactionLedger : public Sink {
 public:
  ~TransactionLedger() override;
  /// What the ledger has of each task's partition, of one moment, on a connection that is open
  /// already; ends nothing.
  virtual Result<std::vector<LedgerEntry>> look(std::span<const Task> tasks) = 0;
  /// Whether an open transaction of the user's keeps the ledger from being written: then nothing is
  /// told to it while a range is read.
  virtual bool one_writer() const = 0;
};

/// For whom a ledger is made, and where it says what people should know.
struct LedgerContext {
  Owner owner;      ///< with an id that nobody had before
  LogCallback log;  ///< the consumer's; may be called as long as the consumer lives
};

/// Makes the ledger once the owner is known: postgres::ledger() and its like return one. Called by
/// start() or the first next(), again after a failure. A null pointer is a fatal error.
using LedgerFactory =
    std::function<Result<std::unique_ptr<TransactionLedger>>(const LedgerContext&)>;

/// A record that could not be stored, as its dead letter will have it. A copy.
struct BadRecordCopy {
  Offset offset = 0;                 ///< in the range's partition
  std::int64_t timestamp_ms = -1;    ///< Kafka's; -1 where the record has none
  std::optional<std::string> key;    ///< as in Record
  std::optional<std::string> value;  ///< as in Record
  std::string headers;               ///< as JSON; empty: none
  std::string reason;                ///< for people
};

/// What the ledger's move of a range consists of.
struct RangeMove {
  Task task;                       ///< partition, offsets, batch time, and by which owner
  std::optional<RecordMark> last;  ///< the last record; that before the range where it had none
  std::uint64_t rows = 0;  ///< records that were given out and are not bad, whatever the program
                           ///< makes of them; `semel status` and the history show it
  std::vector<BadRecordCopy> dead_letters;  ///< in the order in which they were said
};

namespace consumer {
class Core;
struct Hand;
}  // namespace consumer

/// One range of one partition in the user's hand: read it to its end, store what came of it,
/// advance the ledger in the same transaction, commit, say committed(). A Range that is destroyed
/// before that is settled by the next DirectConsumer::next(): the ledger is asked whether it was
/// committed, and if it was not, the range comes again. The destructor itself waits for nothing.
///
/// For one thread at a time, which may be another one than the consumer's: with several ranges in
/// hand, each can have a thread and a connection of its own. The consumer has to outlive its use.
/// May be moved; each call on what was moved from throws Failed, and so does each on a range whose
/// consumer was destroyed.
class SEMEL_API Range {
 public:
  /// `other` is empty afterwards.
  Range(Range&& other) noexcept;
  /// What this was is let go, as by its destructor; `other` is empty afterwards.
  Range& operator=(Range&& other) noexcept;
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
  ~Range();

  /// Partition, offsets [from, until) and batch time. Valid as long as this object.
  const Task& task() const;
  /// Of task(): [from, until).
  const OffsetRange& offsets() const { return task().range; }

  /// The next records, in order, at least one; nothing at the range's end. The views are valid
  /// until the next call of anything on this Range or its consumer. Waits for Kafka; where `wait`
  /// is given, no longer than that, and the span is empty where nothing came. Throws Failed where
  /// the range cannot be read: roll back, destroy it, and call DirectConsumer::next(), which tries
  /// again or says what is to be done.
  std::optional<std::span<const Record>> next(
      std::optional<std::chrono::milliseconds> wait = std::nullopt);

  /// `record`, one of those that next() has given out last (or a copy of that Record), becomes a
  /// dead letter: it is kept with the reason (for people; cut at 1,000 bytes) in the ledger's table
  /// by the same transaction that advances. Copies it. Throws Failed for any other record, once the
  /// advance was made (move()), and beyond 64 MiB of dead letters.
  void bad(const Record& record, std::string_view reason);

  /// The transaction with the advance is committed, as the store has said. Forget the range. Throws
  /// Failed where the ledger was not moved: the advance was forgotten, and rows may be stored
  /// without their offsets; then the consumer has ended, since going on would store them again.
  void committed();

  /// Asks the ledger whether the range is committed, after the answer to a commit was lost: ends
  /// the session that is in doubt, if there is one. True: it is, and committed() is said. False:
  /// failed() is said. Throws Failed where it cannot be asked now (the next DirectConsumer::next()
  /// asks again).
  bool settle();

  /// The transaction is over, or will not be committed: forget the range, which comes again once
  /// the ledger says that it was not. `why` is for people, in the log and in the error that ends
  /// the consumer after max_failures times; empty: what the exception says that is being handled.
  /// Whoever lets a range go without it gives no reason there. Nothing where it is over already.
  void failed(std::string_view why = {}) noexcept;

  /// The store has refused the commit since another transaction was faster or has a lock, and
  /// nothing is stored: forget the range, which comes again at once. As failed(), but only each
  /// 100th in a row counts for max_failures. `why` is for people. Nothing where it is over already.
  void conflicted(std::string_view why) noexcept;

  /// For ledgers: what has to be written, and where; bad() is over then. Throws Failed before the
  /// range was read to its end, since the records that were not read would be lost.
  const RangeMove& move() const;
  /// The ledger that the range is recorded in; lives as long as the consumer.
  TransactionLedger& ledger() const;

 private:
  friend class consumer::Core;
  explicit Range(std::shared_ptr<consumer::Hand> hand);
  std::shared_ptr<consumer::Hand> hand_;
};

/// Reads topics of Kafka range by range, for transactions that its user begins and commits. Has no
/// thread but librdkafka's, no state directory and no global state. A restart, also after a kill,
/// goes on from the ledger; ranges are planned anew then, and what was not committed comes again.
///
/// For one thread at a time, except for request_stop(): a call while another one is under way
/// throws Failed. Its ranges may be with other threads meanwhile. Not for use after fork(): each
/// call throws Failed then, and the destructor leaves everything to the parent.
class SEMEL_API DirectConsumer {
 public:
  /// Connects to nothing yet. Throws Failed (Cause::configuration) for options that cannot be.
  DirectConsumer(ConsumerOptions options, LedgerFactory ledger);
  /// Takes leave of the ledger; waits for servers for some seconds at most. Ranges that are still
  /// in hand are dead afterwards.
  ~DirectConsumer();
  /// Ranges in hand go on with the new one. What was moved from throws Failed when it is used.
  DirectConsumer(DirectConsumer&&) noexcept;
  /// What this was takes leave, as by its destructor.
  DirectConsumer& operator=(DirectConsumer&&) noexcept;

  /// Takes over the pipeline's position now; otherwise the first next() does. Waits for servers for
  /// startup_timeout_ms at most. Throws Failed as next().
  void start();

  /// The next range; nothing after `wait`, or as soon as done(). All else is done in here: asking
  /// Kafka, settling what is in doubt, telling the ledger that we live. So it may take longer than
  /// `wait` where a server is slow: each question is bounded, by 5 s for Kafka, for the ledger by
  /// its own time-outs. While ranges_in_hand are in hand, nothing comes.
  /// Throws Failed for what only people can mend: another owner has taken over (Cause::fenced),
  /// data is lost (Cause::data_loss), a topic or right is missing, a range failed max_failures
  /// times. From then on each call throws the same. An outage is no error: next() returns nothing,
  /// and what is told of it goes to the log.
  std::optional<Range> next(std::chrono::milliseconds wait);

  /// A file descriptor, the consumer's own, that is readable when next(0 ms) or Range::next(0 ms)
  /// may have something to do. For poll() and epoll; do not read it. As long as the consumer.
  int poll_fd() const;

  /// No more ranges come: those in hand may be finished, and next() returns nothing then. Any
  /// thread, more than once; from a signal handler, too.
  void request_stop() noexcept;

  /// Stopped, or (`once`) all is committed up to the ends that were seen first.
  bool done() const;

  /// Offsets between what is committed and where Kafka ended when it was asked last.
  std::int64_t lag() const;

 private:
  std::shared_ptr<consumer::Core> core_;
};

}  // namespace semel
