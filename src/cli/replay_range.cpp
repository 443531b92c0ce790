#include "cli/replay_range.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/owner.hpp"
#include "engine/same_cluster.hpp"

namespace semel::cli {

namespace {

// Stored: do not change. No topic, and no pipeline of a configuration, may have a ~ in its name.
constexpr std::string_view from_suffix = "~from";
constexpr std::string_view until_suffix = "~until";
constexpr auto asked_topic = "~asked";

/// The ledger's rows of what a replay is to load are those of a pipeline beside the replay's.
app::PipelineConfig notes_of(app::PipelineConfig replay) {
  replay.pipeline.name += "~range";
  return replay;
}

app::Output output_of(const app::PipelineConfig& config, const std::string& name) {
  const auto outputs = app::outputs_of(config);
  return *std::ranges::find(outputs, name, &app::Output::name);
}

std::vector<Progress> rows_of(const Stretch& stretch) {
  std::vector<Progress> rows{{.tp = {asked_topic, 0}, .until = stretch.asked}};
  for (const auto& [tp, range] : stretch.ranges) {
    rows.push_back(
        {.tp = {tp.topic + std::string(from_suffix), tp.partition}, .until = range.from});
    rows.push_back(
        {.tp = {tp.topic + std::string(until_suffix), tp.partition}, .until = range.until});
  }
  std::ranges::sort(rows, {}, &Progress::tp);
  return rows;
}

std::optional<Stretch> stretch_in(std::span<const Progress> rows) {
  if (rows.empty()) return std::nullopt;
  Stretch stretch;
  for (const auto& row : rows) {
    const auto& topic = row.tp.topic;
    if (topic == asked_topic) stretch.asked = row.until;
    const auto range = [&](std::string_view suffix) -> OffsetRange& {
      const TopicPartition tp{topic.substr(0, topic.size() - suffix.size()), row.tp.partition};
      auto& found = stretch.ranges[tp];
      found.tp = tp;
      return found;
    };
    if (topic.ends_with(from_suffix)) range(from_suffix).from = row.until;
    if (topic.ends_with(until_suffix)) range(until_suffix).until = row.until;
  }
  return stretch;
}

Result<Stretch> agree_in(const app::PipelineConfig& notes, const std::string& output,
                         const std::string& cluster_id, const Stretch& wanted) {
  const auto sink =
      output_of(notes, output).sink_factory()(engine::new_owner(notes.pipeline, output));
  if (!sink) return tl::unexpected(sink.error());
  const auto taken = (*sink)->take_over(cluster_id);
  if (!taken) return tl::unexpected(taken.error());
  if (auto same = engine::same_cluster(notes.pipeline, taken->cluster_id, cluster_id); !same) {
    return tl::unexpected(same.error());
  }
  if (auto known = stretch_in(taken->progress)) {
    (*sink)->leave(std::nullopt);
    return *std::move(known);
  }
  const auto entered = (*sink)->enter(rows_of(wanted));
  (*sink)->leave(std::nullopt);
  if (!entered) return tl::unexpected(entered.error());
  if (std::holds_alternative<Refused>(*entered)) {
    return fail(ErrorKind::fatal, Cause::fenced,
                fmt::format("another process has begun the same replay: run the command again, "
                            "and it goes on where that one stands"));
  }
  return wanted;
}

}  // namespace

// Stored: do not change.
std::string replay_pipeline(const std::string& pipeline, const std::string& replay) {
  return pipeline + "~replay~" + replay;
}

Result<std::optional<Stretch>> known_stretch(const app::PipelineConfig& replay,
                                             const std::string& output) {
  // Where there is no ledger yet, who writes into it makes it, and says what is wrong with it.
  const auto ledger = output_of(notes_of(replay), output).open_ledger();
  if (!ledger) return std::nullopt;
  const auto rows = (*ledger)->progress();
  if (!rows) return tl::unexpected(rows.error());
  return stretch_in(*rows);
}

Result<Stretch> agree_on(const app::PipelineConfig& replay, std::span<const std::string> outputs,
                         const std::string& cluster_id, const Stretch& wanted) {
  const auto notes = notes_of(replay);
  auto agreed = wanted;
  for (const auto& output : outputs) {
    auto one = agree_in(notes, output, cluster_id, agreed);
    if (!one) return one;
    if (&output != &outputs.front() && one->ranges != agreed.ranges) {
      return fail(ErrorKind::fatal, Cause::configuration,
                  fmt::format("the outputs {} and {} know another stretch of this replay each: go "
                              "on with --output, one after the other",
                              outputs.front(), output));
    }
    agreed = *std::move(one);
  }
  return agreed;
}

Result<void> forget_replay(const app::PipelineConfig& replay, const std::string& output) {
  // The range goes last: where this is broken off, the replay is as one that has not begun.
  for (const auto& config : {replay, notes_of(replay)}) {
    const auto ledger = output_of(config, output).open_ledger();
    if (!ledger) return tl::unexpected(ledger.error());
    if (auto done = (*ledger)->forget(); !done) return done;
  }
  return {};
}

}  // namespace semel::cli
