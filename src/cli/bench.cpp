// semel bench: its benchmarks, and the processes that they start.
#include <memory>

#include "bench/semel/baselines/baseline.hpp"
#include "bench/semel/own_servers.hpp"
#include "cli/bench_command.hpp"
#include "cli/command.hpp"

namespace semel::cli {

namespace {

// What the benchmarks start: hidden.

void add_baseline(CLI::App& bench, ExitCode& code) {
  auto* command = bench.add_subcommand("baseline", "be a process that is killed")->group("");
  auto spec = std::make_shared<std::string>();
  auto start = std::make_shared<int>(1);
  command->add_option("SPEC", *spec)->required();
  command->add_option("START", *start)->required();
  auto http = std::make_shared<std::string>();
  auto metrics = std::make_shared<std::string>();
  command->add_option("--http", *http)->required();
  command->add_option("--metrics-file", *metrics)->required();
  command->callback([spec, start, http, metrics, &code] {
    auto done = bench::be_baseline(*spec, *start, *http, *metrics);
    if (!done) code = report(done.error());
  });
}

void add_broker(CLI::App& bench, ExitCode& code) {
  auto* command = bench.add_subcommand("broker", "be an embedded broker")->group("");
  auto topic = std::make_shared<std::string>();
  auto partitions = std::make_shared<int>(1);
  auto ready = std::make_shared<std::string>();
  command->add_option("TOPIC", *topic)->required();
  command->add_option("PARTITIONS", *partitions)->required();
  command->add_option("READY_FILE", *ready)->required();
  command->callback([topic, partitions, ready, &code] {
    if (auto done = bench::be_broker(*topic, *partitions, *ready); !done) {
      code = report(done.error());
    }
  });
}

}  // namespace

void add_bench(CLI::App& app, ExitCode& code) {
  auto* command = app.add_subcommand(
      "bench", "measure it: killed (replay), behind (throughput), caught up (latency)");
  command->require_subcommand(1);
  add_bench_replay(*command, code);
  add_bench_throughput(*command, code);
  add_bench_latency(*command, code);
  add_baseline(*command, code);
  add_broker(*command, code);
}

}  // namespace semel::cli
