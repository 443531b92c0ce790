// Tests of a stream's pipeline: with partitions, batches, crashes and a virtual clock; without
// Kafka, servers, files and threads, and with whatever test framework there is.
//
//   semel::testing::Trial trial(word_count);  // void word_count(semel::stream::Pipeline&)
//   trial.topic("lines", 4);
//   trial.produce("lines", 0, {.value = "to be"});
//   trial.run_batch();
//   trial.values("totals");  // {"word":"to","total":1}, {"word":"be","total":1}
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <semel/api.hpp>
#include <semel/error.hpp>
#include <semel/json.hpp>
#include <semel/log.hpp>
#include <semel/stream.hpp>
#include <semel/types.hpp>

namespace semel::testing {

/// A record as a producer sends it.
struct Produced {
  std::optional<std::string> key{};            ///< absent and empty differ
  std::optional<std::string> value{};          ///< absent: a tombstone
  std::optional<std::int64_t> timestamp_ms{};  ///< absent: of the virtual clock
  /// In order; names need not be unique, and values may be absent.
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
};

/// A row that is committed.
struct Row {
  TopicPartition tp;                 ///< of its record; batches_topic: it is of a whole batch
  Offset offset = 0;                 ///< of its record; of a whole batch, one that no other row has
  std::int64_t timestamp_ms = 0;     ///< of its record, or the batch's time
  std::optional<std::string> key{};  ///< absent and empty differ
  std::optional<std::string> value{};  ///< absent: a tombstone

  bool operator==(const Row&) const = default;  ///< in all members
};

/// What was set aside, and is committed.
struct DeadLetter {
  Row record;          ///< what is bad; of an aggregate, its key
  std::string reason;  ///< "stage prices: no price"

  bool operator==(const DeadLetter&) const = default;  ///< in all members
};

/// Where a process dies, in the order in which it comes by. What is not passed in a batch (there is
/// no state, say) kills nobody.
enum class Place : std::uint8_t {
  took_over,           ///< a start: the outputs are ours, nothing is planned
  entered_partitions,  ///< a start: one more output knows where new partitions begin
  planned,             ///< a batch is planned, its plan is not on disk
  persisted_plan,      ///< the plan is on disk
  began,               ///< one more output's transaction is open; no record is read yet
  wrote_rows,          ///< the functions are done, all rows are written; nothing of them stays yet
  prepared_state,      ///< what the batch changes in the state is on disk; no output has the batch
  committed_output,    ///< one more output has the batch; the others may not
  committed_outputs,   ///< all have it; the state does not
  applied_state,       ///< the state has it
  settled,             ///< the plan is still on disk
  forgot_plan,         ///< all is done
};

/// Each place once, in order.
SEMEL_API std::span<const Place> all_places();
/// "prepared_state"
SEMEL_API std::string_view to_string(Place place);
/// The same.
SEMEL_API std::ostream& operator<<(std::ostream& out, Place place);

/// How a commit of an output fails. The process lives, and tries again.
enum class Trouble : std::uint8_t {
  unavailable,   ///< the output does not answer before: nothing is committed
  lost_request,  ///< nothing is committed, and it is in doubt
  lost_reply,    ///< it is committed, and it is in doubt
};

/// "lost_reply"
SEMEL_API std::string_view to_string(Trouble trouble);

/// What became of a batch.
enum class Ran : std::uint8_t {
  nothing,  ///< there was none: no records, and no state that moves on by time
  batch,    ///< every output has it
  died,     ///< crash_at(): the next one starts a new process, and goes on with this batch
};

/// "batch"
SEMEL_API std::ostream& operator<<(std::ostream& out, Ran ran);

/// How a trial runs. All of it is optional.
struct TrialOptions {
  std::chrono::milliseconds interval{1'000};  ///< as batch.interval: between batches, at least
  std::int64_t start_ms = 1'700'000'000'000;  ///< where the virtual clock begins, since 1970
  std::int64_t max_records = 0;               ///< as batch.max_records, of one batch; 0: no limit
  bool go_on = false;  ///< where it dies, run_batch() goes on by itself, and never says so
  LogCallback log{};   ///< as stream::Setup::log; an empty one: nothing is said
  std::vector<std::string> drop_state{};  ///< as stream::Setup::drop_state, at each start
  bool state_in_sink = false;  ///< as state = "sink": the first output is home, and commits last
};

/// A pipeline in a world of its own: topics, outputs, a machine with a disk, a clock, all of it in
/// memory. What runs is what runs in production: the stages, all outputs as one sink, the state's
/// versions, the driver; in one process at a time, with one executor. Modelled are Kafka's log (no
/// transactions, no records that are lost), outputs (which take every row) and the disk (which
/// keeps all that was written: a process is killed, the power does not fail).
///
/// The same calls give the same rows, each time. Not thread safe. Throws semel::Failed where it
/// says so, and for what is called wrongly.
class SEMEL_API Trial {
 public:
  /// Makes the streams, as a program's main() does before run(), which it does not call; each
  /// process calls a fresh copy of it. What it refers to (a global, something captured by
  /// reference) survives crashes, as a server outside would.
  using Program = std::function<void(stream::Pipeline&)>;

