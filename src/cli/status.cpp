// semel status: owner, progress, lag, last batch, dead letters.
#include <fmt/format.h>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <semel/names.hpp>

#include "app/outputs.hpp"
#include "base/beside_kafka.hpp"
#include "cli/command.hpp"
#include "cli/console.hpp"
#include "cli/positions.hpp"
#include "cli/replay_range.hpp"
#include "cli/text.hpp"
#include "config/units.hpp"

namespace semel::cli {

namespace {

struct StatusOptions : FileOptions {
  bool json = false;
  bool running = false;
  std::optional<std::int64_t> max_lag;
  std::string max_age;
};

struct Status {
  std::optional<OwnerStatus> owner;
  Positions positions;
  std::optional<std::int64_t> lag;  ///< over all of Kafka's; absent when one is unknown
  std::uint64_t dead_letters = 0;
  Counts counts;
  std::vector<TopicPartition> disputed;  ///< as Ledger::disputed()
};

/// A replay has its end, and reads nothing of partitions that are not of its stretch.
Result<void> see_as_replay(const app::PipelineConfig& config, const app::Output& output,
                           Positions& positions) {
  const auto stretch = known_stretch(config, output.name());
  if (!stretch) return tl::unexpected(stretch.error());
  if (!*stretch) return {};
  const auto& ranges = (*stretch)->ranges;
  std::erase_if(positions.partitions, [&](const auto& one) { return !ranges.contains(one.tp); });
  for (auto& one : positions.partitions) {
    one.latest = ranges.at(one.tp).until;
    one.high_watermark.reset();
  }
  return {};
}

Result<Status> look(const app::PipelineConfig& config, const app::Output& output, bool replay) {
  auto ledger = output.open_ledger();
  if (!ledger) return tl::unexpected(ledger.error());
  auto owner = (*ledger)->owner();
  if (!owner) return tl::unexpected(owner.error());
  auto progress = (*ledger)->progress();
  if (!progress) return tl::unexpected(progress.error());
  auto dead_letters = (*ledger)->dead_letters();
  if (!dead_letters) return tl::unexpected(dead_letters.error());

  auto counts = (*ledger)->counts();
  if (!counts) return tl::unexpected(counts.error());

  auto disputed = (*ledger)->disputed();
  if (!disputed) return tl::unexpected(disputed.error());

  auto positions = look_up(config, *progress);
  if (!positions) return tl::unexpected(positions.error());
  if (replay) {
    if (auto seen = see_as_replay(config, output, *positions); !seen) {
      return tl::unexpected(seen.error());
    }
  }

  Status status{.owner = *std::move(owner),
                .positions = *std::move(positions),
                .dead_letters = *dead_letters,
                .counts = *std::move(counts),
                .disputed = *std::move(disputed)};
  std::int64_t lag = 0;
  bool known = status.positions.asked && !status.positions.kafka_failure;
  for (const auto& position : status.positions.partitions) {
    if (is_beside_kafka(position.tp)) continue;
    known = known && position.lag().has_value();
    lag += position.lag().value_or(0);
  }
  if (known) status.lag = lag;
  return status;
}

/// Whether a silent one lives nobody can know: a program with transactions of its own says nothing
/// while one takes long.
std::string in_words(const OwnerStatus& owner) {
  if (owner.state == OwnerState::running) return "running";
  if (owner.state == OwnerState::silent) {
    return fmt::format("silent for {}: it may be working, or gone",
                       for_people(owner.seen_seconds_ago));
  }
  return fmt::format("not running ({})", name_of(owner.state));
}

/// Why monitoring is to be told; empty: it is not.
std::string complaint(const Status& status, bool running,
                      const std::optional<std::int64_t>& max_lag,
                      const std::optional<std::int64_t>& max_age_ms) {
  if (running && !status.owner) return "the pipeline was never started";
  if (running && status.owner->state != OwnerState::running) {
    return fmt::format("the pipeline is {}", in_words(*status.owner));
  }
  if (!max_lag && !max_age_ms) return {};
  if (!status.lag) {
    return status.positions.asked ? "the lag is unknown" : "the lag is unknown: Kafka is not asked";
  }
  if (max_lag && *status.lag > *max_lag) {
    return fmt::format("the lag is {}, more than {}", grouped(*status.lag), grouped(*max_lag));
  }
  if (!max_age_ms || *status.lag == 0) return {};
  if (!status.owner || !status.owner->moved_seconds_ago) {
    return "there is something to read, and nothing was committed yet";
  }
  if (*status.owner->moved_seconds_ago * 1e3 > static_cast<double>(*max_age_ms)) {
    return fmt::format("there is something to read, and the last commit was {} ago",
                       for_people(*status.owner->moved_seconds_ago));
  }
  return {};
}

nlohmann::ordered_json maybe(const std::optional<std::int64_t>& number) {
  return number ? nlohmann::ordered_json(*number) : nlohmann::ordered_json(nullptr);
}

bool is_disputed(const Status& status, const TopicPartition& tp) {
  return std::ranges::find(status.disputed, tp) != status.disputed.end();
}

nlohmann::ordered_json json_of(const Status& status) {
  nlohmann::ordered_json json{{"owner", nullptr}};
  if (const auto& owner = status.owner) {
    json["owner"] = {{"alive", owner->state == OwnerState::running},
                     {"state", name_of(owner->state)},
                     {"reason", owner->reason},
                     {"heartbeat_ms", owner->heartbeat_ms},
                     {"id", owner->id},
                     {"description", owner->description},
                     {"epoch", owner->epoch},
                     {"since", owner->since},
                     {"seen_seconds_ago", owner->seen_seconds_ago},
                     {"moved_seconds_ago", owner->moved_seconds_ago
                                               ? nlohmann::ordered_json(*owner->moved_seconds_ago)
                                               : nlohmann::ordered_json(nullptr)},
                     {"cluster_id", owner->cluster_id}};
  }
  const auto& failure = status.positions.kafka_failure;
  json["kafka"] = nullptr;
  if (status.positions.asked) {
    json["kafka"] = {{"reachable", !failure.has_value()},
                     {"error", failure ? nlohmann::ordered_json(failure->message)
                                       : nlohmann::ordered_json(nullptr)}};
  }
  json["lag"] = maybe(status.lag);
  json["dead_letters"] = status.dead_letters;
  const auto& counts = status.counts;
  json["lost_offsets"] = counts.lost;
  json["counted"] = nullptr;
  if (counts.commits > 0) {
    json["counted"] = {{"since", counts.since},
                       {"commits", counts.commits},
                       {"records", counts.records()},
                       {"rows", counts.rows},
                       {"dead_letters", counts.dead_letters},
                       {"ignored", counts.ignored},
                       {"suppressed", counts.suppressed},
                       {"uncounted_commits", counts.uncounted}};
  }
  json["partitions"] = nlohmann::ordered_json::array();
  for (const auto& position : status.positions.partitions) {
    const auto& progress = position.progress;
    const bool moved = progress && progress->batch_time.ms != 0;
    json["partitions"].push_back(
        {{"topic", position.tp.topic},
         {"partition", position.tp.partition},
         {"committed", maybe(progress ? std::optional(progress->until) : std::nullopt)},
         {"earliest", maybe(position.earliest)},
         {"latest", maybe(position.latest)},
         {"lag", maybe(position.lag())},
         {"high_watermark", maybe(position.high_watermark)},
         {"behind_open_transaction", position.behind_transaction()},
         {"disputed", is_disputed(status, position.tp)},
         {"last_batch_time_ms",
          maybe(moved ? std::optional(progress->batch_time.ms) : std::nullopt)},
         {"last_batch_time", moved ? nlohmann::ordered_json(when(progress->batch_time))
                                   : nlohmann::ordered_json(nullptr)}});
  }
  return json;
}

/// Of one output, the object that it always was; of several, a list of them. An output that could
/// not be asked has its error.
void print_json(const app::PipelineConfig& config, const std::vector<app::Output>& outputs,
                const std::vector<Result<Status>>& found) {
  nlohmann::ordered_json json{{"pipeline", config.pipeline.name}};
  for (std::size_t i = 0; i < found.size(); ++i) {
    auto one =
        found[i] ? json_of(*found[i]) : nlohmann::ordered_json{{"error", found[i].error().message}};
    if (found.size() == 1) {
      json.update(one);
      break;
    }
    nlohmann::ordered_json named{{"output", outputs[i].name()}, {"target", outputs[i].target()}};
    named.update(one);
    json["outputs"].push_back(std::move(named));
  }
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

/// What could not be looked at, of what is read.
void print_sources(const app::PipelineConfig& config, const Status& status) {
  if (const auto& failure = status.positions.kafka_failure) {
    fmt::print("Kafka could not be asked: {}\n", failure->message);
  }
  const bool local = std::ranges::any_of(status.positions.partitions,
                                         [](const auto& one) { return is_beside_kafka(one.tp); });
  if (local) fmt::print("What waits in the logs of this machine (+…) is not looked at\n");
  if (!status.positions.asked) {
    fmt::print("Kafka is not asked: {}\n",
               config.reads_kafka ? "no topics are known yet" : "there is no [source.kafka]");
  }
}

void print_text(const app::PipelineConfig& config, const Status& status) {
  if (const auto& owner = status.owner) {
    fmt::print("pipeline {}: {}, epoch {}\n  {}\n  since {}, seen {} ago\n", config.pipeline.name,
               in_words(*owner), owner->epoch, owner->description, owner->since,
               for_people(owner->seen_seconds_ago));
    if (!owner->reason.empty()) fmt::print("  it ended with: {}\n", owner->reason);
  } else {
    fmt::print("pipeline {}: never started\n", config.pipeline.name);
  }
  const auto number = [](const std::optional<std::int64_t>& n) {
    return n ? grouped(*n) : std::string("-");
  };
  std::vector<std::vector<std::string>> rows{
      {"partition", "committed", "latest", "lag", "last batch"}};
  for (const auto& position : status.positions.partitions) {
    const auto& progress = position.progress;
    rows.push_back({to_string(position.tp),
                    number(progress ? std::optional(progress->until) : std::nullopt),
                    number(position.latest), number(position.lag()),
                    progress ? when(progress->batch_time) : "-"});
  }
  if (rows.size() > 1) fmt::print("\n{}", table(rows, true));
  fmt::print("\nlag {}, dead letters {}\n", status.lag ? grouped(*status.lag) : "unknown",
             grouped(status.dead_letters));
  if (const auto& counts = status.counts; counts.commits > 0) {
    fmt::print("counted since {}: {}: {}, {}, {} ignored, {} suppressed\n", counts.since,
               counted(counts.records(), "record"), counted(counts.rows, "row"),
               counted(counts.dead_letters, "dead letter"), grouped(counts.ignored),
               grouped(counts.suppressed));
    if (counts.uncounted > 0) {
      fmt::print("{} of {} commits are of an earlier semel, which did not count what it left out\n",
                 grouped(counts.uncounted), grouped(counts.commits));
    }
  }
  if (status.counts.lost > 0) {
    fmt::print("{} recorded as lost (on_data_loss); `semel verify` lists them\n",
               counted(status.counts.lost, "offset"));
  }
  for (const auto& position : status.positions.partitions) {
    if (position.past_the_end()) {
      fmt::print(
          "{}: offset {} is past the end of the log, {}: `semel check` says what that means\n",
          to_string(position.tp), grouped(position.progress->until), grouped(*position.latest));
    }
    const auto waiting = position.behind_transaction();
    if (waiting == 0) continue;
    fmt::print(
        "{}: {} records wait behind an open transaction (high watermark {}, last stable offset "
        "{}): its producer has not ended it\n",
        to_string(position.tp), waiting, *position.high_watermark, *position.latest);
  }
  for (const auto& position : status.positions.partitions) {
    if (!position.progress || !position.latest || position.progress->until <= *position.latest)
      continue;
    fmt::print(
        "{}: committed up to {}, but the log ends at {}: the topic was made anew or cut off, and "
        "the "
        "pipeline stops there\n",
        to_string(position.tp), grouped(position.progress->until), grouped(*position.latest));
  }
  for (const auto& tp : status.disputed) {
    fmt::print(
        "{}: what is stored is not what its position says, and nothing goes on there: the next "
        "start says what to do\n",
        to_string(tp));
  }
  print_sources(config, status);
}

ExitCode status(const StatusOptions& options) {
  std::optional<std::int64_t> max_age_ms;
  if (!options.max_age.empty()) {
    max_age_ms = config::parse_duration(options.max_age);
    if (!max_age_ms) {
      return report(
          {ErrorKind::fatal, Cause::configuration,
           fmt::format("--max-age needs a duration such as 30s or 5m, not {}", options.max_age)});
    }
  }
  const auto config = load_configuration(options);
  if (!config) return report(config.error());
  const auto outputs = outputs_of(*config, options);
  if (!outputs) return report(outputs.error());
  std::vector<Result<Status>> found;
  for (const auto& output : *outputs) {
    found.push_back(look(*config, output, !options.of_replay.empty()));
  }
  // Where the only output cannot be asked, its error is all there is to say.
  if (found.size() == 1 && !found.front()) return report(found.front().error());
  if (options.json) print_json(*config, *outputs, found);
  auto code = ExitCode::ok;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!options.json) print_heading(*outputs, (*outputs)[i]);
    if (!found[i]) {
      // More than being behind: the first of these is the exit code.
      const auto failed = report(found[i].error());
      if (code == ExitCode::ok || code == ExitCode::behind) code = failed;
      continue;
    }
    if (!options.json) print_text(*config, *found[i]);
    const auto behind = complaint(*found[i], options.running, options.max_lag, max_age_ms);
    if (behind.empty()) continue;
    const auto which =
        found.size() > 1 ? fmt::format("output {}: ", (*outputs)[i].name()) : std::string();
    Console::shared().line("semel: " + which + behind);
    if (code == ExitCode::ok) code = ExitCode::behind;
  }
  return code;
}

}  // namespace

void add_status(CLI::App& app, ExitCode& code) {
  auto* command = app.add_subcommand("status", "show owner, progress, lag and dead letters");
  auto options = std::make_shared<StatusOptions>();
  add_file_options(*command, *options);
  add_replay_option(*command, *options);
  command->add_flag("--json", options->json, "for machines");
  command
      ->add_option("--max-lag", options->max_lag,
                   "exit with 9 where more offsets than this wait, or it is not known how many")
      ->type_name("N")
      ->check(at_least(0));
  command->add_flag("--running", options->running,
                    "exit with 9 where no process runs the pipeline");
  command
      ->add_option("--max-age", options->max_age,
                   "exit with 9 where something waits and the last commit is older than this")
      ->type_name("DURATION");
  command->callback([options, &code] { code = status(*options); });
}

}  // namespace semel::cli
