// One running semel: the real driver (core::step) with an engine of values around it, which does
// one small thing at a time, whenever the scheduler lets it. What it waits for may come late, be
// lost, or find another world than the one it asked about.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/driver.hpp"
#include "simulation/choices.hpp"
#include "simulation/disk.hpp"
#include "simulation/kafka.hpp"
#include "simulation/sink.hpp"

namespace semel::simulation {

/// What may go wrong in a run, each or not: a run with few kinds of faults gets deeper into them.
struct Faults {
  bool sink = false;    ///< statements fail, replies are lost
  bool adrift = false;  ///< final messages are executed after their client has gone
  bool bad_rows = false;
  bool poison = false;  ///< some rows meet, each time, an error that looks as if it passed
  bool tp = false;      ///< questions to Kafka fail
  bool crashes = false;
  bool power = false;
  bool zombies = false;
  bool failover = false;
  bool state_lost = false;
  bool log_lost = false;     ///< retention passes the position, topics are created anew
  bool log_changes = false;  ///< compaction, leader changes, new partitions
  bool clocks = false;
  bool ahead = false;  ///< another output behind the sink commits, and this one does not
};

/// What clients say when the cluster's id is not the one that they know.
inline Error another_cluster() {
  return {ErrorKind::fatal, Cause::data_loss, "another cluster answers"};
}

/// How all processes of a run are configured.
struct Settings {
  core::DriverOptions driver;
  bool start_latest = false;
  bool may_end_sessions = true;
  Faults faults;
  Bugs bugs;
};

/// What only somebody who sees both generations of a log can know.
struct Evidence {
  /// Below here a generation was taken for the one before it, without a record that could tell.
  std::map<std::pair<TopicPartition, int>, Offset> excused;
  /// Where partitions began that were there at the first start, if that was to be "latest".
  std::map<std::pair<TopicPartition, int>, Offset> begun;
  /// What was decided to be recorded as lost, of batches that were given up, by whoever decided it
  /// first or went on with it.
  struct GivenUp {
    OffsetRange range;
    int generation = 0;  ///< of its log by then
  };
  std::map<BatchTime, std::vector<GivenUp>> given_up;
  /// Likewise, ranges of a generation that are on record: what a log still has of them.
  std::map<std::pair<TopicPartition, int>, std::vector<OffsetRange>> left_out;
  std::set<TopicPartition> deleted;  ///< topics that were away

  bool is_left_out(const std::pair<TopicPartition, int>& log, Offset offset) const {
    const auto found = left_out.find(log);
    return found != left_out.end() && std::ranges::any_of(found->second, [&](const auto& range) {
             return range.from <= offset && offset < range.until;
           });
  }
};

struct World {
  Kafka& kafka;
  Sink& sink;
  std::vector<PlanDirectory>& directories;
  Evidence& evidence;
  Choices& choices;
  std::function<void(const std::string&)> tell;
};

class Process {
 public:
  Process(World world, const Settings& settings, std::string id, std::int64_t clock_offset_ms);

  /// Does one thing. `faults` off: everything that is tried succeeds.
  void advance(std::int64_t now_ms, bool faults);
  void request_stop() {
    inbox_.push_back(core::StopRequested{});
    stop_requested_ = true;
  }
  /// SIGKILL: what it had sent may still arrive.
  void kill();

  const std::string& id() const { return id_; }
  bool over() const { return finished_ || killed_; }
  bool finished() const { return finished_; }
  const std::optional<Error>& error() const { return error_; }
  bool stop_requested() const { return stop_requested_; }
  /// Ends of the logs when the process first asked for them; for --once.
  const std::map<TopicPartition, Offset>& ends_at_start() const { return ends_at_start_; }
  std::string describe() const;

  bool paused = false;

