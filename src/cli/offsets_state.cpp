#include "cli/offsets_state.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>
#include <utility>

#include "base/crash_point.hpp"
#include "base/wall_clock.hpp"
#include "cli/state_look.hpp"
#include "engine/state_directory.hpp"
#include "state/behind.hpp"
#include "state/directory.hpp"
#include "state/moving.hpp"

namespace semel::cli {

using state::to_string;

namespace {

using state::With;

/// What one `offsets set` works on, and what it makes of it.
struct OffsetsMove {
  const app::PipelineConfig& config;
  const OffsetsOptions& options;
  std::string directory;
  std::vector<OutputLedger> outputs;    ///< those that have run
  std::unique_ptr<state::Store> store;  ///< nullptr: there is none
};

tl::unexpected<Error> not_now(std::string message) {
  return fail(ErrorKind::fatal, Cause::state, std::move(message));
}

/// The command that goes on with what was begun.
std::string command_of(const OffsetsOptions& options) {
  auto text = fmt::format("semel offsets {} set", typed(options.file));
  for (const auto& position : options.positions) text += " " + typed(position);
  if (!options.to.empty()) text += " --to " + typed(options.to);
  text += " --state " + options.state;
  for (const auto& one : options.sets) text += " --set " + typed(one);
  return text + (options.force ? " --force" : "");
}

/// What of it says where to: however the file is called, and whatever is overridden.
std::string wish_in(const std::string& command) {
  const auto begin = command.find(" set");
  const auto end = command.find(" --state ");
  if (begin == std::string::npos || end == std::string::npos) return command;
  return command.substr(begin, command.find(' ', end + sizeof " --state " - 1) - begin);
}

tl::unexpected<Error> choose() {
  return usage(
      "stages of this pipeline remember what they counted: say what becomes of that. "
      "--state keep: it stays as it is, so what is read again counts twice, and what is left out "
      "never. --state empty: it begins empty at the new positions. --state rewind: it goes back, "
      "where these are the positions of the batch before, or of a checkpoint that `semel state "
      "FILE restore` has put in place; then no positions need be given");
}

const Progress* batches_in(const std::vector<Progress>& progress) {
  const auto found =
      std::ranges::find_if(progress, [](const auto& one) { return is_batches(one.tp); });
  return found == progress.end() ? nullptr : &*found;
}

std::map<TopicPartition, Offset> places_in(const std::vector<Progress>& progress) {
  std::map<TopicPartition, Offset> places;
  for (const auto& one : progress) {
    if (!is_batches(one.tp)) places[one.tp] = one.until;
  }
  return places;
}

/// Where all outputs stand, with `wanted` over it; what is not wanted has to be the same
/// everywhere.
Result<std::vector<Progress>> all_positions(const OffsetsMove& move,
                                            const std::vector<Progress>& wanted) {
  auto together = places_in(move.outputs.front().progress);
  const auto given = places_in(wanted);
  for (const auto& output : move.outputs) {
    for (const auto& [tp, until] : places_in(output.progress)) {
      const auto [known, fresh] = together.emplace(tp, until);
      if (fresh || known->second == until || given.contains(tp)) continue;
      return not_now(fmt::format(
          "{} is at offset {} in output {}, and at {} in {}: a start brings them together where "
          "it can; else give a position for it as well",
          to_string(tp), known->second, move.outputs.front().output.name(), until,
          output.output.name()));
    }
  }
  for (const auto& [tp, until] : given) together[tp] = until;
  std::vector<Progress> all;
  for (const auto& [tp, until] : together) {
    all.push_back({.tp = tp, .until = until, .last = std::nullopt});
  }
  return all;
}

/// Later than all that any output has done, so that nobody takes it for a batch.
state::Version new_version(const OffsetsMove& move) {
  BatchTime time{wall_clock_ms()};
  for (const auto& output : move.outputs) {
    for (const auto& one : output.progress) {
      time = std::max(time, BatchTime{one.batch_time.ms + 1});
    }
  }
  return {time, state::new_name()};
}

/// As a start would: what all outputs have is applied, what a ledger no longer has is taken back.
Result<state::Decision> settled(const OffsetsMove& move) {
  const auto versions = versions_of(move.outputs);
  while (true) {
    auto decision = state::decide(move.store->stored(), versions);
    if (decision.remedy == state::Remedy::apply) {
      if (auto applied = move.store->apply(); !applied) return tl::unexpected(applied.error());
    } else if (decision.remedy == state::Remedy::take_back) {
      if (auto taken = move.store->take_back(); !taken) return tl::unexpected(taken.error());
    } else {
      return decision;
    }
  }
}

Result<state::Moving> keeping(const OffsetsMove& move, const std::vector<Progress>& wanted) {
  const auto decision = settled(move);
  if (!decision) return tl::unexpected(decision.error());
  if (decision->remedy == state::Remedy::refuse) return refused(*decision, move.directory);
  if (!at_one_version(versions_of(move.outputs))) {
    return not_now(
        "the outputs are one batch apart: start the pipeline, which brings them together, or say "
        "--state empty");
  }
  auto positions = all_positions(move, wanted);
  if (!positions) return tl::unexpected(positions.error());
  return state::Moving{.command = command_of(move.options),
                       .with = With::keep,
                       .from = {},
                       .to = {},
                       .positions = *std::move(positions)};
}

Result<state::Moving> emptying(const OffsetsMove& move, const std::vector<Progress>& wanted) {
  auto positions = all_positions(move, wanted);
  if (!positions) return tl::unexpected(positions.error());
  return state::Moving{.command = command_of(move.options),
                       .with = With::empty,
                       .from = {},
                       .to = new_version(move),
                       .positions = *std::move(positions)};
}

/// A version that the state can go back to, with its positions.
struct Earlier {
  state::Version version;
  std::vector<Progress> positions;
};

Result<std::vector<Earlier>> earlier_versions(const OffsetsMove& move) {
  auto& first = move.outputs.front();
  const auto moves = moves_of(first);
  if (!moves) return tl::unexpected(moves.error());
  const auto stored = move.store->stored();
  std::vector<Earlier> all;
  if (first.version() != stored.base) {
    auto positions = state::positions_behind(stored.base, *moves, first.progress);
    if (positions) all.push_back({stored.base, *std::move(positions)});
  }
  if (!stored.undo || stored.undo->version != stored.base) return all;
  auto positions = first.version() == stored.base
                       ? state::positions_before(*stored.undo, first.progress)
                       : state::positions_behind(stored.undo->parent, *moves, first.progress);
  if (positions) all.push_back({stored.undo->parent, *std::move(positions)});
  return all;
}

Result<state::Moving> rewinding(const OffsetsMove& move, const std::vector<Progress>& wanted) {
  if (!at_one_version(versions_of(move.outputs))) {
    return not_now(
        "the outputs are one batch apart: start the pipeline, which brings them together, or say "
        "--state empty");
  }
  if (auto done = settled(move); !done) return tl::unexpected(done.error());
  const auto all = earlier_versions(move);
  if (!all) return tl::unexpected(all.error());
  const bool here = move.outputs.front().version() == move.store->stored().base;
  std::string known;
  for (const auto& earlier : *all) {
    auto positions = all_positions(move, wanted.empty() ? earlier.positions : wanted);
    if (!positions) return tl::unexpected(positions.error());
    // Without positions: to where a checkpoint that was put in place belongs.
    const bool meant = wanted.empty() ? !here && earlier.version == move.store->stored().base
                                      : places_in(*positions) == places_in(earlier.positions);
    if (meant) {
      return state::Moving{.command = command_of(move.options),
                           .with = With::rewind,
                           .from = earlier.version,
                           .to = new_version(move),
                           .positions = earlier.positions};
    }
    known += fmt::format("{}to {}: {}", known.empty() ? "" : "; ", to_string(earlier.version),
                         as_arguments(earlier.positions));
  }
  return not_now(
      known.empty()
          ? "the state cannot go back: it is where the outputs are, and has not kept what the last "
            "batch changed, or the outputs were moved since, or their history does not reach so "
            "far. `semel state FILE restore DIR` puts a checkpoint in place; --state empty begins "
            "empty"
          : fmt::format("the state can go back {}. For others, `semel state FILE restore DIR` puts "
                        "a checkpoint in place",
                        known));
}

Result<state::Moving> planned(const OffsetsMove& move, const Positions& now) {
  std::vector<Progress> wanted;
  const bool given = !move.options.positions.empty() || !move.options.to.empty();
  if (given || move.options.state != "rewind") {
    auto named = wanted_positions(move.config, move.options, now);
    if (!named) return tl::unexpected(named.error());
    wanted = *std::move(named);
  }
  if (!move.store && move.options.state != "empty") {
    return not_now(fmt::format(
        "the state is not on this machine: there is none in {}. Move the positions where it is, "
        "bring it here (`semel state FILE restore DIR`), or say --state empty",
        move.directory));
  }
  if (move.options.state == "keep") return keeping(move, wanted);
  return move.options.state == "empty" ? emptying(move, wanted) : rewinding(move, wanted);
}

/// What of an output's ledger is to be set.
std::vector<Progress> missing_in(const OutputLedger& output, const state::Moving& moving,
                                 Offset batches) {
  std::vector<Progress> set;
  const auto places = places_in(output.progress);
  for (auto position : moving.positions) {
    const auto found = places.find(position.tp);
    if (found != places.end() && found->second == position.until) continue;
    position.batch_time = moving.to.time;
    set.push_back(std::move(position));
  }
  if (moving.with != With::keep && output.version() != moving.to) {
    set.push_back({.tp = {std::string(batches_topic), 0},
                   .until = batches,
                   .batch_time = moving.to.time,
                   .last = state::mark_of(moving.to, 0, batches)});
  }
  return set;
}

/// One after the other: what has moved stays so when it is done again.
Result<void> move_outputs(const OffsetsMove& move, const state::Moving& moving) {
  Offset batches = 0;
  for (const auto& output : move.outputs) {
    const auto* known = batches_in(output.progress);
    if (known != nullptr) batches = std::max(batches, known->until);
  }
  for (const auto& output : move.outputs) {
    const auto set = missing_in(output, moving, batches);
    if (!set.empty()) {
      if (auto done = output.ledger->set(set, move.options.force); !done) return done;
    }
    crash_point("moving_set_output");
    const auto progress = output.ledger->progress();
    if (!progress) return tl::unexpected(progress.error());
    if (moving.with == With::keep || state::version_in(*progress) == moving.to) continue;
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("output {} is at {} and not at {}: another process moves it",
                            output.output.name(), to_string(state::version_in(*progress)),
                            to_string(moving.to)));
  }
  crash_point("moving_set_outputs");
  return {};
}

Result<void> begin_empty(OffsetsMove& move, const state::Moving& moving) {
  if (move.store && move.store->stored().base == moving.to) return {};
  const bool was_there = move.store != nullptr;
  move.store.reset();
  const auto aside = put_empty_in_place(move.directory, moving.to, "moving_made_empty");
  if (!aside) return tl::unexpected(aside.error());
  if (was_there) fmt::print("What was remembered is in {}\n", *aside);
  return {};
}

Result<void> rewind(const OffsetsMove& move, const state::Moving& moving) {
  auto& store = *move.store;
  if (store.stored().base == moving.to) return {};
  if (store.stored().base != moving.from) {
    if (auto taken = store.take_back(); !taken) return taken;
    crash_point("moving_took_back");
  }
  if (store.stored().base != moving.from) {
    return not_now(fmt::format("the state is at {}, and not at {}, from which it was to go on",
                               to_string(store.stored().base), to_string(moving.from)));
  }
  return store.call_it(moving.to);
}

Result<void> carry_out(OffsetsMove& move, const state::Moving& moving) {
  if (auto moved = move_outputs(move, moving); !moved) return moved;
  Result<void> done;
  if (moving.with == With::empty) done = begin_empty(move, moving);
  if (moving.with == With::rewind) done = rewind(move, moving);
  if (!done) return done;
  crash_point("moving_moved_state");
  return state::end_moving(move.directory);
}

Result<void> nobody_runs(const OffsetsMove& move) {
  for (const auto& output : move.outputs) {
    if (move.options.force || output.owner->state != OwnerState::running) continue;
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("{} is running: stop it first, or use --force, which fences it",
                            output.owner->description));
  }
  return {};
}

