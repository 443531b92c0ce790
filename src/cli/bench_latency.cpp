// semel bench latency: how soon a record is a row.
#include <fmt/format.h>
#include <memory>

#include "bench/semel/latency/latency.hpp"
#include "cli/bench_command.hpp"

namespace semel::cli {

namespace {

struct LatencyOptions : BenchOptions {
  double rate = bench::LatencyPlan().rate;
  std::string duration = "30s";
  std::string interval = "10ms";
};

Result<bench::LatencyPlan> plan_of(const LatencyOptions& options) {
  const auto duration = duration_ms("--duration", options.duration);
  if (!duration) return tl::unexpected(duration.error());
  const auto interval = duration_ms("--interval", options.interval);
  if (!interval) return tl::unexpected(interval.error());
  bench::LatencyPlan plan{.setup = options.setup,
                          .rate = options.rate,
                          .seconds = static_cast<double>(*duration) / 1e3,
                          .interval_ms = *interval};
  return bench::complete(std::move(plan));
}

std::string command_of(const LatencyOptions& options) {
  return command_line("latency", options) + fmt::format(" --rate {:g} --duration {} --interval {}",
                                                        options.rate, options.duration,
                                                        options.interval);
}

ExitCode latency(const LatencyOptions& options) {
  const auto plan = plan_of(options);
  if (!plan) return report(plan.error());
  return run_bench(options, [&](bench::Audience& audience) -> Result<Reports> {
    auto outcome = bench::latency(*plan, audience);
    if (!outcome) return tl::unexpected(outcome.error());
    outcome->origin.command = command_of(options);
    return Reports{bench::text_report(*outcome), bench::json_report(*outcome),
                   bench::html_report(*outcome), outcome->comparison.exactly_once()};
  });
}

}  // namespace

void add_bench_latency(CLI::App& bench, ExitCode& code) {
  auto* command = bench.add_subcommand("latency", "how soon a record that is produced is a row");
  auto options = std::make_shared<LatencyOptions>();
  add_servers(*command, *options);
  add(command, "--rate", options->rate, "records per second, evenly (default 10,000)", "N")
      ->check(CLI::Range(1.0, 1e6).description(""));
  add(command, "--duration", options->duration,
      "how long, after a warm-up of 2s at most (default 30s)", "DURATION");
  add(command, "--interval", options->interval,
      "the pipeline's batch.interval while records come steadily (default 10ms)", "DURATION");
  add_record_size(*command, *options);
  add(command, "--partitions", options->setup.partitions, "of the topic (default 4)", "N")
      ->check(CLI::Range(1, 1'000).description(""));
  add_reports(*command, *options);
  command->callback([options, &code] { code = latency(*options); });
}

}  // namespace semel::cli
