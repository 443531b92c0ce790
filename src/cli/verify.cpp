// semel verify: proves from the ledger that the committed ranges have no gap and no overlap.
#include <fmt/format.h>
#include <algorithm>
#include <cstdio>

#include "app/outputs.hpp"
#include "cli/command.hpp"
#include "cli/text.hpp"
#include "core/history.hpp"

namespace semel::cli {

namespace {

std::string describe(const Move& jump) {
  const auto at = fmt::format("{}  {}", jump.committed_at, to_string(jump.tp));
  switch (jump.kind) {
    case MoveKind::start:
      return fmt::format("{}: started at {}", at, grouped(jump.until));
    case MoveKind::lost:
      return fmt::format("{}: records lost, went on from {} to {}", at, grouped(jump.from),
                         grouped(jump.until));
    case MoveKind::set:
      if (jump.from == jump.until) {
        return fmt::format("{}: set or forgotten (reset) by an operator at {}", at,
                           grouped(jump.from));
      }
      return fmt::format("{}: set by an operator from {} to {}", at, grouped(jump.from),
                         grouped(jump.until));
    case MoveKind::commit:
      break;
  }
  return fmt::format("{}: moved from {} to {}", at, grouped(jump.from), grouped(jump.until));
}

Result<std::vector<core::History>> read_histories(const app::Output& output) {
  const auto ledger = output.open_ledger();
  if (!ledger) return tl::unexpected(ledger.error());
  core::HistoryCheck check;
  const auto progress = (*ledger)->history([&](std::span<const Move> moves) {
    for (const auto& move : moves) check.add(move);
  });
  if (!progress) return tl::unexpected(progress.error());
  auto histories = check.finish(*progress);
  // ~batches is told of where rows belong to whole batches, and where it is broken.
  std::erase_if(histories, [](const auto& history) {
    return is_batches(history.tp) && history.rows == 0 && history.broken.empty();
  });
  for (auto& history : histories) {
    if (is_batches(history.tp)) history.jumps.clear();
  }
  return histories;
}

ExitCode verify(const app::PipelineConfig& config, const app::Output& output) {
  const auto histories = read_histories(output);
  if (!histories) return report(histories.error());

  if (histories->empty()) {
    fmt::print(
        "Nothing to prove: the ledger does not know pipeline {}. Is the name right, and was it "
        "started?\n",
        config.pipeline.name);
    return ExitCode::internal;
  }

  std::vector<std::vector<std::string>> rows{{"partition", "from", "until", "commits", "rows",
                                              "dead letters", "left out", "no record", "chain"}};
  core::History total;
  for (const auto& history : *histories) {
    const bool offsets = !is_batches(history.tp);
    rows.push_back({to_string(history.tp), offsets ? grouped(history.from) : "",
                    offsets ? grouped(history.until) : "", grouped(history.commits),
                    grouped(history.rows), grouped(history.dead_letters), grouped(history.left_out),
                    grouped(history.no_record), history.broken.empty() ? "unbroken" : "BROKEN"});
    total.commits += history.commits;
    total.rows += history.rows;
    total.dead_letters += history.dead_letters;
    total.left_out += history.left_out;
    total.no_record += history.no_record;
  }
  if (histories->size() > 1) {
    rows.push_back({"all", "", "", grouped(total.commits), grouped(total.rows),
                    grouped(total.dead_letters), grouped(total.left_out), grouped(total.no_record),
                    core::proven(*histories) ? "unbroken" : "BROKEN"});
  }
  fmt::print("{}", table(rows, true));
  bool heading = false;
  for (const auto& history : *histories) {
    for (const auto& jump : history.jumps) {
      if (!heading) fmt::print("\nDecisions on record:\n");
      heading = true;
      fmt::print("  {}\n", describe(jump));
    }
  }
  if (core::proven(*histories)) {
    const auto partitions = static_cast<std::size_t>(std::ranges::count_if(
        *histories, [](const auto& history) { return !is_batches(history.tp); }));
    std::size_t decisions = 0;
    for (const auto& history : *histories) {
      decisions += static_cast<std::size_t>(std::ranges::count_if(
          history.jumps, [](const Move& jump) { return jump.kind != MoveKind::start; }));
    }
    fmt::print(
        "\nProven: no gap and no overlap in {}{}.\n", counted(partitions, "partition"),
        decisions == 0 ? "" : fmt::format(", apart from {} above", counted(decisions, "decision")));
    return ExitCode::ok;
  }
  fmt::print("\n");
  for (const auto& history : *histories) {
    for (const auto& broken : history.broken) {
      fmt::print("✗ {}: {}\n", to_string(history.tp), broken);
    }
  }
  return ExitCode::internal;
}

ExitCode verify_all(const FileOptions& options) {
  const auto config = load_configuration(options);
  if (!config) return report(config.error());
  const auto outputs = outputs_of(*config, options);
  if (!outputs) return report(outputs.error());
  return of_each(*outputs, [&](const auto& output) { return verify(*config, output); });
}

}  // namespace

void add_verify(CLI::App& app, ExitCode& code) {
  auto* command =
      app.add_subcommand("verify", "prove that the committed ranges have no gap and no overlap");
  auto options = std::make_shared<FileOptions>();
  add_file_options(*command, *options);
  add_replay_option(*command, *options);
  command->callback([options, &code] { code = verify_all(*options); });
}

}  // namespace semel::cli
