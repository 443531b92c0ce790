// semel offsets: show, set and reset where a pipeline goes on.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <algorithm>
#include <cstdio>

#include "app/outputs.hpp"
#include "base/beside_kafka.hpp"
#include "cli/offsets.hpp"
#include "cli/offsets_state.hpp"
#include "cli/text.hpp"
#include "cli/where.hpp"
#include "cli/written_again.hpp"
#include "kafka/planner_client.hpp"

namespace semel::cli {

namespace {

std::vector<Progress> ledger_of(const Positions& now) {
  std::vector<Progress> known;
  for (const auto& position : now.partitions) {
    if (position.progress) known.push_back(*position.progress);
  }
  return known;
}

/// All partitions of Kafka, at `to`.
Result<std::vector<Progress>> resolve(const app::PipelineConfig& config, const std::string& to,
                                      const Positions& now) {
  const auto target = parse_where("--to", to);
  if (!target) return tl::unexpected(target.error());
  const auto asked = asked_of_kafka(config, ledger_of(now));
  if (!asked) {
    return usage(
        fmt::format("--to asks Kafka, and {}: give positions, TOPIC:PARTITION=OFFSET",
                    config.reads_kafka ? "no topics are known" : "there is no [source.kafka]"));
  }
  const auto client = kafka::PlannerClient::connect(*asked, config.pipeline.name);
  if (!client) return tl::unexpected(client.error());
  const auto tps = (*client)->discover(where_timeout_ms);
  if (!tps) return tl::unexpected(tps.error());
  const auto offsets = offsets_at(**client, tps->partitions, *target);
  if (!offsets) return tl::unexpected(offsets.error());
  std::vector<Progress> positions;
  for (const auto& [tp, offset] : *offsets) {
    positions.push_back({.tp = tp, .until = offset});
  }
  return positions;
}

}  // namespace

Result<std::vector<Progress>> wanted_positions(const app::PipelineConfig& config,
                                               const OffsetsOptions& options,
                                               const Positions& now) {
  if (options.positions.empty() == options.to.empty()) {
    return usage("set needs either TOPIC:PARTITION=OFFSET (one or more) or --to");
  }
  if (!options.to.empty()) return resolve(config, options.to, now);
  std::map<TopicPartition, Progress> positions;
  for (const auto& text : options.positions) {
    auto position = parse_position(text);
    if (!position) return tl::unexpected(position.error());
    if (is_batches(position->tp)) {
      return usage(
          fmt::format("{} is no partition of Kafka: it counts the batches of the pipeline, "
                      "which go on from where it stands. `semel offsets FILE reset` "
                      "forgets it with the others",
                      to_string(position->tp)));
    }
    if (!positions.emplace(position->tp, *position).second) {
      return usage(fmt::format("{} is given twice", to_string(position->tp)));
    }
  }
  std::vector<Progress> sorted;
  sorted.reserve(positions.size());
  for (auto& [tp, position] : positions) sorted.push_back(std::move(position));
  return sorted;
}

namespace {

std::string consequence(const Position* now, Offset to) {
  std::string text;
  if (now != nullptr && now->progress) {
    const auto by = to - now->progress->until;
    // Only what the log holds is read again.
    if (by < 0) {
      const auto from = now->earliest ? std::max(to, *now->earliest) : to;
      const auto until =
          now->latest ? std::min(now->progress->until, *now->latest) : now->progress->until;
      text = fmt::format(
          "{} are read again",
          counted(static_cast<std::uint64_t>(std::max<Offset>(until - from, 0)), "offset"));
    }
    if (by > 0) {
      text = fmt::format("{} are left out", counted(static_cast<std::uint64_t>(by), "offset"));
    }
    if (by == 0) text = "unchanged";
  } else {
    text = "new in the ledger";
  }
  if (now != nullptr && now->earliest && to < *now->earliest) {
    text += fmt::format("; Kafka's earliest is {}", grouped(*now->earliest));
  }
  if (now != nullptr && now->latest && to > *now->latest) {
    text += fmt::format("; Kafka's latest is {}", grouped(*now->latest));
  }
  return text;
}

/// The ledger decides; a dry run can only say what it would do.
Result<void> only_told(Ledger& ledger, bool force) {
  const auto owner = ledger.owner();
  if (!owner) return tl::unexpected(owner.error());
  if (*owner && (*owner)->state == OwnerState::running) {
    fmt::print("\n{} is alive (seen {} ago): {}\n", (*owner)->description,
               for_people((*owner)->seen_seconds_ago),
               force ? "it would be fenced" : "this would be refused without --force");
  }
  fmt::print("\nDry run: nothing was changed.\n");
  return {};
}

void show(const Positions& positions) {
  const auto number = [](const std::optional<Offset>& n) {
    return n ? grouped(*n) : std::string("-");
  };
  std::vector<std::vector<std::string>> rows{
      {"partition", "committed", "earliest", "latest", "last batch"}};
  for (const auto& position : positions.partitions) {
    const auto& progress = position.progress;
    rows.push_back({to_string(position.tp),
                    number(progress ? std::optional(progress->until) : std::nullopt),
                    number(position.earliest), number(position.latest),
                    progress ? when(progress->batch_time) : "-"});
  }
  fmt::print("{}", rows.size() > 1 ? table(rows, true) : "the ledger holds nothing yet\n");
  if (positions.kafka_failure) {
    fmt::print("Kafka could not be asked: {}\n", positions.kafka_failure->message);
  }
}

/// nullptr: the partition is neither in the ledger nor among the pipeline's.
const Position* position_of(const Positions& now, const TopicPartition& tp) {
  const auto found = std::ranges::find(now.partitions, tp, &Position::tp);
  return found == now.partitions.end() ? nullptr : &*found;
}

/// A position that is not in the log: the pipeline stops at it, and beyond the end the records that
/// come there would be left out. Refused where it is not meant.
Result<void> in_the_log(const TopicPartition& tp, const Position* now, Offset to) {
  if (is_beside_kafka(tp)) {
    return usage(
        fmt::format("{} is a log of this machine, whose ends are not looked at; with "
                    "--force its position is set all the same",
                    to_string(tp)));
  }
  if (now == nullptr || !now->latest) {
    return fail(ErrorKind::fatal, Cause::source,
                fmt::format("Kafka does not say where {} ends, so {} cannot be compared with it; "
                            "with --force it is set all the same",
                            to_string(tp), to));
  }
  if (now->earliest && to < *now->earliest) {
    return usage(fmt::format(
        "{}: offset {} is before the begin of the log, which is {}: the records between "
        "are gone, and the pipeline would stop there; with --force it is set all the same",
        to_string(tp), to, *now->earliest));
  }
  if (to <= *now->latest) return {};
  return usage(
      fmt::format("{}: offset {} is past the end of the log, which is {}: the pipeline would "
                  "stop there; with --force it is set all the same",
                  to_string(tp), to, *now->latest));
}

/// Where a topic has a position, the partitions without one are those that were added later, which
/// begin at 0: source.kafka.start is not asked for them any more.
Result<void> whole_topics(const std::vector<Progress>& wanted, const Positions& now) {
  for (const auto& position : wanted) {
    std::string left_out;
    for (const auto& other : now.partitions) {
      if (other.tp.topic != position.tp.topic) continue;
      if (other.progress) {
        left_out.clear();
        break;
      }
      if (std::ranges::find(wanted, other.tp, &Progress::tp) == wanted.end()) {
        left_out += (left_out.empty() ? "" : ", ") + to_string(other.tp);
      }
    }
    if (left_out.empty()) continue;
    return usage(
        fmt::format("topic {} has no position yet: give one for {} as well, which would "
                    "begin at 0 otherwise, whatever source.kafka.start says; with --force "
                    "it is done all the same",
                    position.tp.topic, left_out));
  }
  return {};
}

/// What stays where it is, is no jump to record, but where the pipeline waits for a word on it.
Result<void> leave_out_what_stays(std::vector<Progress>& wanted, Ledger& ledger,
                                  const Positions& now) {
  const auto disputed = ledger.disputed();
  if (!disputed) return tl::unexpected(disputed.error());
  std::erase_if(wanted, [&](const Progress& position) {
    const auto* known = position_of(now, position.tp);
    return known != nullptr && known->progress && known->progress->until == position.until &&
           std::ranges::find(*disputed, position.tp) == disputed->end();
  });
  return {};
}

}  // namespace

Result<void> show_and_check(const OffsetsOptions& options, const std::vector<Progress>& wanted,
                            const Positions& now) {
  std::vector<std::vector<std::string>> rows{{"partition", "from", "to", ""}};
  for (const auto& position : wanted) {
    const auto* known = position_of(now, position.tp);
    if (known == nullptr && !now.kafka_failure) {
      return usage(fmt::format("{} is neither in the ledger nor among the pipeline's partitions",
                               to_string(position.tp)));
    }
    rows.push_back({to_string(position.tp),
                    known != nullptr && known->progress ? grouped(known->progress->until) : "-",
                    grouped(position.until), consequence(known, position.until)});
  }
  fmt::print("{}", table(rows, true));
  std::fflush(stdout);
  if (options.force) return {};
  for (const auto& position : wanted) {
    if (!options.to.empty()) break;
    const auto* known = position_of(now, position.tp);
    // Where it stands it stood before: of partitions that go back together some stay.
    if (known != nullptr && known->progress && known->progress->until == position.until) continue;
    const auto fits = in_the_log(position.tp, known, position.until);
    if (!fits) return fits;
  }
  return whole_topics(wanted, now);
}

namespace {

/// What is read again is written again.
Result<void> tell_of_rows(const app::Output& output, const std::vector<Progress>& wanted,
                          const Positions& now) {
  const bool back = std::ranges::any_of(wanted, [&](const Progress& position) {
    const auto* known = position_of(now, position.tp);
    return known != nullptr && known->progress && position.until < known->progress->until;
  });
  if (!back) return {};
  const auto again = output.written_again();
  if (!again) return tl::unexpected(again.error());
  // The records that are newer follow.
  if (*again == WrittenAgain::older) return {};
  if (const auto what = in_words(*again); !what.empty()) {
    spdlog::warn("{}: {}", output.target(), what);
  }
  return {};
}

Result<void> set(const app::PipelineConfig& config, const OffsetsOptions& options,
                 const app::Output& output, Ledger& ledger, const Positions& now) {
  auto wanted = wanted_positions(config, options, now);
  if (!wanted) return tl::unexpected(wanted.error());
  if (auto fits = show_and_check(options, *wanted, now); !fits) return fits;
  if (auto needed = leave_out_what_stays(*wanted, ledger, now); !needed) return needed;
  if (wanted->empty()) {
    fmt::print("\nNothing is to be changed.\n");
    return {};
  }
  if (auto told = tell_of_rows(output, *wanted, now); !told) return told;
  if (options.dry_run) return only_told(ledger, options.force);
  if (auto done = ledger.set(*wanted, options.force); !done) return done;
  fmt::print("\nDone; the ledger has recorded the jump, and an owner that still runs is fenced.\n");
  return {};
}

Result<void> reset(const app::PipelineConfig& config, const OffsetsOptions& options, Ledger& ledger,
                   const Positions& now) {
  std::size_t known = 0;
  for (const auto& position : now.partitions) known += position.progress ? 1 : 0;
  fmt::print(
      "forget the progress of {} partition{} of pipeline {}: the next run begins where "
      "source.kafka.start says. Rows that are in the sink stay there.\n",
      known, known == 1 ? "" : "s", config.pipeline.name);
  std::fflush(stdout);
  if (options.dry_run) return only_told(ledger, options.force);
  if (auto done = ledger.reset(options.force); !done) return done;
  fmt::print("\nDone; an owner that still runs is fenced.\n");
  return {};
}

Result<void> offsets(const app::PipelineConfig& config, const OffsetsOptions& options,
                     const app::Output& output) {
  auto opened = output.open_ledger();
  if (!opened) return tl::unexpected(opened.error());
  auto& ledger = **opened;
  const auto progress = ledger.progress();
  if (!progress) return tl::unexpected(progress.error());
  const auto now = look_up(config, *progress);
  if (!now) return tl::unexpected(now.error());
  if (options.action == "show") {
    show(*now);
    return {};
  }
  return options.action == "set" ? set(config, options, output, ledger, *now)
                                 : reset(config, options, ledger, *now);
}

ExitCode offsets_of_all(const app::PipelineConfig& config, const OffsetsOptions& options) {
  const bool sets = options.action == "set";
  if (!sets && (!options.positions.empty() || !options.to.empty() || !options.state.empty())) {
    return report(usage(fmt::format("only `offsets FILE set` takes positions and --state, not {}",
                                    options.action))
                      .value());
  }
  if (options.action != "show") {
    const auto done = set_with_state(config, options);
    if (!done) return report(done.error());
    if (*done) return ExitCode::ok;
  }
  const auto outputs = outputs_of(config, options);
  if (!outputs) return report(outputs.error());
  // Each stands where it stands: what moves one is rarely meant for another.
  if (options.action != "show" && outputs->size() > 1) {
    std::string names;
    for (const auto& output : *outputs) names += (names.empty() ? "" : ", ") + output.name();
    return report(
        usage(fmt::format("{} has several outputs: say which one to {}, --output takes {}",
                          options.file, options.action, names))
            .value());
  }
  return of_each(*outputs, [&](const auto& output) {
    const auto done = offsets(config, options, output);
    return done ? ExitCode::ok : report(done.error());
  });
}

}  // namespace

void add_offsets(CLI::App& app, ExitCode& code) {
  auto* command = app.add_subcommand("offsets", "show, set or reset where the pipeline goes on");
  auto options = std::make_shared<OffsetsOptions>();
  add_file_options(*command, *options);
  command->add_option("ACTION", options->action, "show, set or reset")
      ->required()
      ->type_name("")
      ->check(one_of({"show", "set", "reset"}));
  command
      ->add_option("POSITIONS", options->positions, "for set: TOPIC:PARTITION=OFFSET, one or more")
      ->type_name("");
  command
      ->add_option("--to", options->to,
                   "for set: all partitions to earliest, latest or a moment "
                   "(2026-01-31T00:00:00Z, 2026-01-31, -2h)")
      ->type_name("WHERE");
  command
      ->add_option("--state", options->state,
                   "for set, of a pipeline whose stages remember: keep, empty or rewind")
      ->type_name("WHAT")
      ->check(one_of({"keep", "empty", "rewind"}));
  command->add_flag("--force", options->force,
                    "even while an owner is alive (it is fenced), and outside of the log");
  command->add_flag("--dry-run", options->dry_run, "only say what would be done");
  command->callback([options, &code] {
    const auto config = load_configuration(*options);
    if (!config) {
      code = report(config.error());
      return;
    }
    code = offsets_of_all(*config, *options);
  });
}

}  // namespace semel::cli