  /// Nothing is called before the first batch.
  explicit Trial(Program program, TrialOptions options = {});
  Trial(Trial&&) noexcept;             ///< nothing but the destructor for what was moved from
  Trial& operator=(Trial&&) noexcept;  ///< ends what this was
  ~Trial();                            ///< ends the process, if there is one

  // -- Kafka

  /// Makes a topic of so many partitions, or gives one that is there more of them. A source beside
  /// Kafka is a topic, too ("+received.orders"): no receiver runs, no file is read.
  void topic(const std::string& name, std::int32_t partitions);
  /// The record's offset.
  Offset produce(const std::string& topic, std::int32_t partition, Produced record);

  // -- time

  std::int64_t now_ms() const;  ///< of the virtual clock
  /// Nothing runs meanwhile.
  void advance(std::chrono::milliseconds by);

  // -- batches and crashes

  /// Runs one batch of all that is there (or of TrialOptions::max_records), into every output;
  /// starts a process where there is none. It is an interval behind the one before, at least: the
  /// clock is moved to there; its time is the last multiple of the interval. Behind a death it goes
  /// on with the batch that was under way, at the same time: what was produced since is for the one
  /// after. Throws Failed where run() would end with that error; the process is gone then.
  /// Throws Failed where a topic has records that no source reads by its name.
  Ran run_batch();
  /// Batches until every output has every record; where it dies it goes on. How many batches.
  int catch_up();
  /// The process dies there, when it comes by for the time number `pass` from now on. Replaces what
  /// was asked for before. Once.
  void crash_at(Place place, int pass = 1);
  /// How often a process came by there, since the beginning.
  int passes(Place place) const;
  /// The commit number `commit` from now on, of whichever output, fails. Replaces what was asked
  /// for before. Once. No time passes before it is tried again.
  void fail_commit(Trouble trouble, int commit = 1);
  /// How often an output was asked to commit, since the beginning.
  int commits() const;
  /// The process is ended between two batches. The next batch starts another one.
  void restart();
  /// The same, into another program: an upgrade.
  void restart(Program program);

  /// The process is ended, and the next batch starts another one on a machine whose disk is empty:
  /// plans and what stages remember are not there.
  void restart_elsewhere();

  // -- what came of it

  /// All that is committed in the output, in the order of commits.
  const std::vector<Row>& rows(std::string_view output) const;
  /// The same: their values; "" for a tombstone.
  std::vector<std::string> values(std::string_view output) const;
  /// The same, as json::as<T>() reads their values. Throws Failed for one that is no T.
  template <class T>
  std::vector<T> items(std::string_view output) const {
    std::vector<T> all;
    for (const auto& value : values(output)) {
      auto item = json::as<T>()(std::string_view(value));
      if (const auto* bad = std::get_if<stream::Bad>(&item)) {
        throw_failed({ErrorKind::fatal, Cause::program, value + ": " + bad->reason});
      }
      all.push_back(std::get<T>(std::move(item)));
    }
    return all;
  }
  /// All that is set aside there, in the order of commits.
  const std::vector<DeadLetter>& dead_letters(std::string_view output) const;
  /// Something else that is to be the same however often it dies, for crash_everywhere(): what a
  /// function of for_each_batch has done elsewhere, say.
  void note(std::string what);
  /// All notes, in order.
  const std::vector<std::string>& notes() const;
  /// Names of all outputs that a process had so far, sorted.
  std::vector<std::string> outputs() const;
  /// For people: topics, outputs and what they have, and the stages of the process that runs.
  std::string describe() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What came of a scenario that was run with each crash and each trouble that there can be.
struct CrashReport {
  int crashes = 0;   ///< so often a process died
  int troubles = 0;  ///< so often a commit failed
  /// What came out otherwise than without: where it died or failed, and a row that is too many,
  /// missing or another one. Empty: whatever happens, the result is the same.
  std::vector<std::string> differences{};
};

/// Runs `scenario` in a trial of its own undisturbed, and then again and again: each time a process
/// dies at another place or in another batch, or another commit fails, in each way. run_batch()
/// goes on by itself there, and never says that it died. Compared are rows and dead letters of all
/// outputs, in the order of their offsets, and notes. What `program` refers to is not reset between
/// runs: `scenario` does that. Throws what the first run throws; what another one throws is a
/// difference.
SEMEL_API CrashReport crash_everywhere(const Trial::Program& program,
                                       const std::function<void(Trial&)>& scenario,
                                       const TrialOptions& options = {});

}  // namespace semel::testing
