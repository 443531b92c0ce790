// semel bench replay: what happens when the process is killed.
#include <fmt/format.h>
#include <memory>

#include "bench/semel/replay/replay.hpp"
#include "cli/bench_command.hpp"

namespace semel::cli {

namespace {

struct ReplayOptions : BenchOptions {
  int kills = bench::Plan().kills;
  std::uint64_t seed = bench::Plan().seed;
  std::string baselines = "all";
  std::string signal = "KILL";
  std::string kill_every = "2s";
};

Result<bench::Plan> plan_of(const ReplayOptions& options) {
  bench::Plan plan;
  plan.kills = options.kills;
  plan.seed = options.seed;
  auto kinds = bench::parse_baselines(options.baselines);
  if (!kinds) return tl::unexpected(kinds.error());
  plan.kinds = *std::move(kinds);
  const auto signal = bench::parse_signal(options.signal);
  if (!signal) return tl::unexpected(signal.error());
  plan.signal = *signal;
  const auto every = duration_ms("--kill-every", options.kill_every);
  if (!every) return tl::unexpected(every.error());
  plan.kill_every_s = static_cast<double>(*every) / 1e3;
  auto setup = bench::complete(options.setup);
  if (!setup) return tl::unexpected(setup.error());
  plan.setup = *std::move(setup);
  plan.setup.transaction_records = bench::transaction_records(plan.setup.records, plan.kills);
  return plan;
}

std::string command_of(const ReplayOptions& options) {
  return command_line("replay", options) +
         fmt::format(" --kills {} --kill-every {} --signal {} --baselines {} --seed {}",
                     options.kills, options.kill_every, options.signal, options.baselines,
                     options.seed);
}

ExitCode replay(const ReplayOptions& options) {
  const auto plan = plan_of(options);
  if (!plan) return report(plan.error());
  return run_bench(options, [&](bench::Audience& audience) -> Result<Reports> {
    auto outcome = bench::replay(*plan, audience);
    if (!outcome) return tl::unexpected(outcome.error());
    outcome->origin.command = command_of(options);
    return Reports{bench::text_report(*outcome), bench::json_report(*outcome),
                   bench::html_report(*outcome), outcome->exactly_once()};
  });
}

}  // namespace

void add_bench_replay(CLI::App& bench, ExitCode& code) {
  auto* command = bench.add_subcommand(
      "replay", "kill semel under load again and again, and count what arrived");
  auto options = std::make_shared<ReplayOptions>();
  add_servers(*command, *options);
  add_preloaded(*command, *options);
  add(command, "--kills", options->kills, "how often it is killed (default 10)", "N")
      ->check(CLI::Range(0, 10'000).description(""));
  add(command, "--kill-every", options->kill_every,
      "a kill comes a random part of it after the first new row (default 2s); shortened where the "
      "work is over sooner",
      "DURATION");
  add(command, "--signal", options->signal, "KILL, TERM, INT or STOP (default KILL)", "NAME");
  add(command, "--baselines", options->baselines,
      "what to compare with: receiver, at-least-once, at-most-once, all or none (default all)",
      "LIST");
  add(command, "--seed", options->seed, "of the kills' moments (default 1)", "N");
  add_reports(*command, *options);
  command->callback([options, &code] { code = replay(*options); });
}

}  // namespace semel::cli
