// The consumer: the driver's decisions (src/core), obeyed by the user's thread inside next(). Loads
// are handed to the user instead of an executor, and nothing is planned durably: what was planned
// and not committed is planned anew after a restart, and the ledger alone decides what is stored.
#pragma once

#include <sys/types.h>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <semel/consumer.hpp>

#include "base/log.hpp"
#include "consumer/hand.hpp"
#include "consumer/wake.hpp"
#include "core/driver.hpp"
#include "engine/options.hpp"
#include "engine/steady_wall_clock.hpp"
#include "source/interface.hpp"

namespace semel::consumer {

/// What the public options are to Kafka and the engine. Throws Failed for what cannot be.
engine::PipelineOptions engine_options(const ConsumerOptions& options, const Log& log);

/// A range was committed, says the user, and the ledger did not move.
Error not_advanced(const OffsetRange& range);
/// The user read it to its end and said nothing, twice, and the ledger did not move.
Error let_go_twice(const OffsetRange& range);

class Core {
 public:
  Core(const ConsumerOptions& options, LedgerFactory make_ledger);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // -- core.cpp: as DirectConsumer's members of the same names
  void start();
  std::optional<Range> next(std::chrono::milliseconds wait);
  void request_stop() noexcept;
  bool done() const { return finished_; }
  int poll_fd() const { return wake_.fd(); }
  std::int64_t lag() const { return state_ ? core::lag(*state_) : 0; }

  // -- hands.cpp: as Range's members of the same names. Any thread, one at a time for each hand.
  std::optional<std::span<const Record>> read(Hand& hand,
                                              std::optional<std::chrono::milliseconds> wait);
  void committed(Hand& hand);
  bool settle(Hand& hand);
  void failed(Hand& hand, std::string_view why) noexcept;
  void conflicted(Hand& hand, std::string_view why) noexcept;
  /// The user's Range is gone. Any thread.
  void dropped(Hand& hand) noexcept;
  TransactionLedger& ledger() { return *ledger_; }

 private:
  using Clock = std::chrono::steady_clock;

  /// One reader, and the tasks that it is to read one after the other.
  struct Lane {
    std::unique_ptr<source::Reader> reader;
    std::deque<Task> waiting;
    std::optional<Task> begun;  ///< is being read, but has yielded nothing yet
    Clock::time_point begun_at;
    std::shared_ptr<Hand> hand;
    Clock::time_point handed_at{};
    std::optional<Clock::time_point> tell_at{};  ///< when people are told that it is still in hand
  };

  /// While it lives a call is under way. Throws Failed where one is already, and after fork().
  class Call {
   public:
    explicit Call(Core& core) : Call(core, core.busy_) {}
    Call(const Core& core, Hand& hand) : Call(core, hand.busy) {}
    ~Call() { busy_ = false; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Call(const Core& core, std::atomic<bool>& busy);
    std::atomic<bool>& busy_;
  };

  // start.cpp
  void begin();
  template <class Attempt>
  auto at_start(Attempt attempt) -> decltype(attempt());
  Result<void> connect();
  Result<core::TookOver> take_over();

  // core.cpp
  [[noreturn]] void fail_with(Error error);
  void turn();
  void take_told();
  void count_conflict(core::TaskFailed& failed, const TopicPartition& tp);
  void step(std::vector<core::EventBody> bodies);
  void keep_house();
  void beat_if_due();
  void tell_long_in_hand();
  Clock::time_point next_due();
  bool forked() const noexcept;
  void abandon() noexcept;

  // actions.cpp. False: the driver is done.
  bool obey(core::AskOffsets& ask);
  bool obey(core::EnterPartitions& enter);
  bool obey(core::PersistPlan& plan);
  bool obey(core::StartTasks& start);
  bool obey(core::ResolveDoubt& doubt);
  bool obey(core::ForgetBatch& forget);
  bool obey(core::TakeOver& again);
  bool obey(core::ShowProgress& progress);
  bool obey(core::Notice& notice);
  bool obey(core::Finish& finish);
  struct Pending;
  template <class Attempt>
  bool attempt(std::optional<Pending>& pending, Attempt tried);
  void enter_due();
  void take_over_due();

  // hands.cpp
  std::optional<Range> hand_out();
  std::optional<Range> hand_out(std::size_t lane);
  bool begin_next(Lane& lane);
  void move_lost(const Task& task);
  void took(Hand& hand, std::span<const Record> records);
  /// What the user said of a range that is over.
  enum class Said : std::uint8_t { failed, conflicted, committed, nothing };
  void end(Hand& hand, core::EventBody event, Said said = Said::failed);
  void let_go(Hand& hand, Error why, Said said);
  void drop_waiting();

  engine::PipelineOptions options_;
  std::chrono::milliseconds long_in_hand_;
  LedgerFactory make_ledger_;
  Log log_;
  Wake wake_;
  engine::SteadyWallClock clock_;
  Owner owner_;
  pid_t pid_;
  std::atomic<bool> busy_{false};
  std::atomic<bool> stop_{false};
  bool stop_told_ = false;
  std::atomic<bool> finished_{false};
  std::optional<Error> failure_;

  std::unique_ptr<source::Planner> client_;
  std::unique_ptr<TransactionLedger> ledger_;
  std::unique_ptr<core::DriverState> state_;
  std::vector<Lane> lanes_;
  std::vector<core::EventBody> events_;  ///< not told the driver yet
  /// Of the read before; at first, a careful guess.
  std::atomic<std::size_t> mean_record_bytes_{16 << 10};

  /// Something that is tried until it succeeds.
  struct Pending {
    Clock::time_point due;
    int failures = 0;
  };
  std::optional<Pending> taking_over_;
  std::optional<Pending> entering_;
  std::vector<Progress> to_enter_;
  /// Ranges of which the user said that they are committed, while nobody could be asked.
  std::map<TopicPartition, BatchTime> claimed_;
  /// Of each partition the last range that the user let go without a word.
  struct LetGo {
    OffsetRange range;
    BatchTime time;
    int times = 0;
  };
  std::map<TopicPartition, LetGo> let_go_;
  std::map<TopicPartition, unsigned> conflicts_;  ///< in a row
  std::map<TopicPartition, Offset> to_show_;
  Clock::time_point next_show_{};
  Clock::time_point next_trim_{};

  /// What became of a range, as whoever had it in hand knows.
  struct Told {
    std::size_t lane = 0;
    core::EventBody event;
    Said said = Said::failed;
  };
  std::mutex mutex_;
  std::vector<Told> told_;                     ///< guarded by mutex_
  std::optional<core::OwnerSeen> owner_seen_;  ///< by a beat in any thread; guarded by mutex_
  std::mutex beating_;                         ///< held by who tells the ledger that we live
  Clock::time_point next_beat_{};              ///< guarded by beating_
};

}  // namespace semel::consumer
