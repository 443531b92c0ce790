// semel bench throughput: how fast a full topic becomes a table.
#include <fmt/format.h>
#include <memory>

#include "bench/semel/throughput/throughput.hpp"
#include "cli/bench_command.hpp"

namespace semel::cli {

namespace {

struct ThroughputOptions : BenchOptions {
  int runs = 3;
};

ExitCode throughput(const ThroughputOptions& options) {
  const auto setup = bench::complete(options.setup);
  if (!setup) return report(setup.error());
  return run_bench(options, [&](bench::Audience& audience) -> Result<Reports> {
    auto outcome = bench::throughput(*setup, options.runs, audience);
    if (!outcome) return tl::unexpected(outcome.error());
    outcome->origin.command =
        command_line("throughput", options) + fmt::format(" --runs {}", options.runs);
    return Reports{bench::text_report(*outcome), bench::json_report(*outcome),
                   bench::html_report(*outcome), outcome->exactly_once()};
  });
}

}  // namespace

void add_bench_throughput(CLI::App& bench, ExitCode& code) {
  auto* command =
      bench.add_subcommand("throughput", "how fast a full topic becomes a table, and at what cost");
  auto options = std::make_shared<ThroughputOptions>();
  add_servers(*command, *options);
  add_preloaded(*command, *options);
  add(command, "--runs", options->runs, "how often, each into a fresh table (default 3)", "N")
      ->check(CLI::Range(1, 1'000).description(""));
  add_reports(*command, *options);
  command->callback([options, &code] { code = throughput(*options); });
}

}  // namespace semel::cli
