#include "cli/bench_command.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>

#include "cli/command.hpp"
#include "cli/console.hpp"
#include "cli/progress_bar.hpp"
#include "config/units.hpp"

namespace semel::cli {

namespace {

volatile std::sig_atomic_t interruptions = 0;

void on_signal(int) {
  // The second one ends at once: whatever was started dies with this process.
  if (interruptions > 0) _exit(static_cast<int>(ExitCode::second_signal));
  interruptions = 1;
}

void catch_interruptions() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Result<void> write_file(const std::string& path, const std::string& content) {
  if (path.empty()) return {};
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file << content << std::flush;
  if (file) return {};
  return fail(ErrorKind::fatal, Cause::configuration, "cannot write " + path);
}

/// With a bar below what is said, on a terminal; nothing is said elsewhere.
class Show {
 public:
  explicit Show(bench::Audience& audience) {
    audience.interrupted = [] { return interruptions > 0; };
    audience.say = [this, &audience](const std::string& text) {
      if (!Console::shared().is_terminal()) return;
      bar_.reset();
      Console::shared().line("== " + text);
      if (audience.meter.total > 0) bar_.emplace([&] { return look(audience); });
    };
  }

 private:
  static engine::Snapshot look(bench::Audience& audience) {
    engine::Snapshot shown;
    const auto done = audience.meter.done.load();
    shown.offsets = static_cast<std::uint64_t>(done);
    shown.lag = audience.meter.total - done;
    return shown;
  }
  std::optional<ProgressBar> bar_;
};

}  // namespace

void add_servers(CLI::App& command, BenchOptions& options) {
  auto& setup = options.setup;
  command
      .add_option("FILE", setup.file,
                  "a pipeline's configuration: its broker, database and settings are used. "
                  "Without it, servers of its own")
      ->type_name("");
  add(&command, "--brokers", setup.brokers, "a broker, instead of the embedded one", "HOST:PORT");
  add(&command, "--dsn", setup.dsn, "a database, instead of a throwaway PostgreSQL", "DSN");
  add(&command, "--set", setup.sets, "override a setting of the pipeline; may be repeated",
      "KEY.PATH=VALUE")
      ->allow_extra_args(false);
}

void add_preloaded(CLI::App& command, BenchOptions& options) {
  add(&command, "--records", options.setup.records,
      "how many records (default 2,000,000; 1,000,000 on the embedded broker)", "N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}).description(""));
  add_record_size(command, options);
  add(&command, "--partitions", options.setup.partitions,
      "of the topic (default 4; on the embedded broker as many as hold the records)", "N")
      ->check(CLI::Range(1, 1'000).description(""));
}

void add_record_size(CLI::App& command, BenchOptions& options) {
  add(&command, "--record-size", options.setup.record_size,
      "bytes of a record's value (default 165)", "BYTES")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{900'000}).description(""));
}

void add_reports(CLI::App& command, BenchOptions& options) {
  add(&command, "--json", options.json, "write the result as JSON", "FILE");
  add(&command, "--html", options.html, "write the result as a page with charts", "FILE");
  command
      .add_option_function<std::string>(
          "--log-level",
          [&options](const std::string& level) {
            options.setup.log = set_up_log(level == "debug" ? LogLevel::debug : LogLevel::error);
          },
          "error or debug")
      ->type_name("LEVEL")
      ->check(one_of({"error", "debug"}));
  command.add_flag("--keep", options.setup.keep,
                   "keep topic and schema semel_bench on the servers that you named");
}

Result<std::int64_t> duration_ms(const std::string& option, const std::string& text) {
  const auto parsed = config::parse_duration(text);
  if (parsed && *parsed > 0) return *parsed;
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("{}: {} is no duration, like 500ms or 2s", option, text));
}

std::string command_line(const std::string& name, const BenchOptions& options) {
  const auto& setup = options.setup;
  std::string text = "semel bench " + name;
  if (!setup.file.empty()) text += " " + setup.file;
  if (!setup.brokers.empty()) text += " --brokers " + setup.brokers;
  if (!setup.dsn.empty()) text += " --dsn …";
  for (const auto& set : setup.sets) text += " --set " + set.substr(0, set.find('=')) + "=…";
  if (setup.records > 0) text += fmt::format(" --records {}", setup.records);
  if (setup.partitions > 0) text += fmt::format(" --partitions {}", setup.partitions);
  return text + fmt::format(" --record-size {}", setup.record_size);
}

ExitCode run_bench(const BenchOptions& options,
                   const std::function<Result<Reports>(bench::Audience&)>& benchmark) {
  // Before the work, not after it.
  for (const auto& path : {options.json, options.html}) {
    if (auto writable = write_file(path, ""); !writable) return report(writable.error());
  }
  catch_interruptions();
  bench::Audience audience;
  const auto reports = [&] {
    const Show show(audience);
    return benchmark(audience);
  }();
  if (interruptions > 0) {
    Console::shared().line("semel: interrupted; what was started has ended, what was made is gone");
    return ExitCode::second_signal;
  }
  if (!reports) return report(reports.error());
  fmt::print("{}", reports->text);
  std::fflush(stdout);
  if (auto done = write_file(options.json, reports->json); !done) return report(done.error());
  if (auto done = write_file(options.html, reports->html); !done) return report(done.error());
  return reports->passed ? ExitCode::ok : ExitCode::internal;
}

}  // namespace semel::cli
