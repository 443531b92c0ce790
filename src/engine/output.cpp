// The driver: the loop around core::step, and its end.
#include "engine/output.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/crash_point.hpp"

namespace semel::engine {

namespace {

// Stopping: how long all that runs may stand still at least, and how often that is looked at.
constexpr auto stop_patience = std::chrono::seconds(2);
constexpr auto look_again = std::chrono::milliseconds(50);

// Deciding looks at every partition, at about 0.1 µs each (measured with 5,000): where they are
// many, events are collected for so long that it takes a twentieth of a core, however many they
// are.
constexpr std::chrono::microseconds pause_per_partition{2};
constexpr std::chrono::milliseconds shortest_pause{1};

constexpr std::chrono::seconds publish_interval{1};

// How long taking leave may take, before what the sink waits for is interrupted. Servers that
// answer need a tenth of a second.
constexpr std::chrono::seconds leave_patience{3};

/// Does something in `after`, unless it is gone before.
class Deadline {
 public:
  Deadline(std::chrono::milliseconds after, std::function<void()> passed)
      : thread_([this, after, passed = std::move(passed)] {
          std::unique_lock lock(mutex_);
          if (!changed_.wait_for(lock, after, [this] { return gone_; })) passed();
        }) {}
  ~Deadline() {
    {
      const std::lock_guard lock(mutex_);
      gone_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool gone_ = false;
  std::thread thread_;
};

}  // namespace

Output::Output(PipelineOptions options, Destination destination, bool one_of_several,
               metrics::OutputMetrics& metrics)
    : options_(std::move(options)),
      destination_(std::move(destination)),
      metrics_(metrics),
      beat_(metrics.beats.add("driver")),
      news_(destination_.output, destination_.listener) {
  options_.limits.interval_ms = std::max(options_.limits.interval_ms, destination_.interval_ms);
  options_.kafka.group_id = group_of(options_, destination_.output);
  if (one_of_several) prefix_ = fmt::format("output {}: ", destination_.output);
}

Output::~Output() {
  close();
}

Result<Snapshot> Output::run() {
  auto ended = work();
  news_.ended(ended);
  return ended;
}

Result<Snapshot> Output::work() {
  if (auto started = start(); !started) {
    const bool asked_to_stop = flags_.stopping;
    let_go(false);
    failure_ = started.error().message;
    // Asked to stop before it began: nothing was done, and that is what was wanted.
    const bool as_wanted = asked_to_stop && started.error().kind == ErrorKind::unavailable;
    if (!as_wanted) outcome_ = tl::unexpected(started.error());
  } else {
    started_ = true;
    drive();
    let_go(outcome_.has_value());
    if (!outcome_) failure_ = outcome_.error().message;
  }
  metrics_.ended = true;
  beat_.rests();
  if (!outcome_) outcome_.error().message.insert(0, prefix_);
  return outcome_;
}

void Output::drive() {
  for (bool goes_on = true; goes_on;) {
    const auto events = next_events();
    const auto woken = Clock::now();
    news_.happened(events, *state_);
    auto actions = core::step(*state_, events);
    const auto decided = Clock::now();
    if constexpr (has_crash_points) {  // in no release build
      if (const auto wrong = core::verify(*state_)) {
        stop({ErrorKind::fatal, Cause::internal, "the driver's state is wrong: " + *wrong});
        return;
      }
    }
    publish();
    turn_ = {.deciding = decided - woken};
    goes_on = std::ranges::all_of(actions, [this](core::Action& action) {
      return std::visit([this](auto& body) { return obey(body); }, action);
    });
    turn_.obeying = Clock::now() - decided;
    metrics_.driver_cost.add(turn_);
    if (const auto pause = pause_per_partition * state_->partitions.size();
        goes_on && pause >= shortest_pause) {
      std::this_thread::sleep_for(pause);
    }
  }
}

/// Where partitions stand is told while nothing else is to be done, or once a second.
std::optional<core::EventBody> Output::next_event(Clock::time_point until) {
  beat_.waits(until, driver_patience);
  if (partitions_changed_) {
    const auto due = partitions_published_ + publish_interval;
    if (Clock::now() < due) {
      if (auto body = events_.pop_until(std::min(until, due))) return body;
    }
    publish_partitions();
  }
  return events_.pop_until(until);
}

std::vector<core::Event> Output::next_events() {
  auto until = clock_.at(core::next_wake_ms(*state_));
  if (flags_.stopping) until = std::min(until, Clock::now() + look_again);
  auto body = next_event(until);
  beat_.works(driver_patience);
  if (!body && flags_.stopping && nothing_moves()) body = core::Stalled{};
  const auto now_ms = clock_.now_ms();
  std::vector<core::Event> arrived;
  arrived.push_back({now_ms, body ? *std::move(body) : core::EventBody(core::Tick{})});
  for (auto& more : events_.take_all()) arrived.push_back({now_ms, std::move(more)});
  return arrived;
}

bool Output::nothing_moves() {
  const auto now = Clock::now();
  if (stopping_since_ == Clock::time_point{}) stopping_since_ = now;
  return now > stopping_since_ + stop_patience &&
         std::ranges::all_of(executors_, [&](const auto& executor) {
           return !executor->busy() || executor->stuck(now);
         });
}

void Output::request_stop() noexcept {
  metrics_.stopping = true;
  flags_.stopping = true;
  events_.push(core::StopRequested{});
}

void Output::let_go(bool clean) {
  flags_.stopping = true;
  flags_.abandoned =
      !clean || std::ranges::any_of(executors_, [](const auto& each) { return each->busy(); });
  for (auto& executor : executors_) executor->finish();
}

void Output::close() {
  // Its lock goes with it: another pipeline may have the log.
  plans_.reset();
  if (!sink_ && executors_.empty() && !watcher_ && !keeper_) return;
  if (flags_.abandoned && sink_) sink_->interrupt();
  std::optional<Deadline> deadline;
  if (sink_) deadline.emplace(leave_patience, [this] { sink_->interrupt(); });
  for (auto& executor : executors_) executor->close();
  // The watcher hands partitions to the keeper: it goes first.
  if (watcher_) watcher_->close();
  if (keeper_) keeper_->close();
  if (sink_) sink_->leave(failure_);
  deadline.reset();
  executors_.clear();
  watcher_.reset();
  keeper_.reset();
  sink_.reset();
}

}  // namespace semel::engine
