#include "engine/offsets_watcher.hpp"

#include <fmt/format.h>
#include <chrono>

#include "base/crash_point.hpp"
#include "engine/source_answers.hpp"

namespace semel::engine {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto show_interval = std::chrono::seconds(1);
// What a stopping pipeline waits for its last offsets to be shown.
constexpr auto last_show = std::chrono::milliseconds(1'500);

}  // namespace

OffsetsWatcher::OffsetsWatcher(const PipelineOptions& options,
                               std::unique_ptr<source::Planner> client, EventChannel& events,
                               OnStarts on_starts, metrics::OutputMetrics& metrics)
    : options_(options),
      client_(std::move(client)),
      events_(events),
      on_starts_(std::move(on_starts)),
      metrics_(metrics),
      beat_(metrics.beats.add("offsets watcher")),
      thread_([this] { run(); }) {}

OffsetsWatcher::~OffsetsWatcher() {
  close();
}

void OffsetsWatcher::close() {
  jobs_.close();
  if (thread_.joinable()) thread_.join();
}

void OffsetsWatcher::run() {
  auto next_show = Clock::now() + show_interval;
  while (!jobs_.closed()) {
    const auto deadline = all_shown() ? Clock::time_point::max() : next_show;
    beat_.waits(deadline, server_patience);
    if (const auto job = jobs_.pop_until(deadline)) {
      beat_.works(server_patience);
      std::visit([this](const auto& body) { work(body); }, *job);
    }
    if (!all_shown() && Clock::now() >= next_show) {
      show_pending();
      next_show = Clock::now() + show_interval;
    }
  }
  // The last commits, if this thread was told of them and of the end at once.
  for (const auto& job : jobs_.take_all()) {
    if (const auto* progress = std::get_if<core::ShowProgress>(&job)) work(*progress);
  }
  show_pending();
  client_->finish_showing(last_show);
  beat_.rests();
}

void OffsetsWatcher::work(const core::ShowProgress& progress) {
  pending_[progress.tp] = progress.until;
}

bool OffsetsWatcher::all_shown() const {
  return pending_.empty() && client_->all_shown();
}

void OffsetsWatcher::show_pending() {
  if (!pending_.empty()) crash_point(CrashPoint::showing_offsets);
  client_->passed(pending_);
  pending_.clear();
}

void OffsetsWatcher::work(const core::AskOffsets& request) {
  auto event = answer(*client_, request);
  if (const auto* seen = std::get_if<core::OffsetsSeen>(&event)) {
    if (const auto silent = seen->unanswered.begin(); silent != seen->unanswered.end()) {
      metrics_.source.failed(fmt::format("{}: {}", to_string(silent->first), silent->second));
    } else {
      metrics_.source.succeeded();
    }
  } else if (const auto* failed = std::get_if<core::OffsetsFailed>(&event)) {
    metrics_.source.failed(failed->error.message);
  }
  events_.push(std::move(event));
}

void OffsetsWatcher::work(const core::EnterPartitions& request) {
  auto found = starts_of(*client_, request, options_.kafka.start, below_earliest(options_));
  if (!found.starts.empty()) on_starts_(std::move(found.starts));
  for (auto& event : found.others) events_.push(std::move(event));
}

}  // namespace semel::engine
