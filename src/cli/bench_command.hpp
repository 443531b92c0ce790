// What the benchmarks' commands share: servers, records, reports, interruption.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "bench/semel/audience.hpp"
#include "bench/semel/setup.hpp"
#include "cli/exit_code.hpp"

namespace semel::cli {

struct BenchOptions {
  bench::Setup setup;
  std::string json;
  std::string html;
};

/// An option of `command` with the type that its help shows.
template <class Value>
CLI::Option* add(CLI::App* command, const char* name, Value& value, const char* text,
                 const char* type) {
  return command->add_option(name, value, text)->type_name(type);
}

/// FILE, --brokers, --dsn and --set.
void add_servers(CLI::App& command, BenchOptions& options);
/// --records, --record-size and --partitions of a topic that is filled before it is read.
void add_preloaded(CLI::App& command, BenchOptions& options);
/// --record-size.
void add_record_size(CLI::App& command, BenchOptions& options);
/// --json, --html, --log-level and --keep.
void add_reports(CLI::App& command, BenchOptions& options);

/// A duration from the command line that must be longer than nothing, in milliseconds.
Result<std::int64_t> duration_ms(const std::string& option, const std::string& text);

/// "semel bench NAME" with servers and records as they were given, without what may be secret.
std::string command_line(const std::string& name, const BenchOptions& options);

/// What a benchmark came to.
struct Reports {
  std::string text;
  std::string json;
  std::string html;
  bool passed = false;  ///< nothing was lost or doubled
};

/// Runs it with a bar on a terminal, prints and writes the reports. Interrupted: cleans up.
ExitCode run_bench(const BenchOptions& options,
                   const std::function<Result<Reports>(bench::Audience&)>& benchmark);

// Each adds its command to `semel bench`.
void add_bench_replay(CLI::App& bench, ExitCode& code);
void add_bench_throughput(CLI::App& bench, ExitCode& code);
void add_bench_latency(CLI::App& bench, ExitCode& code);

}  // namespace semel::cli
