#include "engine/offsets_watcher.hpp"

#include <fmt/format.h>
#include <chrono>

#include "base/crash_point.hpp"

namespace semel::engine {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int request_timeout_ms = 5'000;
constexpr auto show_interval = std::chrono::seconds(1);
// What a stopping pipeline waits for its last offsets to be shown.
constexpr auto last_show = std::chrono::milliseconds(1'500);

}  // namespace

OffsetsWatcher::OffsetsWatcher(const PipelineOptions& options,
                               std::unique_ptr<kafka::PlannerClient> client, EventChannel& events,
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
  client_->finish_group_offsets(last_show);
  beat_.rests();
}

void OffsetsWatcher::work(const core::ShowProgress& progress) {
  if (options_.kafka.commit_group_offsets) pending_[progress.tp] = progress.until;
}

bool OffsetsWatcher::all_shown() const {
  return pending_.empty() && client_->group_offsets_written();
}

void OffsetsWatcher::show_pending() {
  if (!pending_.empty()) crash_point(CrashPoint::showing_offsets);
  client_->commit_group_offsets(pending_);
  pending_.clear();
}

void OffsetsWatcher::work(const core::AskOffsets& request) {
  auto seen = ask_kafka(request);
  // Whatever was answered means nothing where another cluster answers.
  if (auto same = client_->same_cluster(); !same) {
    events_.push(core::Broke{same.error()});
  } else if (seen) {
    if (const auto silent = seen->unanswered.begin(); silent != seen->unanswered.end()) {
      metrics_.source.failed(fmt::format("{}: {}", to_string(silent->first), silent->second));
    } else {
      metrics_.source.succeeded();
    }
    events_.push(*std::move(seen));
  } else {
    metrics_.source.failed(seen.error().message);
    events_.push(core::OffsetsFailed{seen.error()});
  }
}

Result<core::OffsetsSeen> OffsetsWatcher::ask_kafka(const core::AskOffsets& request) {
  core::OffsetsSeen seen;
  const auto take = [&seen](kafka::PartialOffsets& answer, std::map<TopicPartition, Offset>& into) {
    into = std::move(answer.offsets);
    for (auto& [tp, why] : answer.unanswered) seen.unanswered.emplace(tp, why.message);
  };
  if (request.discover) {
    auto found = client_->discover(request_timeout_ms, request.topics);
    if (!found) return tl::unexpected(found.error());
    auto earliest = client_->known_earliest(found->partitions, request_timeout_ms);
    if (!earliest) return tl::unexpected(earliest.error());
    take(*earliest, seen.earliest);
    seen.partitions = std::move(found->partitions);
    for (auto& [topic, why] : found->unclear) seen.unclear.emplace(topic, why.message);
    seen.denied = std::move(found->denied);
  }
  const auto& tps = seen.partitions ? *seen.partitions : request.tps;
  auto latest = client_->known_latest(tps, request_timeout_ms);
  if (!latest) return tl::unexpected(latest.error());
  take(*latest, seen.latest);
  return seen;
}

void OffsetsWatcher::work(const core::EnterPartitions& request) {
  resolve_starts(request.at_start, options_.kafka.start);
  resolve_starts(request.at_earliest, kafka::StartEarliest{});
}

void OffsetsWatcher::resolve_starts(const std::vector<TopicPartition>& tps,
                                    const kafka::Start& start) {
  if (tps.empty()) return;
  const auto found =
      client_->resolve_start(tps, start, below_earliest(options_), request_timeout_ms);
  if (auto same = client_->same_cluster(); !same) {
    events_.push(core::Broke{same.error()});
    return;
  }
  if (!found) {
    events_.push(core::EnterFailed{tps, found.error()});
    return;
  }
  std::vector<Progress> starts;
  for (const auto& [tp, offset] : found->offsets) {
    starts.push_back({.tp = tp, .until = offset, .batch_time = {}, .last = std::nullopt});
  }
  if (!starts.empty()) on_starts_(std::move(starts));
  if (found->unanswered.empty()) return;
  core::EnterFailed failed{{}, found->unanswered.begin()->second};
  failed.error.message =
      fmt::format("{}: {}", to_string(found->unanswered.begin()->first), failed.error.message);
  for (const auto& [tp, why] : found->unanswered) failed.tps.push_back(tp);
  events_.push(std::move(failed));
}

}  // namespace semel::engine
