// The contract of a sink: where rows and offsets become one fact. Implement Sink, SinkSession and
// Ledger (ledger.hpp), and run the cases of contract.hpp against them.
#pragma once

#include <compare>
#include <cstddef>
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
#include <semel/record.hpp>
#include <semel/types.hpp>

namespace semel {

/// What a sink can promise as it is configured. Each is held to it by contract::cases().
enum class Guarantee : std::uint8_t {
  none,        ///< records of a range may be stored again, or left out, where something fails
  idempotent,  ///< rows may be there before the ledger moves; written again, they are the same rows
  transactional,  ///< rows, dead letters and ledger are one fact: what exactly once rests on
};

/// A batch that one of several outputs behind a sink has already, and another one has not.
struct PendingBatch {
  BatchTime time;                   ///< of the batch: later than what its partitions moved by
  std::vector<OffsetRange> ranges;  ///< all of it, each from where its partition stands
};

/// What a take-over found, read after the epoch was raised.
struct TakenOver {
  std::int64_t epoch = 0;          ///< that is ours now
  std::vector<Progress> progress;  ///< of every partition the ledger knows for this output
  BatchTime highest_batch_time;    ///< in the history or the progress; plan strictly above it
  std::string cluster_id;          ///< the Kafka cluster recorded before; empty at the first start
  std::string previous_owner;      ///< description of the owner that was fenced; empty: none,
                                   ///< it was we, or it had left
  std::vector<std::string>
      notes;  ///< what people should know, e.g. that a zombie could not be ended
  /// To be done before anything else, exactly so. A sink over one ledger has none.
  std::optional<PendingBatch> pending{};
};

/// What the ledger says of one partition of an output, and of the output's owner. What judges a
/// commit that was refused or is in doubt.
struct LedgerEntry {
  std::optional<Offset> until;    ///< absent: the partition has no row
  std::int64_t epoch = -1;        ///< of the output's owner row; -1: the row is missing
  std::string owner;              ///< UUID in the output's owner row
  std::string owner_description;  ///< who that is, for people
  std::string since;              ///< when it took over, for people
  BatchTime batch_time;           ///< of the move that led to `until`
};

/// Whether the ledger lets `task` commit: what a sink's compare-and-set demands, asked before there
/// is anything to commit. `entry` is of the task's partition.
SEMEL_API bool allows(const LedgerEntry& entry, const Task& task, const Owner& owner);

/// What a keep-alive reads, in one snapshot.
struct Alive {
  LedgerEntry ledger;              ///< of the owner; `until` is absent
  std::vector<Progress> progress;  ///< of every partition the ledger knows for this output
};

/// Each record of a range is counted once: as a row, a dead letter, ignored or suppressed.
struct Committed {
  std::uint64_t rows = 0;            ///< stored
  std::uint64_t dead_letters = 0;    ///< set aside, by the sink or by set_aside()
  std::uint64_t unknown_fields = 0;  ///< members without a column that were left out
  std::uint64_t ignored = 0;         ///< records left out by policy (tombstones)
  std::uint64_t suppressed = 0;  ///< accepted, and not stored by the sink's own will (a trigger)
  /// The dead letters by the sink's code for what is wrong with them, or that of the objection, ""
  /// where there is none; together no more than there are dead letters.
  std::map<std::string, std::uint64_t> dead_letter_codes{};
  std::string unknown_field{};  ///< the first of those members; empty: the sink does not tell
};

/// The sink refused the compare-and-set of one task; nothing of any task of the transaction was
/// written. `ledger` was read afterwards.
struct Refused {
  LedgerEntry ledger;    ///< of the partition of the task that was refused
  std::size_t task = 0;  ///< which of begin()'s tasks that is; of several the first. 0 for enter()
};

/// What became of a transaction: all of its tasks, in the order of begin(); or none.
using CommitResult = std::variant<std::vector<Committed>, Refused>;

/// Where the ledger has the partitions that were entered, or who has taken over.
using EnterResult = std::variant<std::vector<Progress>, Refused>;

/// Where a task's range ended, known only after it has been read.
struct RangeEnd {
  std::optional<RecordMark> last;  ///< the last record of the range; the task's `last` if it had
                                   ///< none; absent behind a range that was lost
};

/// Why a record is bad, as somebody says who has read it before the sink. Borrows.
struct Objection {
  /// For the dead letter, and whoever looks at it: any text, which may have values of the record. A
  /// sink cuts it as it cuts reasons of its own, and makes text of what is none.
  std::string_view reason;
  /// The same for logs and errors, which have nothing of a record in them: "stage prices". Empty:
  /// they say only that there was an objection.
  std::string_view told{};
  /// One of few, in ASCII, for whoever counts and looks for them; cut behind 20 bytes. Empty: there
  /// is none.
  std::string_view code{};
};

/// Which state of a stream's pipeline it is. Each batch that is computed names the state that it
/// leads to; what is computed again has another name.
struct StateVersion {
  BatchTime time{};        ///< of the batch; 0: the state before the first one
  std::uint64_t name = 0;  ///< random, below 2^63; 0: the state before the first batch