std::string what_was_done(With with) {
  if (with == With::keep) {
    return "the state stays as it is: what is read again counts twice there, and what is left out "
           "never";
  }
  return with == With::empty ? "the state begins empty there" : "the state has gone back with them";
}

Result<void> set(OffsetsMove& move, std::optional<state::Moving> begun) {
  if (auto nobody = nobody_runs(move); !nobody) return nobody;
  if (begun && wish_in(begun->command) != wish_in(command_of(move.options))) {
    return state::unfinished(move.directory, *begun);
  }
  if (!begun) {
    const auto now = look_up(move.config, move.outputs.front().progress);
    if (!now) return tl::unexpected(now.error());
    auto plan = planned(move, *now);
    if (!plan) return tl::unexpected(plan.error());
    auto options = move.options;
    // The positions of a version are what they were then.
    if (plan->with == With::rewind) options.to = "what it was";
    if (auto fits = show_and_check(options, plan->positions, *now); !fits) return fits;
    begun = *std::move(plan);
  } else {
    fmt::print("Going on with what was begun: {}\n", begun->command);
  }
  if (move.options.dry_run) {
    fmt::print("\n{}\nDry run: nothing was changed.\n", what_was_done(begun->with));
    return {};
  }
  if (auto noted = state::write_moving(move.directory, *begun); !noted) return noted;
  crash_point("moving_noted");
  if (auto done = carry_out(move, *begun); !done) {
    auto error = done.error();
    error.message +=
        fmt::format(". Until it is done the pipeline does not start: repeat `{}`", begun->command);
    return tl::unexpected(std::move(error));
  }
  std::string names;
  for (const auto& one : move.outputs) names += (names.empty() ? "" : ", ") + one.output.name();
  fmt::print("\nDone, in {}; {}. An owner that still runs is fenced.\n", names,
             what_was_done(begun->with));
  return {};
}

