#include "engine/offsets_watcher.hpp"

#include <spdlog/spdlog.h>
#include <chrono>

#include "base/crash_point.hpp"
#include "engine/jitter.hpp"

namespace semel::engine {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int request_timeout_ms = 5'000;
constexpr auto show_interval = std::chrono::seconds(1);

}  // namespace

OffsetsWatcher::OffsetsWatcher(const PipelineOptions& options,
                               std::unique_ptr<kafka::PlannerClient> client, EventChannel& events,
                               const StopFlags& flags, OnStarts on_starts)
    : options_(options),
      client_(std::move(client)),
      events_(events),
      flags_(flags),
      on_starts_(std::move(on_starts)),
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
    const auto deadline = pending_.empty() ? Clock::time_point::max() : next_show;
    if (const auto job = jobs_.pop_until(deadline)) {
      std::visit([this](const auto& body) { work(body); }, *job);
    }
    if (!pending_.empty() && Clock::now() >= next_show) {
      show_pending();
      next_show = Clock::now() + show_interval;
    }
  }
  // The last commits, if this thread was told of them and of the end at once.
  for (const auto& job : jobs_.take_all()) {
    if (const auto* progress = std::get_if<core::ShowProgress>(&job)) work(*progress);
  }
  show_pending();
}

void OffsetsWatcher::work(const core::ShowProgress& progress) {
  if (options_.kafka.commit_group_offsets) pending_[progress.source] = progress.until;
}

void OffsetsWatcher::show_pending() {
  if (!pending_.empty()) {
    crash_point(CrashPoint::showing_offsets);
    client_->commit_group_offsets(pending_);
  }
  pending_.clear();
}

void OffsetsWatcher::work(const core::AskOffsets& request) {
  if (auto seen = ask_kafka(request)) {
    events_.push(*std::move(seen));
  } else {
    events_.push(core::OffsetsFailed{seen.error()});
  }
}

Result<core::OffsetsSeen> OffsetsWatcher::ask_kafka(const core::AskOffsets& request) {
  core::OffsetsSeen seen;
  if (request.discover) {
    auto partitions = client_->discover(request_timeout_ms);
    if (!partitions) return tl::unexpected(partitions.error());
    auto earliest = client_->earliest(*partitions, request_timeout_ms);
    if (!earliest) return tl::unexpected(earliest.error());
    seen.earliest = *std::move(earliest);
    seen.partitions = *std::move(partitions);
  }
  const auto& sources = seen.partitions ? *seen.partitions : request.sources;
  auto latest = client_->latest(sources, request_timeout_ms);
  if (!latest) return tl::unexpected(latest.error());
  seen.latest = *std::move(latest);
  return seen;
}

void OffsetsWatcher::work(const core::EnterPartitions& request) {
  for (int failures = 1; !flags_.stopping && !flags_.abandoned; ++failures) {
    auto starts = resolve_starts(request);
    if (starts) return on_starts_(*std::move(starts));
    const auto decision =
        core::decide_retry(options_.retry, starts.error().kind, failures, jitter());
    if (decision.give_up) {
      events_.push(core::Broke{starts.error()});
      return;
    }
    if (failures == 1) spdlog::warn("{}; trying again", starts.error().message);
    if (!jobs_.sleep_for(std::chrono::milliseconds(decision.delay_ms))) return;
  }
}

Result<std::vector<Progress>> OffsetsWatcher::resolve_starts(const core::EnterPartitions& request) {
  std::vector<Progress> starts;
  const auto add = [&](std::span<const TopicPartition> sources,
                       const kafka::Start& start) -> Result<void> {
    if (sources.empty()) return {};
    auto offsets = client_->resolve_start(sources, start, request_timeout_ms);
    if (!offsets) return tl::unexpected(offsets.error());
    for (const auto& [source, offset] : *offsets) {
      starts.push_back({.source = source, .until = offset, .batch_time = {}, .last = std::nullopt});
    }
    return {};
  };
  if (auto added = add(request.at_start, options_.kafka.start); !added) {
    return tl::unexpected(added.error());
  }
  if (auto added = add(request.at_earliest, kafka::StartEarliest{}); !added) {
    return tl::unexpected(added.error());
  }
  return starts;
}

}  // namespace semel::engine