 private:
  struct TakeOver {
    int stage = 0;
    int incarnation = 0;  ///< of the sink: its connection does not outlive a failover
    TakenOver early;      ///< read too early, where that bug is in
  };
  using Job = std::variant<TakeOver, std::vector<Start>, std::vector<Task>>;
  /// A task, as far as its records are read.
  struct Part {
    Task task;
    bool reading = false;
    bool out_of_range =
        false;  ///< the log did not have the marked record's offset when it was fetched
    Offset position = 0;
    int disturbances = 0;
    int generation = 0;
    std::optional<RecordMark> last;
    std::vector<Place> rows;
    std::vector<Place> poison;
  };
  /// Tasks that share a transaction.
  struct Running {
    std::vector<Part> parts;
    std::size_t at = 0;  ///< the one that is being read
    bool began = false;
    bool rows_stored = false;
    int incarnation = 0;

    Part& part() { return parts[at]; }
    const Task& first() const { return parts.front().task; }
    core::TaskId id() const { return {first().time, first().range.tp}; }
  };
  struct Session {
    Offset until = 0;
    int disturbances = 0;
  };

  void boot(bool faults);
  bool take_over(TakeOver& job, bool faults);
  void step(core::EventBody body);
  void step(std::vector<core::EventBody> bodies);
  void obey(core::Action& action);
  void check_tick(const core::Batch& batch) const;
  /// The ranges of each batch that this process has planned, or goes on with.
  void know_batches();
  void know_given_up(const core::Batch& batch);
  void check_whole(const std::vector<Task>& tasks) const;
  void start(const core::StartTasks& start);
  void check_driver() const;
  void answer(bool faults);
  void resolve(const core::EnterPartitions& request);
  void work(bool faults);
  bool resolve(const std::vector<Task>& tasks, bool faults);
  bool enter(const std::vector<Start>& starts, bool faults);
  bool entered(const std::vector<Start>& starts);
  void run(Running& running, bool faults);
  bool begin(Running& running);
  void begin_session(Running& running);
  bool same_log(Running& running, const Log& log);
  bool judge_out_of_range(Running& running, const Log& log);
  void goes_on_without_evidence(const Part& part, const Log& log);
  bool fetch(Running& running, bool faults);
  bool read(Running& running, bool faults);
  bool refused_early(const Running& running);
  Transaction transaction_of(const Running& running);
  void commit(Running& running, bool faults);
  void finish(Running& running, const Transaction& transaction, bool faults);
  void doubt(const Running& running);
  void committed(const Running& running);
  void excuse_skipped(const Task& task, int generation);
  void end(const Running& running, core::EventBody body);
  void fail(const Running& running, ErrorKind kind, const char* what);
  /// Its records, not the transaction.
  void fail_reading(const Running& running, Error error,
                    std::optional<core::LogBounds> bounds = std::nullopt, bool slow = false);
  void say(const std::string& what) const {
    if (world_.tell) world_.tell(id_ + ": " + what);
  }
  PlanDirectory& directory() { return world_.directories[directory_]; }

  World world_;
  const Settings& settings_;
  std::string id_;
  std::int64_t clock_offset_ms_;
  std::int64_t now_ms_ = 0;
  core::DriverState state_;
  int boot_stage_ = 0;
  TakeOver first_take_over_;
  std::size_t directory_ = 0;
  TakenOver taken_;

  std::deque<core::EventBody> inbox_;
  std::deque<Job> jobs_;  ///< the ledger keeper's, in order
  std::optional<core::AskOffsets> asked_;
  std::optional<core::EnterPartitions> to_resolve_;
  std::vector<Running> running_;
  std::map<TopicPartition, Session> sessions_;
  std::optional<std::set<TopicPartition>> there_at_start_;
  std::map<TopicPartition, Offset> ends_at_start_;  ///< of those
  std::vector<core::TaskId> forgotten_doubts_;      ///< only where doubt_is_failure is in
  std::map<TopicPartition, int> loss_seen_in_;      ///< the generation
  std::map<std::pair<BatchTime, TopicPartition>, int> attempts_;
  std::map<BatchTime, std::set<TopicPartition>> batches_;
  std::uint32_t turn_ = 0;
  bool stop_requested_ = false;
  bool finished_ = false;
  bool killed_ = false;
  std::optional<Error> error_;
};

}  // namespace semel::simulation
