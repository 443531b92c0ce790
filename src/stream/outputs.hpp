// Several sinks as one: all of them take the same batches, one after the other, and each has a
// ledger of its own. The driver sees one sink.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <semel/sink.hpp>
#include <semel/stream/graph.hpp>

#include "base/log.hpp"
#include "state/store.hpp"
#include "stream/agree.hpp"

namespace semel::stream {

/// What a batch has led the state to.
struct Led {
  state::Version version;      ///< the one before the first batch: there is no state
  std::uint32_t checksum = 0;  ///< of the change
};

/// A configured sink with the name of its output.
struct NamedSink {
  std::string output;
  std::unique_ptr<Sink> sink;
};

/// What is read, as a stage's source.
class Sources;

/// What outputs and their sessions work with; all of it lives as long as they do.
struct Shared {
  std::shared_ptr<const detail::Graph> graph;
  std::shared_ptr<const Sources> sources;
  std::shared_ptr<state::Store> state;  ///< nullptr: no stage remembers anything
  /// The output that is home: what is here is a cache. Absent: the state is on this machine.
  std::optional<std::size_t> home;
  bool empty_state = false;             ///< where the state is not here, begin with an empty one
  std::vector<std::string> drop_state;  ///< of a state at its home: check_stages()
  std::string owner;                    ///< the id that is each output's owner's
  Log log;
};

/// Which output is home: the first that can, or the one of that name. Fatal, Cause::configuration,
/// where there is none.
Result<std::size_t> choose_home(std::span<const NamedSink> sinks, const std::string& wanted);

/// A batch that one output has and another lacks is computed again for the one that lacks it (see
/// agree.hpp). Before a commit each output is asked who owns it, once there is a session with each:
/// docs/decisions/0015, 1. The epoch that the driver knows is the first output's.
class Outputs final : public Sink {
 public:
  /// `sinks` in the order of the graph's outputs.
  Outputs(Shared shared, std::vector<NamedSink> sinks);
  ~Outputs() override;

  Guarantee guarantee() const override;
  std::int64_t patience_ms() const override;
  Result<TakenOver> take_over(const std::string& cluster_id) override;
  Result<EnterResult> enter(std::span<const Progress> starts) override;
  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override;
  Result<Alive> keep_alive() override;
  Result<bool> trim() override;
  Result<std::unique_ptr<SinkSession>> open_session() override;
  void leave(const std::optional<std::string>& failure) noexcept override;
  void interrupt() noexcept override;

  // -- for its sessions

  std::size_t size() const { return outputs_.size(); }
  const std::string& name(std::size_t output) const { return outputs_[output].name; }
  const Shared& shared() const { return shared_; }
  Result<std::unique_ptr<SinkSession>> open_session(std::size_t output);
  /// What became of a batch in one output.
  enum class Place : std::uint8_t { lacks, has };
  /// Whether the output has the batch, as far as is known; fatal where it stands at another place.
  Result<Place> place_of(std::size_t output, std::span<const Task> tasks) const;
  /// As the output's own ledger knows them: with its epoch, and its last move.
  std::vector<Task> tasks_of(std::size_t output, std::span<const Task> tasks) const;
  void committed(std::size_t output, std::span<const Task> tasks, const Led& led);
  /// What is to be done with the state before the next batch begins; done, but for roll_forward.
  Result<state::Remedy> settle_state();
  /// Where outputs that are ahead of home have led it.
  Led ahead_of_home() const;
  /// Stages that there are no more, and whose state goes with the next batch.
  const std::vector<std::string>& forgotten() const { return forgotten_; }
  /// Home has another state, and what is here is to take its place.
  bool replaces_state() const { return replaces_; }
  /// What the output refused, in the driver's words.
  Result<Refused> refused(std::size_t output, Refused by);
  /// Asks each output who owns it; the first that is another's. In doubt where one does not stand
  /// where it did: the others are not to go on alone.
  Result<std::optional<LedgerEntry>> whose();

 private:
  /// Where a partition stands.
  struct At {
    Offset until = 0;
    BatchTime batch_time;
    BatchTime
        pending{};  ///< where it came there in batches that are made up for as one: that one's
  };
  struct Output {
    std::string name;
    std::unique_ptr<Sink> sink;
    std::int64_t epoch = 0;
    std::map<TopicPartition, At> at;
    Led led;  ///< the state that its rows agree with
  };

  /// Each of them, in order; stops at one whose ledger is of another cluster.
  Result<std::vector<TakenOver>> take_over_each(const std::string& cluster_id);
  /// Who took over the first output after us has the others as well, or will: fenced. Else an
  /// output that another has is taken over again (docs/decisions/0015, 4).
  Result<void> all_ours(const std::string& cluster_id, std::vector<TakenOver>& taken);
  Result<void> state_fits(const std::optional<PendingBatch>& pending);
  Result<void> state_at_home_fits(const std::optional<PendingBatch>& pending);
  /// The cache has what home has.
  Result<void> follow_home();
  Result<void> load_from_home(const state::Version& version);
  Result<state::Remedy> settle_at_home();
  /// Whether the others belong to home.
  state::Decision at_home() const;
  std::vector<state::OutputVersion> versions() const;
  Result<void> begin_empty(const state::Version& version);
  Result<void> record_lost(const std::vector<std::vector<LostRange>>& lost);
  /// Of a batch in doubt: where the output stands, and at which version, after no commit of it
  /// can arrive any more. Into the entries, too.
  Result<void> look_again(std::size_t output, std::span<const Task> tasks,
                          std::vector<LedgerEntry>& entries);
  Result<std::vector<Progress>> place_for_good(Output& output, bool lacks);
  Result<void> enter_missing(const std::vector<std::vector<Progress>>& to_enter);
  // `mutex_` is held.
  static void stand(Output& output, std::span<const Progress> progress);
  static void stand(Output& output, const TopicPartition& tp, Offset until, BatchTime batch_time);
  /// Whether the task is committed there, as far as is known; nothing where it neither is nor can
  /// be.
  static std::optional<bool> has(const Output& output, const Task& task);
  /// Whether the output stands where it is known to.
  bool stands(const Output& output, std::span<const Progress> progress) const;
  bool ours(const Output& output, const LedgerEntry& entry) const;
  /// As ours(), of an entry that the driver is to see.
  bool ours_to_driver(const LedgerEntry& entry) const;
  /// An entry as the driver is to see it: where another has an output, and we still have the first
  /// one, of an epoch below ours, for which it takes over again (docs/decisions/0015, 4).
  Result<LedgerEntry> as_driver_sees(std::size_t output, LedgerEntry entry);
  LedgerEntry translated(const Output& output, LedgerEntry entry) const;
  /// What the outputs' entries say of a task of all of them.
  LedgerEntry together(const Task& task, std::span<const LedgerEntry> of_outputs) const;

  Shared shared_;
  // Of a state that is at its home.
  bool follows_ = false;   ///< the cache was compared with it, since the take-over
  bool replaces_ = false;  ///< what home has is not to be gone on with
  std::vector<std::string> forgotten_;
  std::string cluster_id_;  ///< as the last take_over() was told
  mutable std::mutex mutex_;
  std::vector<Output> outputs_;  ///< epochs and places are guarded by mutex_
  std::int64_t epoch_ = 0;       ///< as the driver has it; guarded by mutex_
};

}  // namespace semel::stream
