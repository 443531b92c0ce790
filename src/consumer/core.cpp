// The loop: what happened goes to core::step, and what comes back is obeyed, until a range is in
// hand or the time is over.
#include "consumer/core.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <bit>
#include <utility>

#include "base/crash_point.hpp"
#include "engine/reading.hpp"

namespace semel::consumer {

namespace {

constexpr auto trim_interval = std::chrono::minutes(10);
// Longer than any program runs, and short enough to be added to a moment.
constexpr std::chrono::hours longest_wait{24 * 365};
constexpr auto show_interval = std::chrono::seconds(1);
// librdkafka's events are served at least so often while records are waited for.
constexpr auto look_again = std::chrono::milliseconds(50);
// Of so many conflicts in a row one counts as a failure: with some writers of one row they are
// normal, and of a program that has them with itself the end comes, too.
constexpr unsigned conflicts_a_failure = 100;
// From here on people are told.
constexpr unsigned many_conflicts = 8;
// After which a stop says what it waits for.
constexpr std::chrono::milliseconds quiet_stop{5'000};
// What the end waits for the last offsets to be shown.
constexpr auto last_show = std::chrono::milliseconds(1'500);

}  // namespace

Core::Core(const ConsumerOptions& options, LedgerFactory make_ledger)
    : long_in_hand_(options.long_in_hand_ms),
      make_ledger_(std::move(make_ledger)),
      log_(options.log, options.log_level),
      pid_(getpid()) {
  options_ = engine_options(options, log_);
  owner_.output = options.output;
  options_.kafka.wake_fd = wake_.event();
}

Core::~Core() {
  for (auto& lane : lanes_) {
    if (lane.hand) lane.hand->core = nullptr;
  }
  if (forked()) {
    abandon();
    return;
  }
  lanes_.clear();
  if (client_) {
    client_->passed(to_show_);
    client_->finish_showing(last_show);
  }
  if (ledger_) ledger_->leave(failure_ ? std::optional(failure_->message) : std::nullopt);
  log_.close();
}

bool Core::forked() const noexcept {
  return getpid() != pid_;
}

/// The threads of librdkafka are the parent's, and so are the sessions: whatever closes them in the
/// child waits for ever, or ends them for the parent.
void Core::abandon() noexcept {
  for (auto& lane : lanes_) (void)lane.reader.release();
  (void)client_.release();
  (void)ledger_.release();
}

Core::Call::Call(const Core& core, std::atomic<bool>& busy) : busy_(busy) {
  if (core.forked()) {
    throw Failed({ErrorKind::fatal, Cause::program,
                  "this consumer was made before fork(): librdkafka's threads are not in the "
                  "child. Make one in the process that uses it"});
  }
  if (busy.exchange(true)) {
    throw Failed({ErrorKind::fatal, Cause::program,
                  "a consumer is for one thread at a time, and so is each of its ranges: another "
                  "call is under way"});
  }
}

void Core::fail_with(Error error) {
  failure_ = error;
  wake_.due(Clock::now());  // who waits for the descriptor is told by the next call
  throw Failed(std::move(error));
}

void Core::start() {
  const Call call(*this);
  if (failure_) throw Failed(*failure_);
  if (!state_ && !finished_) begin();
  wake_.due(Clock::now());
}

void Core::request_stop() noexcept {
  stop_ = true;
  wake_.wake();
}

std::optional<Range> Core::next(std::chrono::milliseconds wait) {
  const Call call(*this);
  const auto until = Clock::now() + std::min<std::chrono::milliseconds>(wait, longest_wait);
  if (failure_) throw Failed(*failure_);
  if (!state_ && !finished_) begin();
  while (!finished_) {
    wake_.heard();
    turn();
    if (finished_) break;
    if (auto range = hand_out()) return range;
    const auto due = next_due();
    wake_.due(due);
    if (Clock::now() >= until) return std::nullopt;
    if (events_.empty()) wake_.wait(std::min(until, due));
  }
  wake_.due(Clock::now());  // there is something to be learnt: done()
  return std::nullopt;
}

/// Until nothing is left to be told.
void Core::turn() {
  take_told();
  keep_house();
  if (stop_ && !std::exchange(stop_told_, true)) {
    events_.emplace_back(core::StopRequested{});
    for (auto& lane : lanes_) lane.tell_at = Clock::now() + std::min(long_in_hand_, quiet_stop);
  }
  if (events_.empty()) events_.emplace_back(core::Tick{});
  while (!events_.empty() && !finished_) step(std::exchange(events_, {}));
}

void Core::step(std::vector<core::EventBody> bodies) {
  const auto now_ms = clock_.now_ms();
  std::vector<core::Event> arrived;
  for (auto& body : bodies) arrived.push_back({now_ms, std::move(body)});
  auto actions = core::step(*state_, arrived);
  if constexpr (has_crash_points) {  // in no release build
    if (const auto wrong = core::verify(*state_)) {
      fail_with({ErrorKind::fatal, Cause::internal, "the driver's state is wrong: " + *wrong});
    }
  }
  // What is not begun waits for nobody: only what is in the user's hand does.
  if (state_->phase != core::Phase::running) drop_waiting();
  for (auto& action : actions) {
    if (!std::visit([this](auto& body) { return obey(body); }, action)) break;
  }
}

/// What has become of the ranges in hand.
void Core::take_told() {
  std::vector<Told> told;
  {
    const std::lock_guard lock(mutex_);
    told.swap(told_);
    if (owner_seen_) events_.emplace_back(*std::exchange(owner_seen_, std::nullopt));
  }
  for (auto& [at, event, said] : told) {
    const auto& task = lanes_[at].hand->move.task;
    if (said == Said::committed) claimed_[task.range.tp] = task.time;
    if (said == Said::nothing) {
      auto& last = let_go_[task.range.tp];
      const int times = last.range == task.range ? last.times + 1 : 1;
      last = {task.range, task.time, times};
    }
    if (said == Said::conflicted) {
      count_conflict(std::get<core::TaskFailed>(event), task.range.tp);
    } else if (std::holds_alternative<core::TaskCommitted>(event)) {
      conflicts_.erase(task.range.tp);
    }
    lanes_[at].hand.reset();
    events_.push_back(std::move(event));
  }
}

void Core::count_conflict(core::TaskFailed& failed, const TopicPartition& tp) {
  const auto times = ++conflicts_[tp];
  const auto told = fmt::format("{} (conflict {} in a row)", failed.error.message, times);
  if (times % conflicts_a_failure == 0) {
    failed.error.kind = ErrorKind::retriable;
    failed.error.message = told;
    return;
  }
  failed.task = 0;  // what is slow is one of the group's
  failed.slow = true;
  const bool tell = times >= many_conflicts && std::has_single_bit(times);
  log_.say(tell ? LogLevel::warn : LogLevel::debug, told + "; trying again");
}

/// Any thread; one at a time.
void Core::beat_if_due() {
  const std::unique_lock beating(beating_, std::try_to_lock);
  if (!beating || Clock::now() < next_beat_) return;
  // An unreachable ledger is the ranges' to report; here it only means that nothing was learnt.
  auto seen = ledger_->keep_alive();
  next_beat_ = Clock::now() + std::chrono::milliseconds(options_.heartbeat_ms);
  if (!seen) return log_.debug("keep-alive: {}", seen.error().message);
  const std::lock_guard lock(mutex_);
  owner_seen_ = core::OwnerSeen{std::move(seen->ledger), std::move(seen->progress)};
}

/// What is due by the clock, whatever the driver wants.
void Core::keep_house() {
  beat_if_due();
  const auto now = Clock::now();
  if (now >= next_trim_) {
    const auto more = ledger_->trim();
    if (!more) log_.warn("the history could not be trimmed: {}", more.error().message);
    next_trim_ = more && *more ? now : now + trim_interval;
  }
  if (now >= next_show_) {
    client_->passed(std::exchange(to_show_, {}));
    next_show_ = now + show_interval;
  }
  tell_long_in_hand();
  take_over_due();
  enter_due();
}

/// A program that has forgotten a range looks like one that has nothing to do.
void Core::tell_long_in_hand() {
  const auto now = Clock::now();
  for (auto& lane : lanes_) {
    if (!lane.hand || !lane.tell_at || now < *lane.tell_at) continue;
    lane.tell_at.reset();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now - lane.handed_at).count();
    log_.warn("{} has been in hand for {} s: until it is committed or let go, {}",
              to_string(lane.hand->move.task.range), seconds,
              stop_told_ ? "the consumer cannot stop, and done() is false"
                         : "nothing else of its partition comes");
  }
}

Core::Clock::time_point Core::next_due() {
  auto due = next_trim_;
  if (const std::unique_lock beating(beating_, std::try_to_lock); beating) {
    due = std::min(due, next_beat_);
  }
  if (!to_show_.empty() || !client_->all_shown()) due = std::min(due, next_show_);
  due = std::min(due, clock_.at(core::next_wake_ms(*state_)));
  if (taking_over_) due = std::min(due, taking_over_->due);
  if (entering_) due = std::min(due, entering_->due);
  for (const auto& lane : lanes_) {
    if (lane.hand && lane.tell_at) due = std::min(due, *lane.tell_at);
  }
  const bool reading = std::ranges::any_of(
      lanes_, [](const auto& lane) { return lane.begun || (!lane.hand && !lane.waiting.empty()); });
  if (reading) due = std::min(due, Clock::now() + look_again);
  {
    const std::lock_guard lock(mutex_);
    if (!told_.empty() || owner_seen_) due = Clock::now();
  }
  if (!events_.empty()) due = Clock::now();
  return due;
}

}  // namespace semel::consumer
