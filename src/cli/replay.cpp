// semel replay: a stretch of the past once more, beside the pipeline, with a ledger of its own.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <utility>

#include "base/pipeline_names.hpp"
#include "cli/console.hpp"
#include "cli/replay_range.hpp"
#include "cli/replay_resolve.hpp"
#include "cli/run.hpp"
#include "cli/text.hpp"
#include "cli/where.hpp"
#include "cli/written_again.hpp"
#include "config/value.hpp"
#include "engine/state_directory.hpp"
#include "library/with_source.hpp"

namespace semel::cli {

namespace {

struct ReplayArguments : FileOptions {
  std::vector<std::string> from;
  std::vector<std::string> until;
  std::string after;
  std::string into;
  std::string name;
  bool yes = false;
  bool dry_run = false;
  bool forget = false;
};

std::int64_t checksum_of(const ReplayArguments& options) {
  std::string all;
  const auto add = [&](const std::string& text) { all.append(text).push_back('\0'); };
  for (const auto& one : options.from) add(one);
  add("");
  for (const auto& one : options.until) add(one);
  add(options.after);
  add(options.into);
  return static_cast<std::int64_t>(
      crc32(0, reinterpret_cast<const Bytef*>(all.data()), static_cast<uInt>(all.size())));
}

/// "[sink.postgres]" and the like, that write into a table which --into can replace.
Result<std::string> table_setting(const app::PipelineConfig& config,
                                  const ReplayArguments& options) {
  std::vector<std::string> settings;
  for (const auto& sink : config.sinks) {
    if (!options.output.empty() && sink.output != options.output) continue;
    const auto section = "sink." + sink.connector;
    for (const auto& one : app::schema().sections()) {
      if (one.path != section) continue;
      const bool has = std::ranges::any_of(
          one.settings, [](const auto& setting) { return setting.path == "table"; });
      if (has) settings.push_back(section + ".table");
      for (const auto& setting : one.settings) {
        auto given = sink.options;
        const bool names_others = setting.path == "routes" || setting.path == "tables";
        if (!names_others || setting.binding.show(given).empty()) continue;
        return usage(
            fmt::format("--into names one table, and {}.{} has others: replay a file of "
                        "its own, with the tables that are meant",
                        section, setting.path));
      }
    }
  }
  if (settings.size() == 1) return settings.front();
  return usage(settings.empty() ? "--into names a table, and this output has none"
                                : "--into names the table of one output: say which, by --output");
}

/// What of the configuration is the live pipeline's alone is taken out.
app::PipelineConfig as_replay(app::PipelineConfig config, const std::string& replay) {
  auto& pipeline = config.pipeline;
  pipeline.name = replay_pipeline(pipeline.name, replay);
  pipeline.kafka.commit_group_offsets = false;
  config.http.listen.clear();
  return config;
}

/// One command on its way.
class Replay {
 public:
  Replay(ReplayArguments options, std::string name, app::PipelineConfig live,
         app::PipelineConfig config, std::vector<app::Output> outputs)
      : options_(std::move(options)),
        name_(std::move(name)),
        live_(std::move(live)),
        config_(as_replay(std::move(config), name_)),
        outputs_(std::move(outputs)) {
    for (const auto& output : outputs_) names_.push_back(output.name());
  }

  ExitCode run();
  ExitCode forget();

 private:
  Result<std::optional<Stretch>> known() const;
  Result<void> rows_may_be_there() const;
  void show(const Stretch& stretch) const;
  Result<Stretch> begin();
  Result<void> prepare(const Stretch& stretch);
  Result<bool> is_done(const Stretch& stretch) const;
  ExitCode load();
  std::string again(std::string_view command, std::string_view action = "") const {
    return fmt::format("semel {} {} {}--replay {}", command, options_.file, action, name_);
  }

