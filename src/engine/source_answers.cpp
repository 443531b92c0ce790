#include "engine/source_answers.hpp"

#include <fmt/format.h>
#include <map>
#include <utility>

namespace semel::engine {

namespace {

constexpr int question_timeout_ms = 5'000;

Result<core::OffsetsSeen> ask(source::Planner& client, const core::AskOffsets& request) {
  core::OffsetsSeen seen;
  const auto take = [&seen](kafka::PartialOffsets& answer, std::map<TopicPartition, Offset>& into) {
    into = std::move(answer.offsets);
    for (auto& [tp, why] : answer.unanswered) seen.unanswered.emplace(tp, why.message);
  };
  if (request.discover) {
    auto found = client.discover(question_timeout_ms, request.topics);
    if (!found) return tl::unexpected(found.error());
    auto earliest = client.earliest(found->partitions, question_timeout_ms);
    if (!earliest) return tl::unexpected(earliest.error());
    take(*earliest, seen.earliest);
    seen.partitions = std::move(found->partitions);
    for (auto& [topic, why] : found->unclear) seen.unclear.emplace(topic, why.message);
    seen.denied = std::move(found->denied);
  }
  const auto& tps = seen.partitions ? *seen.partitions : request.tps;
  auto latest = client.latest(tps, question_timeout_ms);
  if (!latest) return tl::unexpected(latest.error());
  take(*latest, seen.latest);
  return seen;
}

void resolve(source::Planner& client, const std::vector<TopicPartition>& tps,
             const kafka::Start& start, kafka::BelowEarliest below, Starts& into) {
  if (tps.empty()) return;
  const auto found = client.resolve_start(tps, start, below, question_timeout_ms);
  if (auto same = client.same_cluster(); !same) {
    into.others.emplace_back(core::Broke{same.error()});
    return;
  }
  if (!found) {
    into.others.emplace_back(core::EnterFailed{tps, found.error()});
    return;
  }
  for (const auto& [tp, offset] : found->offsets) {
    into.starts.push_back({.tp = tp, .until = offset, .batch_time = {}, .last = std::nullopt});
  }
  if (found->unanswered.empty()) return;
  core::EnterFailed failed{{}, found->unanswered.begin()->second};
  failed.error.message =
      fmt::format("{}: {}", to_string(found->unanswered.begin()->first), failed.error.message);
  for (const auto& [tp, why] : found->unanswered) failed.tps.push_back(tp);
  into.others.emplace_back(std::move(failed));
}

}  // namespace

core::EventBody answer(source::Planner& client, const core::AskOffsets& request) {
  auto seen = ask(client, request);
  // Whatever was answered means nothing where another cluster answers.
  if (auto same = client.same_cluster(); !same) return core::Broke{same.error()};
  if (!seen) return core::OffsetsFailed{seen.error()};
  return *std::move(seen);
}

Starts starts_of(source::Planner& client, const core::EnterPartitions& request,
                 const kafka::Start& start, kafka::BelowEarliest below) {
  Starts found;
  resolve(client, request.at_start, start, below, found);
  resolve(client, request.at_earliest, kafka::StartEarliest{}, below, found);
  if (request.batches) found.starts.push_back({.tp = core::batches_partition()});
  return found;
}

}  // namespace semel::engine