/// Whether the ledgers that the command is about know a version of a state.
bool ledgers_know_state(const app::PipelineConfig& config, const OffsetsOptions& options) {
  const auto outputs = outputs_of(config, options);
  if (!outputs) return false;
  return std::ranges::any_of(*outputs, [](const auto& output) {
    const auto read = read_ledger(output);
    return read && read->version() != state::Version();
  });
}

}  // namespace

Result<bool> set_with_state(const app::PipelineConfig& config, const OffsetsOptions& options) {
  if (config.state == app::StateIn::sink) {
    if (options.action != "set") return false;
    return usage(
        "state = \"sink\": the state is in the database of one output, and its positions are moved "
        "with it by that database's backups alone. To count anew, empty the outputs' tables, "
        "`semel "
        "offsets FILE reset --output NAME` each output, and start the program with "
        "Setup::begin_with_empty_state");
  }
  const auto directory = engine::directory_of_stages(config.pipeline);
  const auto begun = state::read_moving(directory);
  if (!begun) return tl::unexpected(begun.error());
  if (options.action != "set") {
    if (*begun) return state::unfinished(directory, **begun);
    return false;
  }
  const auto there = state::has_state(directory);
  if (!there) return tl::unexpected(there.error());
  if (!*begun && !*there && !ledgers_know_state(config, options)) {
    if (options.state.empty()) return false;
    return usage("--state is for pipelines whose stages remember: this one's do not");
  }
  if (!options.output.empty()) {
    return usage(
        "the outputs of a pipeline whose stages remember move together: leave out "
        "--output");
  }
  if (options.state.empty()) return choose();
  OffsetsMove move{
      .config = config, .options = options, .directory = directory, .outputs = {}, .store = {}};
  auto store = open_existing(directory);
  if (!store) return tl::unexpected(store.error());
  move.store = *std::move(store);
  auto outputs = read_ledgers(config);
  if (!outputs) return tl::unexpected(outputs.error());
  std::erase_if(*outputs, [](const auto& one) { return !one.owner || one.progress.empty(); });
  if (outputs->empty()) return usage("no output has a position to move: nothing has run yet");
  move.outputs = *std::move(outputs);
  if (auto done = set(move, *begun); !done) return tl::unexpected(done.error());
  return true;
}

}  // namespace semel::cli
