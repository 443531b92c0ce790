// semel run: move records until stopped, or until the ends seen at the start.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <chrono>
#include <cstdio>
#include <optional>

#include <semel/pipeline.hpp>

#include "cli/console.hpp"
#include "cli/progress_bar.hpp"
#include "cli/run.hpp"
#include "cli/signals.hpp"
#include "cli/text.hpp"
#include "config/value.hpp"
#include "http/address.hpp"
#include "metrics/file.hpp"

namespace semel::cli {

namespace {

// How long threads and sessions may take to end. Servers that answer need a tenth of a second.
constexpr std::chrono::seconds leave_patience{3};
constexpr std::chrono::seconds leave_patience_at_start{2};

/// The records add up to the first number.
std::string summary(const Snapshot& done, double seconds) {
  auto text =
      fmt::format("{} in {} ({}/s): {}, {}", counted(done.records, "record"), for_people(seconds),
                  grouped(static_cast<std::int64_t>(static_cast<double>(done.records) /
                                                    std::max(seconds, 1e-3))),
                  counted(done.rows, "row"), counted(done.dead_letters, "dead letter"));
  if (done.ignored > 0) text += fmt::format(", {} ignored", grouped(done.ignored));
  if (done.suppressed > 0) {
    text += fmt::format(", {} not stored, by a trigger or by their key", grouped(done.suppressed));
  }
  const auto also_of = [&](std::uint64_t count, std::string_view what, std::string_view which) {
    if (count > 0) text += fmt::format("; {} {}", counted(count, what), which);
  };
  // A range that was given up may be committed all the same: then records are ahead.
  const auto explained = done.records + done.lost + done.uncounted;
  also_of(done.offsets - std::min(explained, done.offsets), "offset",
          "without a record (aborted, transaction markers, compacted)");
  also_of(done.lost, "offset", "lost before they were read");
  also_of(done.uncounted, "offset", "committed whose counts only the history has");
  also_of(done.unknown_fields, "field", "without a column");
  return text;
}

/// The end of a run, for people and for who called it.
ExitCode report_end(const RunOptions& options, const Pipeline& pipeline, double seconds) {
  const auto outputs = pipeline.outputs();
  std::uint64_t dead_letters = 0;
  for (const auto& [output, done] : outputs) {
    dead_letters += done.dead_letters;
    const auto which = outputs.size() > 1 ? fmt::format("output {}: ", output) : std::string();
    const auto text = which + summary(done, seconds);
    if (options.once && !pipeline.has_standard_output()) {
      fmt::print("{}\n", text);
    } else {
      spdlog::info("pipeline {} stopped: {}", pipeline.name(), text);
    }
  }
  std::fflush(stdout);
  if (!options.fail_on_dead_letters || dead_letters == 0) return ExitCode::ok;
  return report({ErrorKind::fatal, Cause::bad_record,
                 fmt::format("{} set aside as dead letters (--fail-on-dead-letters); "
                             "all others are stored. A warning in the log has the query that "
                             "shows them",
                             counted(dead_letters, "record"))});
}

/// The configuration, and the pipeline that it describes, with the console as its log.
Result<Pipeline> make_pipeline(const RunOptions& options) {
  auto sets = options.sets;
  if (options.http) {
    // An empty variable of a shell's would silently serve nothing.
    if (auto address = http::parse_address(*options.http); !address) {
      auto error = address.error();
      error.message.insert(0, "--http: ");
      return tl::unexpected(std::move(error));
    }
    sets.push_back("http.listen=" + config::quoted(*options.http));
  }
  auto config = Config::load(options.file, sets);
  if (!config) return tl::unexpected(config.error());
  if (!options.log_level.empty()) config->set("log_level", options.log_level);
  // The pipeline knows which lines are wanted.
  const auto log = set_up_log(LogLevel::trace);
  auto pipeline = Pipeline::create(
      *config, {.log = [log](LogLevel level, std::string_view line) { log.say(level, line); },
                .once = options.once,
                .accept_changed_target = options.accept_changed_table,
                .only_output = options.output});
  if (pipeline) set_up_log(pipeline->log_level());
  return pipeline;
}

}  // namespace

ExitCode run_pipeline(const RunOptions& options, const std::function<Result<Pipeline>()>& make) {
  // In this order: signals are kept from all threads, and the watch may stop the pipeline as long
  // as it lives itself.
  std::optional<Pipeline> whole;
  SignalWatch signals;
  auto made = make();
  if (!made) return report(made.error());
  auto& pipeline = whole.emplace(*std::move(made));
  signals.start([&pipeline] {
    pipeline.request_stop();
    // Nothing was begun that could be finished.
    if (!pipeline.started()) end_within(leave_patience_at_start, ExitCode::ok);
  });

  const auto write_metrics = [&]() -> Result<void> {
    if (options.metrics_file.empty()) return {};
    return metrics::write_file(options.metrics_file, pipeline.metrics_text());
  };
  // What cannot be written is said before the work, not after it.
  if (const auto written = write_metrics(); !written) return report(written.error());

  const bool bar_wanted = options.once && Console::shared().is_terminal();
  if (!bar_wanted) spdlog::info("{}", pipeline.describe());
  const auto begun = std::chrono::steady_clock::now();
  std::optional<ProgressBar> bar;
  if (bar_wanted) bar.emplace([&pipeline] { return pipeline.snapshot(); });
  const auto outcome = pipeline.run();
  bar.reset();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;

  // People are told before servers are taken leave of: those may say nothing any more.
  auto code = outcome ? report_end(options, pipeline, took.count()) : report(outcome.error());
  if (outcome && options.ended) options.ended(pipeline.snapshot().caught_up);
  if (const auto written = write_metrics(); !written && code == ExitCode::ok) {
    code = report(written.error());
  }
  end_within(leave_patience, code);
  pipeline.close();
  return code;
}

void add_run(CLI::App& app, ExitCode& code) {
  auto* command = app.add_subcommand("run", "move records until stopped (SIGTERM or Ctrl-C)");
  auto options = std::make_shared<RunOptions>();
  add_file_options(*command, *options);
  command->add_flag("--once", options->once, "stop at the end offsets seen at the start");
  command->add_flag("--fail-on-dead-letters", options->fail_on_dead_letters,
                    "exit 7 at the end if records were set aside as dead letters");
  command->add_flag("--accept-changed-table", options->accept_changed_table,
                    "go on from the ledger into another table than before");
  command
      ->add_option_function<std::string>(
          "--http", [options](const std::string& address) { options->http = address; },
          "serve /metrics, /healthz and /readyz there; :9400 is 127.0.0.1:9400")
      ->type_name("ADDRESS");
  command
      ->add_option("--metrics-file", options->metrics_file,
                   "write the metrics there when the run is over")
      ->type_name("FILE");
  command->callback(
      [options, &code] { code = run_pipeline(*options, [&] { return make_pipeline(*options); }); });
}

}  // namespace semel::cli
