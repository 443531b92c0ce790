#include "stream/agree.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <set>

namespace semel::stream {

namespace {

using Places = std::map<TopicPartition, Progress>;

Places places_of(const Standing& standing) {
  Places places;
  for (const auto& progress : standing.progress) places[progress.tp] = progress;
  return places;
}

/// Whether `a` is not behind `b` in any partition of `b`.
bool reaches(const Places& a, const Places& b) {
  return std::ranges::all_of(b, [&a](const auto& entry) {
    const auto found = a.find(entry.first);
    return found == a.end() || found->second.until >= entry.second.until;
  });
}

bool same(const Places& a, const Places& b) {
  return reaches(a, b) && reaches(b, a);
}

tl::unexpected<Error> apart(const Standing& a, const Places& of_a, const Standing& b,
                            const Places& of_b) {
  std::string where;
  for (const auto& [tp, progress] : of_a) {
    const auto other = of_b.find(tp);
    if (other == of_b.end() || other->second.until == progress.until) continue;
    where = fmt::format(": {} is at offset {} in {} and at {} in {}", to_string(tp), progress.until,
                        a.output, other->second.until, b.output);
    break;
  }
  return fail(
      ErrorKind::fatal, Cause::sink,
      fmt::format("the outputs {} and {} stand where no crash leaves them{}. A ledger was "
                  "restored or set by hand. Restore the others from the same moment, or "
                  "begin anew: empty the tables, and `semel offsets FILE reset --output NAME` "
                  "for each output",
                  a.output, b.output, where));
}

/// A ledger that knows some partitions and lacks one in which another has records is from before
/// that began: where it began there, the other does not tell.
std::optional<Error> lacks_records(std::span<const Standing> standings,
                                   std::span<const Places> places) {
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].empty()) continue;
    for (std::size_t j = 0; j < places.size(); ++j) {
      for (const auto& [tp, progress] : places[j]) {
        if (!progress.last || is_batches(tp) || places[i].contains(tp)) continue;
        return Error{
            ErrorKind::fatal, Cause::sink,
            fmt::format("output {} has records of {} up to offset {}, and output {} does "
                        "not know it: its ledger was restored. Restore the other from "
                        "the same moment, or begin anew: empty the tables, and `semel offsets "
                        "FILE reset --output NAME` for each output",
                        standings[j].output, to_string(tp), progress.until, standings[i].output)};
      }
    }
  }
  return std::nullopt;
}

/// ~batches begins at 0 everywhere: who knows other partitions, and not yet this one, is there.
void begin_batches(std::vector<Places>& places, std::vector<std::vector<Progress>>& to_enter) {
  const auto batches = std::ranges::find_if(places, [](const auto& place) {
    return !place.empty() && is_batches(place.rbegin()->first);
  });
  if (batches == places.end()) return;
  const Progress start{.tp = batches->rbegin()->first, .last = std::nullopt};
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].empty() || !places[i].emplace(start.tp, start).second) continue;
    to_enter[i].push_back(start);
  }
}

/// The difference between who is behind and who is ahead.
PendingBatch between(const Places& behind, const Places& ahead) {
  PendingBatch batch;
  for (const auto& [tp, there] : ahead) {
    const auto here = behind.find(tp);
    if (here == behind.end() || here->second.until == there.until) continue;
    batch.ranges.push_back({tp, here->second.until, there.until});
    batch.time = std::max(batch.time, there.batch_time);
  }
  return batch;
}

/// The batch that has moved ~batches last.
BatchTime last_batch(const Places& places) {
  const bool there = !places.empty() && is_batches(places.rbegin()->first);
  return there ? places.rbegin()->second.batch_time : BatchTime();
}

/// Whether what moved a partition in `ahead` and not in `behind` is a range that was lost: there is
/// no mark behind it, and it is no part of a batch, which would have moved ~batches with it.
bool was_lost(const Places& ahead, const Progress& there, const Places& behind,
              const Progress& here) {
  if (there.batch_time <= here.batch_time || there.until == here.until) return false;
  if (there.last || is_batches(there.tp)) return false;
  const auto time = there.batch_time;
  return last_batch(ahead) != time || last_batch(behind) >= time;
}

/// Where a range was lost, those that do not know it yet are to record it: as if they had.
std::vector<std::vector<LostRange>> record_lost(std::vector<Places>& places) {
  std::vector<std::vector<LostRange>> lost(places.size());
  const auto before = places;
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (auto& [tp, progress] : places[i]) {
      for (const auto& ahead : before) {
        const auto found = ahead.find(tp);
        if (found == ahead.end() || !was_lost(ahead, found->second, before[i], progress)) continue;
        const auto& there = found->second;
        lost[i].push_back(
            {{tp, progress.until, there.until}, there.batch_time, progress.batch_time});
        progress = there;
        break;
      }
    }
  }
  return lost;
}

}  // namespace

Result<Agreed> agree(std::span<const Standing> standings) {
  std::vector<Places> places;
  for (const auto& standing : standings) places.push_back(places_of(standing));
  if (auto lacks = lacks_records(standings, places)) return tl::unexpected(*std::move(lacks));
  Agreed agreed;
  agreed.to_enter.resize(standings.size());
  begin_batches(places, agreed.to_enter);
  agreed.lost = record_lost(places);

  // Who knows nothing yet stands wherever the others do.
  std::optional<std::size_t> behind;
  std::optional<std::size_t> ahead;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].empty()) continue;
    if (!behind) {
      behind = ahead = i;
    } else if (reaches(places[*behind], places[i])) {
      if (!same(places[*behind], places[i])) behind = i;
    } else if (reaches(places[i], places[*ahead])) {
      ahead = i;
    } else if (!reaches(places[*ahead], places[i])) {
      return apart(standings[*ahead], places[*ahead], standings[i], places[i]);
    }
  }

  for (const auto& standing : standings) {
    agreed.highest_batch_time = std::max(agreed.highest_batch_time, standing.highest_batch_time);
  }
  if (!behind) return agreed;

  for (const auto& [tp, progress] : places[*behind]) agreed.progress.push_back(progress);
  std::map<TopicPartition, Progress> known = places[*behind];
  for (const auto& place : places) {
    for (const auto& [tp, progress] : place) {
      if (known.emplace(tp, progress).second) agreed.progress.push_back(progress);
    }
  }
  std::ranges::sort(agreed.progress, {}, &Progress::tp);

  const bool differ = !same(places[*behind], places[*ahead]);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].empty()) {
      agreed.to_enter[i] = agreed.progress;
      continue;
    }
    if (differ && !same(places[i], places[*behind]) && !same(places[i], places[*ahead])) {
      return apart(standings[*behind], places[*behind], standings[i], places[i]);
    }
    for (const auto& progress : agreed.progress) {
      if (!places[i].contains(progress.tp)) agreed.to_enter[i].push_back(progress);
    }
  }
  if (!differ) return agreed;

  agreed.pending = between(places[*behind], places[*ahead]);
  // The batches before it: it is newer than all that the ones behind have.
  agreed.highest_batch_time = {};
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!places[i].empty() && same(places[i], places[*behind])) {
      agreed.highest_batch_time =
          std::max(agreed.highest_batch_time, standings[i].highest_batch_time);
    }
  }
  return agreed;
}

}  // namespace semel::stream
