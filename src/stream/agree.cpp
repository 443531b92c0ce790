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
  return fail(ErrorKind::fatal, Cause::sink,
              fmt::format("the outputs {} and {} stand where no crash leaves them{}. A ledger was "
                          "restored or set by hand; set the outputs to one place with "
                          "`semel offsets set --output`, and start again",
                          a.output, b.output, where));
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

}  // namespace

Result<Agreed> agree(std::span<const Standing> standings) {
  std::vector<Places> places;
  for (const auto& standing : standings) places.push_back(places_of(standing));

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

  Agreed agreed;
  agreed.to_enter.resize(standings.size());
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
