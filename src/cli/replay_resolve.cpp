#include "cli/replay_resolve.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "cli/command.hpp"
#include "cli/where.hpp"

namespace semel::cli {

namespace {

constexpr auto committed_word = "committed";

using Offsets = std::map<TopicPartition, Offset>;

class Resolving {
 public:
  explicit Resolving(const Asked& asked) : asked_(asked) {}

  Result<Stretch> resolve() const;

 private:
  Result<Offsets> resolve(const std::string& option, const std::vector<std::string>& where) const;
  Result<Offsets> of_ledger(const std::string& option) const;
  Result<Offsets> ends_of_another() const;

  const Asked& asked_;
};

Result<Offsets> Resolving::of_ledger(const std::string& option) const {
  if (asked_.outputs.size() > 1) {
    return usage(
        fmt::format("{} committed: each output stands where it stands; say which one is "
                    "meant, by --output",
                    option));
  }
  const auto ledger = app::outputs_of(asked_.live);
  const auto output = std::ranges::find(ledger, asked_.outputs.front(), &app::Output::name);
  const auto opened = output->open_ledger();
  if (!opened) return tl::unexpected(opened.error());
  const auto progress = (*opened)->progress();
  if (!progress) return tl::unexpected(progress.error());
  Offsets offsets;
  for (const auto& one : *progress) offsets[one.tp] = one.until;
  std::erase_if(offsets, [&](const auto& entry) {
    return std::ranges::find(asked_.partitions, entry.first) == asked_.partitions.end();
  });
  if (!offsets.empty()) return offsets;
  return usage(fmt::format("{} committed: the ledger knows nothing of pipeline {} yet", option,
                           asked_.live.pipeline.name));
}

Result<Offsets> Resolving::ends_of_another() const {
  auto other = asked_.live;
  other.pipeline.name = replay_pipeline(asked_.live.pipeline.name, asked_.after);
  const auto stretch = known_stretch(other, asked_.outputs.front());
  if (!stretch) return tl::unexpected(stretch.error());
  if (!*stretch) {
    return usage(fmt::format("--after {}: the ledger knows no replay of that name", asked_.after));
  }
  Offsets offsets;
  for (const auto& [tp, range] : (*stretch)->ranges) offsets[tp] = range.until;
  return offsets;
}

Result<Offsets> Resolving::resolve(const std::string& option,
                                   const std::vector<std::string>& where) const {
  if (where.size() == 1 && where.front() == committed_word) return of_ledger(option);
  if (where.size() == 1 && where.front().find('=') == std::string::npos) {
    const auto place = parse_where(option, where.front());
    if (!place) return tl::unexpected(place.error());
    return offsets_at(asked_.client, asked_.partitions, *place);
  }
  Offsets offsets;
  for (const auto& text : where) {
    const auto position = parse_position(text);
    if (!position) return tl::unexpected(position.error());
    if (std::ranges::find(asked_.partitions, position->tp) == asked_.partitions.end()) {
      return usage(fmt::format("{}: {} is none of the pipeline's partitions", option,
                               to_string(position->tp)));
    }
    if (!offsets.emplace(position->tp, position->until).second) {
      return usage(fmt::format("{}: {} is given twice", option, to_string(position->tp)));
    }
  }
  return offsets;
}

Result<Stretch> Resolving::resolve() const {
  const auto from = asked_.after.empty() ? resolve("--from", asked_.from) : ends_of_another();
  if (!from) return tl::unexpected(from.error());
  const auto until = resolve("--until", asked_.until);
  if (!until) return tl::unexpected(until.error());
  Stretch stretch;
  const bool given = asked_.until.front().find('=') != std::string::npos;
  for (const auto& [tp, begin] : *from) {
    const auto end = until->find(tp);
    if (end == until->end()) continue;
    if (begin > end->second && given) {
      return usage(
          fmt::format("{}: --until {} is before the begin, {}", to_string(tp), end->second, begin));
    }
    stretch.ranges[tp] = {tp, begin, std::max(begin, end->second)};
  }
  for (const auto& [tp, end] : *until) {
    if (asked_.after.empty() || from->contains(tp)) continue;
    return usage(fmt::format(
        "{} is not of replay {}, which may be older than the partition: load it with --from and "
        "--until of its own ({}:{}=OFFSET), and say with --until which partitions are meant here",
        to_string(tp), asked_.after, tp.topic, tp.partition));
  }
  if (stretch.ranges.empty()) {
    return usage("--from and --until have no partition in common");
  }
  return stretch;
}

/// Those with something to read.
std::vector<TopicPartition> partitions_of(const Stretch& stretch) {
  std::vector<TopicPartition> tps;
  for (const auto& [tp, range] : stretch.ranges) {
    if (range.from < range.until) tps.push_back(tp);
  }
  return tps;
}

}  // namespace

Result<Stretch> resolve_stretch(const Asked& asked) {
  return Resolving(asked).resolve();
}

Result<void> begins_in_the_log(const Stretch& stretch, kafka::PlannerClient& client,
                               engine::OnDataLoss on_data_loss) {
  const auto tps = partitions_of(stretch);
  const auto earliest = client.earliest(tps, where_timeout_ms);
  if (!earliest) return tl::unexpected(earliest.error());
  for (const auto& tp : tps) {
    const auto& range = stretch.ranges.at(tp);
    const auto begin = earliest->at(tp);
    if (range.from >= begin) continue;
    const auto gone =
        fmt::format("{}: the replay begins at offset {}, and Kafka has nothing before {} any more",
                    to_string(tp), range.from, begin);
    if (on_data_loss == engine::OnDataLoss::stop) {
      return fail(
          ErrorKind::data_loss, Cause::data_loss,
          gone + ": begin later, or set on_data_loss = \"skip\", which records what is lost");
    }
    spdlog::warn("{}", gone);
  }
  return {};
}

Result<void> ends_in_the_log(const Stretch& stretch, kafka::Options options,
                             const std::string& pipeline) {
  const auto tps = partitions_of(stretch);
  // What waits behind an open transaction is there, and is waited for.
  options.isolation = kafka::Isolation::read_uncommitted;
  const auto client = kafka::PlannerClient::connect(options, pipeline);
  if (!client) return tl::unexpected(client.error());
  const auto latest = (*client)->latest(tps, where_timeout_ms);
  if (!latest) return tl::unexpected(latest.error());
  for (const auto& tp : tps) {
    const auto until = stretch.ranges.at(tp).until;
    if (until <= latest->at(tp)) continue;
    return fail(ErrorKind::fatal, Cause::source,
                fmt::format("{}: the replay ends at offset {}, and the log at {}", to_string(tp),
                            until, latest->at(tp)));
  }
  return {};
}

}  // namespace semel::cli