  auto operator<=>(const StateVersion&) const = default;  ///< by time first
};

/// A row of the state. Borrows.
struct StateRow {
  std::string_view key;                   ///< any bytes, one or more
  std::optional<std::string_view> value;  ///< any bytes; absent: there is no such key any more
};

/// How a transaction changes the state. Borrows.
struct StateChange {
  StateVersion version;            ///< of the state behind it, which is later than the one before
  std::span<const StateRow> rows;  ///< in the order of the bytes of their keys, each once
  bool all = false;  ///< these are all rows: what else is there goes, and versions of before, too
};

/// What Sink::read_state() found.
struct StateRead {
  StateVersion version;  ///< of the state
  bool all = false;      ///< its rows are all that there are; else those that have changed
};

/// Writes one transaction after the other: one task, or several tasks of one batch that become one
/// fact. Not thread safe: one executor uses it. Order of calls: begin, (write | set_aside)*,
/// commit | abort, begin, ... After any error the session has rolled back all of the transaction,
/// and the caller calls abort() before anything else. A session reconnects by itself in begin(),
/// never later.
class SEMEL_API SinkSession {
 public:
  virtual ~SinkSession() = default;

  /// May connect and learn what the first begin() needs, before there is a task: a restart waits
  /// for it. What fails here is begin()'s to report. Called once, before anything else, if at all.
  /// A session that has nothing to prepare says so by an empty body.
  virtual void warm_up() noexcept = 0;

  /// Begins one transaction for `tasks`; it is open before its first row is written. At least one
  /// task. Several, only of a sink that is transactional (Sink::guarantee), are of one batch: they
  /// agree in time, epoch, isolate and last_resort, load (a lost range is a transaction of its
  /// own), and are of different partitions, in ascending order of these: so locks of the ledger are
  /// taken in one order by everybody. `tasks` is copied. Isolating tasks read the ledger first and
  /// may find there that a range is not their own any more: then the result is the Refused that
  /// commit would give.
  virtual Result<std::optional<Refused>> begin(std::span<const Task> tasks) = 0;

  /// Encodes and streams records of the range of the task with the index `task` in begin()'s
  /// `tasks`. Any number of calls, in the order of the tasks, and of offsets within one; a task
  /// without records needs none. Errors are of the whole transaction, and may be of what was
  /// written before: bad_data (try again with Task::isolate), unavailable, retriable, fatal;
  /// in_doubt where the output may not be ours any more (the caller asks Sink::resolve): a zombie
  /// must not go on holding locks.
  virtual Result<void> write(std::size_t task, std::span<const Record> records) = 0;

  /// One record of that range, which whoever calls has found to be bad: a dead letter of this
  /// transaction, and no row. It is kept as those that the sink itself finds bad, and under the
  /// same policy, which may stop the pipeline: an error here, or of commit(). Nothing in it is
  /// looked at: any record can be set aside. Counted in Committed::dead_letters, and under the
  /// objection's code in dead_letter_codes. A sink without a place for dead letters counts it, and
  /// says in its log that it was left out.
  /// It takes its turn among the records of write(), in the order of tasks and offsets. One that is
  /// not behind all that were written and set aside in this transaction, or not of the range, is
  /// the caller's mistake: fatal. So nothing is set aside twice, or beside its own row. Else errors
  /// as write(). Who begins the range again, isolating or not, objects again.
  virtual Result<void> set_aside(std::size_t task, const Record& record,
                                 const Objection& objection) = 0;

  /// Only where the sink is the home of a state: how the transaction changes it. Between begin()
  /// and commit(), once; what it borrows from is not needed afterwards. It becomes one fact with
  /// the rows, by commit(). Errors as write().
  virtual Result<void> change_state(const StateChange& /*change*/) {
    return fail(ErrorKind::fatal, Cause::internal, "this sink is the home of no state");
  }

