#include "cli/check_positions.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "cli/check_records.hpp"

namespace semel::cli {

namespace {

constexpr int check_timeout_ms = 10'000;
/// A topic made anew may have a thousand partitions, and they all say the same.
constexpr int told_max = 5;

/// A new leader may answer with an end that lags for a moment: as for `semel run`, an end that is
/// below what was committed is believed when it stays there.
Result<void> look_again(kafka::PlannerClient& client, ReadFroms& froms) {
  std::vector<TopicPartition> below;
  for (const auto& [tp, from] : froms) {
    if (from.from > from.until) below.push_back(tp);
  }
  if (below.empty()) return {};
  std::this_thread::sleep_for(std::chrono::milliseconds(core::below_position_ms));
  const auto latest = client.known_latest(below, check_timeout_ms);
  if (!latest) return tl::unexpected(latest.error());
  for (const auto& [tp, end] : latest->offsets) froms.at(tp).until = end;
  return {};
}

/// What is lost of a partition; nothing where its position is in the log.
struct Loss {
  Error error;
  core::LogBounds bounds;
};
Result<std::optional<Loss>> loss_of(const app::PipelineConfig& config, const TopicPartition& tp,
                                    const ReadFrom& from) {
  const core::LogBounds bounds{from.earliest, from.until, from.from > from.until};
  if (bounds.recreated) return Loss{core::ends_below(tp, from.from, bounds), bounds};
  if (from.from >= from.earliest) return std::nullopt;
  // What is skipped needs no reason; what is not is told by whoever reads it.
  if (config.pipeline.on_data_loss != engine::OnDataLoss::stop) return Loss{{}, bounds};
  auto why = why_unreadable(config, tp, from);
  if (!why) return tl::unexpected(why.error());
  if (!*why) return std::nullopt;
  return Loss{**std::move(why), bounds};
}

}  // namespace

Result<Logs> look_at_logs(const app::PipelineConfig& config, kafka::PlannerClient& client,
                          const std::vector<TopicPartition>& tps,
                          const std::vector<Progress>& progress) {
  const auto& kafka = config.pipeline.kafka;
  std::map<TopicPartition, Progress> known;
  std::set<std::string> known_topics;
  for (const auto& one : progress) {
    if (is_batches(one.tp)) continue;
    known.emplace(one.tp, one);
    known_topics.insert(one.tp.topic);
  }
  std::vector<TopicPartition> at_start;
  for (const auto& tp : tps) {
    if (core::begins_at_start(known_topics, tp.topic, !kafka.topic_pattern.empty())) {
      at_start.push_back(tp);
    }
  }
  const auto earliest = client.known_earliest(tps, check_timeout_ms);
  if (!earliest) return tl::unexpected(earliest.error());
  kafka::PartialOffsets starts;
  if (!at_start.empty()) {
    auto resolved = client.resolve_start(at_start, kafka.start,
                                         engine::below_earliest(config.pipeline), check_timeout_ms);
    if (!resolved) return tl::unexpected(resolved.error());
    starts = *std::move(resolved);
  }
  // Last, so that what is written meanwhile is not taken for a position past the end.
  const auto latest = client.known_latest(tps, check_timeout_ms);
  if (!latest) return tl::unexpected(latest.error());

  Logs logs;
  for (const kafka::PartialOffsets* answers : {&std::as_const(starts), &*earliest, &*latest}) {
    for (const auto& [tp, why] : answers->unanswered) logs.silent.emplace(tp, why.message);
  }
  for (const auto& tp : tps) {
    const auto found = known.find(tp);
    const bool starting = found == known.end();
    if (logs.silent.contains(tp)) {
      logs.starting_silently += starting ? 1 : 0;
      continue;
    }
    const auto first = earliest->offsets.at(tp);
    ReadFrom from{.from = first, .earliest = first, .until = latest->offsets.at(tp)};
    if (!starting) {
      from.from = found->second.until;
      from.last = found->second.last;
    } else if (const auto start = starts.offsets.find(tp); start != starts.offsets.end()) {
      from.from = start->second;
    }
    if (starting) {
      ++logs.starting;
      logs.ahead += std::max<Offset>(from.until - from.from, 0);
    }
    logs.froms.emplace(tp, from);
  }
  return logs;
}

std::optional<Error> lost(const app::PipelineConfig& config, const TopicPartition& tp,
                          ReadFrom& from, const Error& error, const core::LogBounds& bounds) {
  auto end = core::ends_with({tp, from.from, from.last.has_value()}, error, bounds,
                             config.pipeline.on_data_loss != engine::OnDataLoss::stop);
  if (end) return end;
  from = {.from = bounds.earliest, .earliest = bounds.earliest, .until = bounds.latest, .last = {}};
  return std::nullopt;
}

std::string skipped(const TopicPartition& tp, Offset from, Offset until) {
  return fmt::format(
      "{}: the records from offset {} on are gone; `semel run` records that and goes "
      "on at {}: on_data_loss says skip",
      to_string(tp), from, until);
}

bool check_positions(const app::PipelineConfig& config, kafka::PlannerClient& client,
                     ReadFroms& froms, CheckReport& findings) {
  if (auto again = look_again(client, froms); !again) {
    findings.wrong(again.error());
    return false;
  }
  int losses = 0;
  bool goes_on = true;
  for (auto& [tp, from] : froms) {
    const auto loss = loss_of(config, tp, from);
    if (!loss) {
      findings.wrong(loss.error());
      return false;
    }
    if (!*loss) continue;
    const auto wanted = from.from;
    const auto end = lost(config, tp, from, (*loss)->error, (*loss)->bounds);
    goes_on = goes_on && !end;
    if (++losses > told_max && end) break;
    if (losses > told_max) continue;
    end ? findings.wrong(*end) : findings.ok(skipped(tp, wanted, from.from));
  }
  if (losses > told_max) findings.ok("and more partitions like these");
  return goes_on;
}

}  // namespace semel::cli
