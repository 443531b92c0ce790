// semel state: what a pipeline's stages remember: shown, copied, put back, emptied.
#include <fmt/format.h>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/crash_point.hpp"
#include "base/wall_clock.hpp"
#include "cli/command.hpp"
#include "cli/positions.hpp"
#include "cli/state_look.hpp"
#include "cli/text.hpp"
#include "engine/state_directory.hpp"
#include "state/behind.hpp"
#include "state/directory.hpp"
#include "state/moving.hpp"
#include "state/stages.hpp"

namespace semel::cli {

using state::to_string;

namespace {

struct StateOptions : FileOptions {
  std::string action;
  std::string directory;  ///< of a checkpoint
  std::string stage;
  bool yes = false;
};

std::string in_words(const state::Version& version) {
  if (version == state::Version()) return to_string(version);
  return fmt::format("{}, {}", to_string(version), when(version.time));
}

Result<void> show_store(const state::Store& store) {
  const auto stored = store.stored();
  fmt::print("at {}\n", in_words(stored.base));
  if (stored.prepared) {
    const auto delta = store.prepared_delta();
    if (!delta) return tl::unexpected(delta.error());
    fmt::print("prepared: {}, which changes {}\n", in_words(stored.prepared->version),
               counted(delta->size(), "key"));
  }
  if (stored.undo && stored.undo->version == stored.base) {
    fmt::print("can go back by one batch, to {}\n", in_words(stored.undo->parent));
  }
  const auto stages = state::stages_in(store);
  if (!stages) return tl::unexpected(stages.error());
  std::vector<std::vector<std::string>> rows{{"stage", "keys", "bytes", "kept as"}};
  for (const auto& stage : *stages) {
    rows.push_back({stage.stage, grouped(stage.keys), grouped(stage.bytes), stage.shape});
  }
  fmt::print("{}", rows.size() > 1 ? "\n" + table(rows, true) : "it is empty\n");
  return {};
}

/// The versions in the ledgers; absent where one could not be read.
std::optional<std::vector<state::OutputVersion>> show_outputs(const app::PipelineConfig& config,
                                                              ExitCode& code) {
  std::vector<OutputLedger> outputs;
  bool all = true;
  fmt::print("\n");
  for (const auto& output : app::outputs_of(config)) {
    auto read = read_ledger(output);
    if (!read) {
      fmt::print("output {}, {}: not read\n", output.name(), output.target());
      std::fflush(stdout);
      if (const auto failed = report(read.error()); code == ExitCode::ok) code = failed;
      all = false;
      continue;
    }
    const bool is_new = read->progress.empty();
    fmt::print(
        "output {}, {}: {}\n", output.name(), output.target(),
        is_new ? "nothing yet, begins where the others are" : "at " + in_words(read->version()));
    outputs.push_back(*std::move(read));
  }
  if (!all || outputs.empty()) return std::nullopt;
  return versions_of(outputs);
}

/// Without keeping anybody from it: a program that starts meanwhile finds it free. nullptr: there
/// is none.
Result<std::unique_ptr<const state::Store>> look_at_state(const std::string& directory) {
  const auto there = state::has_state(directory);
  if (!there) return tl::unexpected(there.error());
  return *there ? state::Store::look(directory) : std::unique_ptr<const state::Store>();
}

ExitCode show(const app::PipelineConfig& config, const std::string& directory) {
  fmt::print("state of pipeline {}, in {}\n", config.pipeline.name, directory);
  const auto held = state::nobody_has(directory);
  if (!held) fmt::print("{} has it: this is how it was a moment ago\n", state::who_has(directory));
  std::fflush(stdout);
  auto code = ExitCode::ok;
  const auto store = look_at_state(directory);
  if (!store) {
    code = report(store.error());
  } else if (!*store) {
    fmt::print("there is none\n");
  } else if (const auto shown = show_store(**store); !shown) {
    code = report(shown.error());
  }
  const auto versions = show_outputs(config, code);
  if (const auto begun = state::nothing_begun(directory); !begun) {
    std::fflush(stdout);
    return report(begun.error());
  }
  if (!versions || !store || !held) return code;
  const auto stored = *store ? (*store)->stored() : state::Stored();
  fmt::print("\n{}\n", what_a_start_does(stored, *versions, directory));
  const bool refused = state::decide(stored, *versions).remedy == state::Remedy::refuse;
  return refused && code == ExitCode::ok ? ExitCode::state : code;
}

Result<void> checkpoint(const std::string& directory, const std::string& to) {
  auto store = open_existing(directory);
  if (!store) {
    auto error = store.error();
    error.message +=
        ". While a pipeline runs, its program makes checkpoints, by Pipeline::checkpoint()";
    return tl::unexpected(std::move(error));
  }
  if (!*store) {
    return fail(ErrorKind::fatal, Cause::state, fmt::format("there is no state in {}", directory));
  }
  if (auto made = (*store)->checkpoint(to); !made) return made;
  fmt::print("{} has the state at {}\n", to, in_words((*store)->stored().base));
  return {};
}

/// A copy beside the state, which goes again where it is not to be used.
Result<state::Stored> copied(const std::string& from, const std::string& made) {
  auto done = state::copy_state(from, made);
  if (done) {
    auto store = state::Store::open(made);
    if (store) return (*store)->stored();
    done = tl::unexpected(store.error());
  }
  std::error_code ignored;
  std::filesystem::remove_all(made, ignored);
  return tl::unexpected(done.error());
}

/// What to do where a checkpoint is not where the outputs are.
Result<std::string> ways_to_fit(const std::vector<OutputLedger>& outputs,
                                const state::Stored& stored, const std::string& file) {
  const auto first =
      std::ranges::find_if(outputs, [](const auto& one) { return !one.progress.empty(); });
  std::optional<std::vector<Progress>> positions;
  if (first != outputs.end()) {
    const auto moves = moves_of(*first);
    if (!moves) return tl::unexpected(moves.error());
    positions = state::positions_behind(stored.base, *moves, first->progress);
  }
  if (!positions) {
    return std::string(
        "The outputs' history has not that batch, so they cannot go back to it: put another "
        "checkpoint in place, or begin with an empty state");
  }
  return fmt::format(
      "To go on from the checkpoint, move the outputs back to where they were then ({}): `semel "
      "offsets {} set --state rewind`. Rows that they have from behind it stay, and come again",
      as_arguments(*positions), typed(file));
}

Result<ExitCode> restore(const app::PipelineConfig& config, const StateOptions& options,
                         const std::string& directory) {
  if (auto begun = state::nothing_begun(directory); !begun) return tl::unexpected(begun.error());
  if (auto nobody = state::nobody_has(directory); !nobody) return tl::unexpected(nobody.error());
  const auto outputs = read_ledgers(config);
  if (!outputs) return tl::unexpected(outputs.error());
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(directory).parent_path(), error);
  const auto made = state::beside(directory, "made", wall_clock_ms());
  const auto stored = copied(options.directory, made);
  if (!stored) return tl::unexpected(stored.error());
  const auto aside = state::beside(directory, "before", wall_clock_ms());
  crash_point("state_made_copy");
  const bool was_there = std::filesystem::exists(directory, error);
  if (auto placed = state::put_in_place(made, directory, aside); !placed) {
    return tl::unexpected(placed.error());
  }
  fmt::print("{} has the state at {}\n", directory, in_words(stored->base));
  if (was_there) fmt::print("what was there is in {}\n", aside);
  const auto versions = versions_of(*outputs);
  if (state::decide(*stored, versions).remedy != state::Remedy::refuse) {
    fmt::print("\nIt fits the outputs: {}\n", what_a_start_does(*stored, versions, directory));
    return ExitCode::ok;
  }
  fmt::print("\nIt does not fit the outputs, and a start refuses it:\n");
  for (const auto& one : versions) {
    fmt::print("  output {} is at {}\n", one.output, in_words(one.version));
  }
  const auto ways = ways_to_fit(*outputs, *stored, options.file);
  if (!ways) return tl::unexpected(ways.error());
  fmt::print("{}\n", *ways);
  return ExitCode::state;
}

Result<void> empty_stage(const StateOptions& options, const std::string& directory) {
  const auto store = open_existing(directory);
  if (!store) return tl::unexpected(store.error());
  if (!*store) return usage(fmt::format("there is no state in {}", directory));
  const auto stages = state::stages_in(**store);
  if (!stages) return tl::unexpected(stages.error());
  std::string names;
  for (const auto& stage : *stages) names += (names.empty() ? "" : ", ") + stage.stage;
  if (std::ranges::find(*stages, options.stage, &state::StageSize::stage) == stages->end()) {
    return usage(fmt::format("there is no state of a stage {}: there is {}", options.stage,
                             names.empty() ? "none" : names));
  }
  if (!options.yes) {
    return usage(
        fmt::format("this forgets what stage {} remembers, and keeps a copy of all beside "
                    "it: say --yes",
                    options.stage));
  }
  const auto kept = state::beside(directory, "before", wall_clock_ms());
  if (auto copied = (*store)->checkpoint(kept); !copied) return copied;
  crash_point("state_made_copy");
  if (auto gone = (*store)->remove_all(state::prefix_of(options.stage)); !gone) return gone;
  fmt::print("stage {} begins empty; all as it was is in {}\n", options.stage, kept);
  return {};
}

Result<void> empty(const app::PipelineConfig& config, const StateOptions& options,
                   const std::string& directory) {
  if (auto begun = state::nothing_begun(directory); !begun) return begun;
  if (!options.stage.empty()) return empty_stage(options, directory);
  if (auto nobody = state::nobody_has(directory); !nobody) return nobody;
  const auto outputs = read_ledgers(config);
  if (!outputs) return tl::unexpected(outputs.error());
  const auto versions = versions_of(*outputs);
  if (!at_one_version(versions)) {
    return fail(
        ErrorKind::fatal, Cause::state,
        fmt::format("the outputs are one batch apart, so no state fits them: `semel offsets "
                    "{} set TOPIC:PARTITION=OFFSET … --state empty` moves them together",
                    typed(options.file)));
  }
  const auto& version = versions.front().version;
  if (!options.yes) {
    return usage(
        fmt::format("the state in {} would begin empty at {}, where the outputs are, and "
                    "what is there would be kept beside it: say --yes",
                    directory, to_string(version)));
  }
  std::error_code ignored;
  const bool was_there = std::filesystem::exists(directory, ignored);
  const auto aside = put_empty_in_place(directory, version, "state_made_empty");
  if (!aside) return tl::unexpected(aside.error());
  fmt::print("the state begins empty at {}\n", in_words(version));
  if (was_there) fmt::print("what was remembered is in {}\n", *aside);
  return {};
}

ExitCode state_of(const StateOptions& options) {
  const bool takes = options.action == "checkpoint" || options.action == "restore";
  if (takes == options.directory.empty()) {
    return report(usage(takes ? fmt::format("{} needs a DIRECTORY", options.action)
                              : fmt::format("{} takes no DIRECTORY", options.action))
                      .value());
  }
  if (options.action != "empty" && (options.yes || !options.stage.empty())) {
    return report(usage("--yes and --stage are for empty").value());
  }
  const auto config = load_configuration(options);
  if (!config) return report(config.error());
  if (!options.output.empty()) {
    return report(usage("a state is of all outputs together: leave out --output").value());
  }
  if (config->state == app::StateIn::sink) {
    return report(
        usage("state = \"sink\": what the stages remember is in the database of one output, "
              "in the table semel_state: its backups are the copies of it. "
              "Setup::begin_with_empty_state begins with an empty one")
            .value());
  }
  const auto directory = engine::directory_of_stages(config->pipeline);
  if (options.action == "show") return show(*config, directory);
  if (options.action == "restore") {
    const auto code = restore(*config, options, directory);
    return code ? *code : report(code.error());
  }
  const auto done = options.action == "checkpoint" ? checkpoint(directory, options.directory)
                                                   : empty(*config, options, directory);
  return done ? ExitCode::ok : report(done.error());
}

}  // namespace

void add_state(CLI::App& app, ExitCode& code) {
  auto* command =
      app.add_subcommand("state", "show, copy, put back or empty what a stream's stages remember");
  auto options = std::make_shared<StateOptions>();
  add_file_options(*command, *options);
  command->add_option("ACTION", options->action, "show, checkpoint, restore or empty")
      ->required()
      ->type_name("")
      ->check(one_of({"show", "checkpoint", "restore", "empty"}));
  command->add_option("DIRECTORY", options->directory, "for checkpoint and restore: of the copy")
      ->type_name("");
  command->add_option("--stage", options->stage, "for empty: only of this stage")
      ->type_name("NAME");
  command->add_flag("--yes", options->yes, "for empty: do it");
  command->callback([options, &code] { code = state_of(*options); });
}

}  // namespace semel::cli