  /// Rows, dead letters and the ledger's rows of all tasks become one fact, or nothing does. One
  /// end per task, in their order. Refused where the ledger refuses one task or more.
  /// Errors as write(), and in_doubt: the reply was lost; the caller asks Sink::resolve.
  virtual Result<CommitResult> commit(std::span<const RangeEnd> ends) = 0;

  /// Drops whatever is open. Safe to call at any time, more than once.
  virtual void abort() noexcept = 0;
};

/// One per output, shared by the executors: every member may be called from any thread. Calls block
/// on the network; none waits on another owner for ever.
class SEMEL_API Sink {
 public:
  virtual ~Sink() = default;

  /// What it promises as it is configured. Never changes.
  virtual Guarantee guarantee() const = 0;

  /// How long one call may wait for a server that says nothing, before it fails by itself: who
  /// takes minutes longer hangs.
  virtual std::int64_t patience_ms() const = 0;

  /// Fence, then read: raises the epoch and writes our id, ends the previous owner's sessions,
  /// and only then reads the progress. Makes the ledger tables where they are missing and it may.
  /// `cluster_id` is recorded where none was. Where another one is, nothing is changed and nobody
  /// is fenced: TakenOver::cluster_id says which, and the rest means nothing. A partition whose
  /// history is there and whose position is gone, though no Ledger::reset() forgot it, is not begun
  /// anew: fatal, Cause::sink, "the ledger is not whole", with the partition and where its history
  /// ends ("clicks:3=15"), which Ledger::set() needs to mend it.
  virtual Result<TakenOver> take_over(const std::string& cluster_id) = 0;

  /// Writes where partitions begin that the ledger does not know, if the epoch is still ours.
  /// Rows that exist stay as they are. Each new one is a move (MoveKind::start), of the batch time
  /// that is given or the latest that the history has of the partition, whichever is later: behind
  /// a reset there is such a history. What the ledger has of these partitions afterwards; or
  /// Refused: another owner has taken over, nothing was written.
  virtual Result<EnterResult> enter(std::span<const Progress> starts) = 0;

  /// Ends our own session that left the commit of `tasks` (as begin() had them) in doubt, waits
  /// until it is gone, and reads the ledger on a new connection to a primary: the answer is final.
  /// One entry per task, in their order, all of one snapshot.
  virtual Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) = 0;

  /// Tells the ledger that we are alive, and reads who owns the output and where it stands: a
  /// ledger that went back (failover, restored backup) is noticed by idle pipelines, too.
  virtual Result<Alive> keep_alive() = 0;

  /// Removes rows of history older than the configured age, some at a time. True: there is more.
  virtual Result<bool> trim() = 0;

  /// A session for one executor; it need not connect yet. It does not outlive the sink.
  virtual Result<std::unique_ptr<SinkSession>> open_session() = 0;

  /// From now on the output is the home of what a stream's pipeline remembers: its sessions take
  /// SinkSession::change_state(). Before the first take_over(), if at all. False: this sink cannot,
  /// and nothing has changed; only one that is transactional can.
  virtual bool become_home() noexcept { return false; }

  /// Is given rows of the state.
  using SeeState = std::function<Result<void>(const StateRead& read, std::span<const StateRow>)>;

  /// The state at its home, version and rows of one snapshot; after take_over(). Where `since` is
  /// the version of a state that it was, as far as the history is kept (as long as moves are), the
  /// rows that have changed since, also those whose keys are gone; else all rows that are there.
  /// `see` is given them in pieces, in any order, with what is returned in the end; what it fails
  /// with is returned at once. Before the first change: StateVersion(), and no rows.
  virtual Result<StateRead> read_state(const StateVersion& /*since*/, const SeeState& /*see*/) {
    return fail(ErrorKind::fatal, Cause::internal, "this sink is the home of no state");
  }

  /// Tells the ledger that the owner ends: in good order, or by `failure` (no secret in it). The
  /// last call, also after interrupt(); best effort, within a few seconds.
  virtual void leave(const std::optional<std::string>& failure) noexcept = 0;

  /// Makes every blocking call of this sink and its sessions return soon, with an error (a second
  /// signal, a fenced owner), and every later begin() fail; open_session() still gives one. Thread
  /// safe.
  virtual void interrupt() noexcept = 0;
};

}  // namespace semel