  ReplayArguments options_;
  std::string name_;
  app::PipelineConfig live_;
  app::PipelineConfig config_;
  std::vector<app::Output> outputs_;  ///< with the names of the live pipeline
  std::vector<std::string> names_;
  std::unique_ptr<kafka::PlannerClient> client_;
  std::vector<TopicPartition> partitions_;
};

/// The first output that knows it tells it to the others.
Result<std::optional<Stretch>> Replay::known() const {
  for (const auto& output : names_) {
    auto stretch = known_stretch(config_, output);
    if (!stretch || *stretch) return stretch;
  }
  return std::nullopt;
}

/// Into a table that has rows: the live pipeline's, or another one.
Result<void> Replay::rows_may_be_there() const {
  // What comes behind another replay is none of its records.
  if (!options_.after.empty()) return {};
  for (const auto& output : outputs_) {
    if (!options_.into.empty() && !output.looks_for_rows()) continue;
    const auto again = output.written_again();
    if (!again) return tl::unexpected(again.error());
    const auto what = in_words(*again);
    if (what.empty()) continue;
    const auto text = fmt::format("{}: {}", output.target(), what);
    if (!options_.yes && !options_.dry_run) {
      return usage(
          fmt::format("{}. --into TABLE loads into another table, or a file of the same "
                      "name with other tables, where there are several; --yes does it "
                      "all the same",
                      text));
    }
    spdlog::warn("{}", text);
  }
  return {};
}

void Replay::show(const Stretch& stretch) const {
  std::vector<std::vector<std::string>> rows{{"partition", "from", "until", "offsets"}};
  for (const auto& [tp, range] : stretch.ranges) {
    rows.push_back({to_string(tp), grouped(range.from), grouped(range.until),
                    grouped(range.until - range.from)});
  }
  fmt::print("replay {} of pipeline {} into {}\n{}", name_, live_.pipeline.name,
             outputs_.size() == 1 ? outputs_.front().target() : "its outputs", table(rows));
  std::fflush(stdout);
}

Result<Stretch> Replay::begin() {
  auto wanted = known();
  if (!wanted) return tl::unexpected(wanted.error());
  if (*wanted && (*wanted)->asked != checksum_of(options_)) {
    return usage(
        fmt::format("replay {} has begun with another --from, --until, --after or --into: "
                    "give this one another --name, or remove that one with --forget",
                    name_));
  }
  if (!*wanted) {
    auto resolved = resolve_stretch({.from = options_.from,
                                     .until = options_.until,
                                     .after = options_.after,
                                     .live = live_,
                                     .outputs = names_,
                                     .partitions = partitions_,
                                     .client = *client_});
    if (!resolved) return resolved;
    resolved->asked = checksum_of(options_);
    *wanted = *std::move(resolved);
    const auto there = begins_in_the_log(**wanted, *client_, config_.pipeline.on_data_loss);
    if (!there) return tl::unexpected(there.error());
    if (auto may = rows_may_be_there(); !may) return tl::unexpected(may.error());
  }
  const auto there = ends_in_the_log(**wanted, config_.pipeline.kafka, config_.pipeline.name);
  if (!there) return tl::unexpected(there.error());
  if (options_.dry_run) return **wanted;
  const auto cluster = client_->cluster_id(where_timeout_ms);
  if (!cluster) return tl::unexpected(cluster.error());
  return agree_on(config_, names_, *cluster, **wanted);
}

/// Partitions that are not of the stretch begin where they end.
Result<void> Replay::prepare(const Stretch& stretch) {
  auto& pipeline = config_.pipeline;
  std::set<std::string> topics;
  std::map<TopicPartition, Offset> ends;
  kafka::StartOffsets start;
  for (const auto& [tp, range] : stretch.ranges) {
    topics.insert(tp.topic);
    start.offsets[tp] = range.from;
    ends[tp] = range.until;
  }
  std::vector<TopicPartition> others;
  for (const auto& tp : partitions_) {
    if (topics.contains(tp.topic) && !ends.contains(tp)) others.push_back(tp);
  }
  if (!others.empty()) {
    const auto latest = client_->latest(others, where_timeout_ms);
    if (!latest) return tl::unexpected(latest.error());
    start.offsets.insert(latest->begin(), latest->end());
  }
  pipeline.kafka.topics.assign(topics.begin(), topics.end());
  config_.found_by = std::exchange(pipeline.kafka.topic_pattern, {});
  pipeline.kafka.start = std::move(start);
  pipeline.ends = std::move(ends);
  return {};
}

Result<bool> Replay::is_done(const Stretch& stretch) const {
  for (const auto& output : app::outputs_of(config_)) {
    if (std::ranges::find(names_, output.name()) == names_.end()) continue;
    const auto ledger = output.open_ledger();
    if (!ledger) return tl::unexpected(ledger.error());
    const auto progress = (*ledger)->progress();
    if (!progress) return tl::unexpected(progress.error());
    for (const auto& [tp, range] : stretch.ranges) {
      const auto at = std::ranges::find(*progress, tp, &Progress::tp);
      if (at == progress->end() || at->until < range.until) return false;
    }
  }
  return true;
}

ExitCode Replay::load() {
  RunOptions run;
  run.file = options_.file;
  run.output = options_.output;
  run.once = true;
  run.ended = [this](bool all) {
    if (all) {
      fmt::print("replay {} is done. `{}` proves it\n", name_, again("verify"));
    } else {
      fmt::print("replay {} was stopped: the same command goes on with it\n", name_);
    }
    std::fflush(stdout);
  };
  return run_pipeline(run, [this]() -> Result<Pipeline> {
    const auto log = set_up_log(LogLevel::trace);
    auto pipeline = PipelineParts::create(
        config_, {.log = [log](LogLevel level, std::string_view line) { log.say(level, line); },
                  .once = true,
                  .only_output = options_.output});
    if (pipeline) set_up_log(pipeline->log_level());
    return pipeline;
  });
}

ExitCode Replay::run() {
  auto client = kafka::PlannerClient::connect(live_.pipeline.kafka, config_.pipeline.name);
  if (!client) return report(client.error());
  client_ = *std::move(client);
  auto discovered = client_->discover(where_timeout_ms);
  if (!discovered) return report(discovered.error());
  partitions_ = std::move(discovered->partitions);
  const auto stretch = begin();
  if (!stretch) return report(stretch.error());
  show(*stretch);
  if (options_.dry_run) {
    fmt::print("\nDry run: nothing was changed.\n");
    return ExitCode::ok;
  }
  const auto done = is_done(*stretch);
  if (!done) return report(done.error());
  if (*done) {
    fmt::print(
        "it is done already: nothing was read. `{}` proves it; --forget removes it from the "
        "ledger\n",
        again("verify"));
    return ExitCode::ok;
  }
  if (auto ready = prepare(*stretch); !ready) return report(ready.error());
  return load();
}

ExitCode Replay::forget() {
  const auto begun = known();
  if (!begun) return report(begun.error());
  if (!*begun) {
    return report(usage(fmt::format("pipeline {} has no replay {}: nothing is forgotten",
                                    live_.pipeline.name, name_))
                      .value());
  }
  for (const auto& output : app::outputs_of(config_)) {
    if (std::ranges::find(names_, output.name()) == names_.end()) continue;
    const auto ledger = output.open_ledger();
    if (!ledger) return report(ledger.error());
    const auto letters = (*ledger)->dead_letters();
    if (!letters) return report(letters.error());
    if (*letters > 0 && output.open_dead_letters()) {
      return report(usage(fmt::format("{} of replay {} are kept: redrive or drop them first (`{}`)",
                                      counted(*letters, "dead letter"), name_,
                                      again("dead-letters", "list ")))
                        .value());
    }
    if (auto gone = forget_replay(config_, output.name()); !gone) return report(gone.error());
  }
  std::error_code ignored;
  std::filesystem::remove_all(engine::state_directory(config_.pipeline), ignored);
  fmt::print("replay {} is forgotten: the same command would load all of it again\n", name_);
  return ExitCode::ok;
}

CLI::Validator replay_name() {
  return {[](const std::string& name) -> std::string {
            // With those of a pipeline and what is added to them it names a directory.
            constexpr std::size_t name_max = 40;
            if (name.size() > name_max) return "must have at most 40 characters";
            return output_name_mistake(name).value_or("");
          },
          ""};
}

Result<void> check_words(const ReplayArguments& options) {
  if (options.forget) {
    if (!options.name.empty()) return {};
  } else if (options.until.empty()) {
    return usage("replay needs --until");
  }
  if (options.from.empty() == options.after.empty() && !options.forget) {
    return usage("replay needs either --from or --after");
  }
  return {};
}

ExitCode replay(ReplayArguments options) {
  if (auto fits = check_words(options); !fits) return report(fits.error());
  if (options.name.empty()) options.name = fmt::format("{:08x}", checksum_of(options));
  auto live = load_configuration(options, false);
  if (!live) return report(live.error());
  auto with = options;
  if (!options.into.empty()) {
    const auto setting = table_setting(*live, options);
    if (!setting) return report(setting.error());
    with.sets.push_back(*setting + "=" + config::quoted(options.into));
  }
  auto config = load_configuration(with, false);
  if (!config) return report(config.error());
  auto outputs = outputs_of(*config, options);
  if (!outputs) return report(outputs.error());
  for (const auto& output : *outputs) {
    if (output.keeps_ledger()) continue;
    return report(
        usage(fmt::format("{} remembers nothing: a replay needs a ledger", output.name())).value());
  }
  Replay one(options, options.name, *std::move(live), *std::move(config), *std::move(outputs));
  return options.forget ? one.forget() : one.run();
}

}  // namespace

void add_replay(CLI::App& app, ExitCode& code) {
  auto* command = app.add_subcommand(
      "replay", "load a stretch of the past once more, beside the running pipeline");
  auto options = std::make_shared<ReplayArguments>();
  add_file_options(*command, *options);
  const auto places =
      "earliest, latest, committed, a moment (2026-01-31T00:00:00Z, 2026-01-31, -2h), or "
      "TOPIC:PARTITION=OFFSET, once for each partition";
  command->add_option("--from", options->from, fmt::format("where it begins: {}", places))
      ->type_name("WHERE")
      ->allow_extra_args(false);
  command->add_option("--until", options->until, "where it ends, which is not read: likewise")
      ->type_name("WHERE")
      ->allow_extra_args(false);
  command->add_option("--after", options->after, "instead of --from: where that replay ends")
      ->type_name("NAME");
  command->add_option("--into", options->into, "into this table instead of the configured one")
      ->type_name("TABLE");
  command
      ->add_option("--name", options->name,
                   "what the ledger calls it; default: a checksum of the options above")
      ->type_name("NAME")
      ->check(replay_name());
  command->add_flag("--yes", options->yes,
                    "also into a table in which rows would be doubled, or refused");
  command->add_flag("--dry-run", options->dry_run, "only say what would be loaded");
  command->add_flag("--forget", options->forget, "remove the replay from the ledger");
  command->callback([options, &code] { code = replay(*options); });
}

}  // namespace semel::cli
