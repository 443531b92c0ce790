#include "kafka/resolve_start.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace semel::kafka {

namespace {

using Offsets = Result<PartialOffsets>;

/// For errors: "clicks[0], clicks[2] and 3 more".
std::string names(const std::vector<TopicPartition>& tps) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, tps.size()); ++i) {
    text += (i == 0 ? "" : ", ") + to_string(tps[i]);
  }
  if (tps.size() > shown) text += fmt::format(" and {} more", tps.size() - shown);
  return text;
}

/// Takes back what was answered of topics that were not answered as a whole.
void whole_topics_only(PartialOffsets& found) {
  std::map<std::string, Error> partial;
  for (const auto& [tp, why] : found.unanswered) partial.emplace(tp.topic, why);
  std::erase_if(found.offsets, [&](const auto& entry) {
    const auto why = partial.find(entry.first.topic);
    if (why == partial.end()) return false;
    found.unanswered.emplace(entry.first, why->second);
    return true;
  });
}

/// Negative ones mean something else to Kafka.
constexpr std::int64_t first_moment = 0;

class Resolve {
 public:
  Resolve(OffsetSurvey& survey, std::span<const TopicPartition> tps, BelowEarliest below,
          int timeout_ms, const std::string& called)
      : survey_(survey), sources_(tps), below_(below), timeout_ms_(timeout_ms), called_(called) {}

  Offsets operator()(const StartEarliest&) const { return ask(earliest_timestamp); }
  Offsets operator()(const StartLatest&) const {
    auto ends = ask(latest_timestamp);
    if (ends) whole_topics_only(*ends);
    return ends;
  }
  Offsets operator()(const StartTimestamp& moment) const;
  Offsets operator()(const StartOffsets& given) const;

 private:
  Offsets ask(std::int64_t timestamp) const {
    return survey_.ask(sources_, timestamp, timeout_ms_);
  }
  /// The partitions asked for are whole topics.
  Result<void> partitions_are_there(const StartOffsets& given) const;
  Offsets in_the_log(PartialOffsets wanted) const;

  OffsetSurvey& survey_;
  std::span<const TopicPartition> sources_;
  BelowEarliest below_;
  int timeout_ms_;
  const std::string& called_;
};

Offsets Resolve::operator()(const StartTimestamp& moment) const {
  // Latest first: a record that arrives between the questions is then not skipped.
  auto ends = ask(latest_timestamp);
  if (!ends) return ends;
  auto found = ask(moment.ms < first_moment ? earliest_timestamp : moment.ms);
  if (!found) return found;
  found->unanswered.merge(ends->unanswered);
  found->offsets.merge(ends->offsets);
  whole_topics_only(*found);
  return found;
}

Offsets Resolve::operator()(const StartOffsets& given) const {
  if (auto there = partitions_are_there(given); !there) return tl::unexpected(there.error());
  PartialOffsets found;
  std::vector<TopicPartition> missing;
  for (const auto& tp : sources_) {
    const auto offset = given.offsets.find(tp);
    if (offset == given.offsets.end() || offset->second < 0) {
      missing.push_back(tp);
    } else {
      found.offsets.insert(*offset);
    }
  }
  if (missing.empty()) return in_the_log(std::move(found));
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("{} gives no offset for {}: give one for every partition, or start at "
                          "\"earliest\" or \"latest\"",
                          called_, names(missing)));
}

Result<void> Resolve::partitions_are_there(const StartOffsets& given) const {
  std::map<std::string, std::set<std::int32_t>> topics;
  for (const auto& tp : sources_) topics[tp.topic].insert(tp.partition);
  for (const auto& [tp, offset] : given.offsets) {
    const auto topic = topics.find(tp.topic);
    if (topic == topics.end() || topic->second.contains(tp.partition)) continue;
    const auto count = topic->second.size();
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("{} gives offset {} for {}, but topic {} has {} partition{}: leave it "
                    "out (a partition that is added later begins at its earliest record)",
                    called_, offset, to_string(tp), tp.topic, count, count == 1 ? "" : "s"));
  }
  return {};
}

Offsets Resolve::in_the_log(PartialOffsets wanted) const {
  auto ends = ask(latest_timestamp);
  if (!ends) return ends;
  auto begins = ask(earliest_timestamp);
  if (!begins) return begins;
  for (auto& [tp, why] : ends->unanswered) begins->unanswered.emplace(tp, why);
  for (const auto& [tp, why] : begins->unanswered) wanted.offsets.erase(tp);
  for (const auto& [tp, offset] : wanted.offsets) {
    const auto wrong = [&](const char* where, Offset end) -> Offsets {
      return fail(
          ErrorKind::fatal, Cause::configuration,
          fmt::format("{}: offset {} of {} is {} {}: correct it, or start at \"earliest\" or "
                      "\"latest\"",
                      called_, offset, to_string(tp), where, end));
    };
    const auto end = ends->offsets.at(tp);
    const auto begin = begins->offsets.at(tp);
    if (offset > end) return wrong("past the end", end);
    if (offset < begin && below_ == BelowEarliest::refused) {
      return wrong("below the first record that Kafka still has, offset", begin);
    }
  }
  wanted.unanswered = std::move(begins->unanswered);
  whole_topics_only(wanted);
  return wanted;
}

}  // namespace

Result<PartialOffsets> resolve_start(OffsetSurvey& survey, std::span<const TopicPartition> tps,
                                     const Start& start, BelowEarliest below, int timeout_ms,
                                     const std::string& called) {
  return std::visit(Resolve(survey, tps, below, timeout_ms, called), start);
}

}  // namespace semel::kafka
