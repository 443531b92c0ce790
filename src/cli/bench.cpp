// semel bench replay: what happens when the process is killed.
#include <fmt/format.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>

#include "bench/baselines/baseline.hpp"
#include "bench/own_servers.hpp"
#include "bench/replay.hpp"
#include "cli/command.hpp"
#include "cli/console.hpp"
#include "cli/progress_bar.hpp"
#include "config/units.hpp"

namespace semel::cli {

namespace {

struct BenchOptions {
  bench::Plan plan;
  std::string baselines = "all";
  std::string signal = "KILL";
  std::string kill_every = "2s";
  std::string json;
  std::string html;
  std::string log_level = "error";
};

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

Result<bench::Plan> plan_of(const BenchOptions& options) {
  auto plan = options.plan;
  auto kinds = bench::parse_baselines(options.baselines);
  if (!kinds) return tl::unexpected(kinds.error());
  plan.kinds = *std::move(kinds);
  const auto signal = bench::parse_signal(options.signal);
  if (!signal) return tl::unexpected(signal.error());
  plan.signal = *signal;
  const auto every = config::parse_duration(options.kill_every);
  if (!every || *every <= 0) {
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("--kill-every: {} is no duration, like 500ms or 2s", options.kill_every));
  }
  plan.kill_every_s = static_cast<double>(*every) / 1e3;
  return bench::complete(std::move(plan));
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
      if (audience.progress.total > 0) bar_.emplace([&] { return look(audience); });
    };
  }

 private:
  static engine::Snapshot look(bench::Audience& audience) {
    engine::Snapshot shown;
    const auto done = audience.progress.done.load();
    shown.records = static_cast<std::uint64_t>(done);
    shown.lag = audience.progress.total - done;
    return shown;
  }
  std::optional<ProgressBar> bar_;
};

ExitCode replay(const BenchOptions& options, const std::string& command) {
  set_up_log(options.log_level == "debug" ? config::LogLevel::debug : config::LogLevel::error);
  const auto plan = plan_of(options);
  if (!plan) return report(plan.error());
  // Before the work, not after it.
  for (const auto& path : {options.json, options.html}) {
    if (auto writable = write_file(path, ""); !writable) return report(writable.error());
  }
  catch_interruptions();
  bench::Audience audience;
  auto outcome = [&] {
    const Show show(audience);
    return bench::replay(*plan, audience);
  }();
  if (interruptions > 0) {
    Console::shared().line("semel: interrupted; what was started has ended, what was made is gone");
    return ExitCode::second_signal;
  }
  if (!outcome) return report(outcome.error());
  outcome->command = command;
  fmt::print("{}", bench::text_report(*outcome));
  std::fflush(stdout);
  if (auto done = write_file(options.json, bench::json_report(*outcome)); !done) {
    return report(done.error());
  }
  if (auto done = write_file(options.html, bench::html_report(*outcome)); !done) {
    return report(done.error());
  }
  return outcome->exactly_once() ? ExitCode::ok : ExitCode::internal;
}

/// The command as it was given, without what may be secret.
std::string command_of(const BenchOptions& options) {
  const auto& plan = options.plan;
  std::string text = "semel bench replay";
  if (!plan.file.empty()) text += " " + plan.file;
  if (!plan.brokers.empty()) text += " --brokers " + plan.brokers;
  if (!plan.dsn.empty()) text += " --dsn …";
  for (const auto& set : plan.sets) text += " --set " + set.substr(0, set.find('=')) + "=…";
  if (plan.records > 0) text += fmt::format(" --records {}", plan.records);
  if (plan.partitions > 0) text += fmt::format(" --partitions {}", plan.partitions);
  return text + fmt::format(
                    " --record-size {} --kills {} --kill-every {} --signal {} --baselines {} "
                    "--seed {}",
                    plan.record_size, plan.kills, options.kill_every, options.signal,
                    options.baselines, plan.seed);
}

void add_replay(CLI::App& bench, ExitCode& code) {
  auto* command = bench.add_subcommand(
      "replay", "kill semel under load again and again, and count what arrived");
  auto options = std::make_shared<BenchOptions>();
  auto& plan = options->plan;
  command
      ->add_option("FILE", plan.file,
                   "a pipeline's configuration: its broker, database and settings are used. "
                   "Without it, servers of its own")
      ->type_name("");
  const auto add = [command](const char* name, auto& value, const char* text, const char* type) {
    return command->add_option(name, value, text)->type_name(type);
  };
  add("--brokers", plan.brokers, "a broker, instead of the embedded one", "HOST:PORT");
  add("--dsn", plan.dsn, "a database, instead of a throwaway PostgreSQL", "DSN");
  add("--set", plan.sets, "override a setting of the pipeline; may be repeated", "KEY.PATH=VALUE")
      ->allow_extra_args(false);
  add("--records", plan.records,
      "how many records (default 2,000,000; 1,000,000 on the embedded broker)", "N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}).description(""));
  add("--record-size", plan.record_size, "bytes of a record's value (default 165)", "BYTES")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{900'000}).description(""));
  add("--partitions", plan.partitions,
      "of the topic (default 4; on the embedded broker as many as hold the records)", "N")
      ->check(CLI::Range(1, 1'000).description(""));
  add("--kills", plan.kills, "how often it is killed (default 10)", "N")
      ->check(CLI::Range(0, 10'000).description(""));
  add("--kill-every", options->kill_every,
      "a kill comes a random part of it after the first new row (default 2s); shortened where the "
      "work is over sooner",
      "DURATION");
  add("--signal", options->signal, "KILL, TERM, INT or STOP (default KILL)", "NAME");
  add("--baselines", options->baselines,
      "what to compare with: receiver, at-least-once, at-most-once, all or none (default all)",
      "LIST");
  add("--seed", plan.seed, "of the kills' moments (default 1)", "N");
  add("--json", options->json, "write the result as JSON", "FILE");
  add("--html", options->html, "write the result as a page with charts", "FILE");
  add("--log-level", options->log_level, "error or debug", "LEVEL")
      ->check(one_of({"error", "debug"}));
  command->add_flag("--keep", plan.keep,
                    "keep topic and schema semel_bench on the servers that you named");
  command->callback([options, &code] { code = replay(*options, command_of(*options)); });
}

// What `semel bench replay` starts: hidden.

void add_baseline(CLI::App& bench, ExitCode& code) {
  auto* command = bench.add_subcommand("baseline", "be a process that is killed")->group("");
  auto spec = std::make_shared<std::string>();
  auto start = std::make_shared<int>(1);
  command->add_option("SPEC", *spec)->required();
  command->add_option("START", *start)->required();
  command->callback([spec, start, &code] {
    if (auto done = bench::be_baseline(*spec, *start); !done) code = report(done.error());
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
  auto* command =
      app.add_subcommand("bench", "measure what happens when the process is killed (bench replay)");
  command->require_subcommand(1);
  add_replay(*command, code);
  add_baseline(*command, code);
  add_broker(*command, code);
}

}  // namespace semel::cli
