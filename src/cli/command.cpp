#include "cli/command.hpp"

#include <fmt/format.h>
#include <charconv>
#include <csignal>
#include <limits>
#include <map>

#include "base/one_line.hpp"
#include "cli/console.hpp"
#include "cli/replay_range.hpp"
#include "config/nearest.hpp"

namespace semel::cli {

namespace {

const std::map<std::string, LogLevel> levels{{"trace", LogLevel::trace},
                                             {"debug", LogLevel::debug},
                                             {"info", LogLevel::info},
                                             {"warn", LogLevel::warn},
                                             {"error", LogLevel::error}};

constexpr auto footer = R"(Example, clicks.toml:
  name = "clicks"
  [source.kafka]
  brokers = "localhost:9092"
  topics  = ["clicks"]
  [sink.postgres]
  dsn   = "postgresql://localhost/shop"
  table = "clicks"

  semel check clicks.toml      is everything in order?
  semel run clicks.toml        move records until stopped

Exit codes:
  0 ok   1 internal error, or a chain that is broken   2 configuration or usage
  3 source (Kafka)   4 sink   5 fenced by another owner   6 records were lost
  7 bad record   8 state directory   9 status: too far behind   130 second signal

More: man semel, docs/reference/; `semel COMMAND --help` for the options of a command.)";

}  // namespace

tl::unexpected<Error> usage(std::string message) {
  return fail(ErrorKind::fatal, Cause::configuration, std::move(message));
}

CLI::Validator one_of(std::vector<std::string> words) {
  return CLI::IsMember(std::move(words)).description("");
}

CLI::Validator between(std::int64_t least, std::int64_t most) {
  CLI::Validator check(
      [=](const std::string& text) {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        const bool whole = error == std::errc() && end == text.data() + text.size();
        if (whole && number >= least && number <= most) return std::string();
        return most == std::numeric_limits<std::int64_t>::max()
                   ? fmt::format("must be a whole number, at least {}, not {}", least, text)
                   : fmt::format("must be a whole number from {} to {}, not {}", least, most, text);
      },
      "");
  return check;
}

CLI::Validator at_least(std::int64_t least) {
  return between(least, std::numeric_limits<std::int64_t>::max());
}

std::string usage_error(const CLI::App& app, const std::vector<std::string>& words,
                        const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  const auto* command = chosen.empty() ? &app : chosen.front();
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  auto text = one_line(error.what());
  for (const auto& word : words) {
    const auto name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || name == "--") continue;
    std::string nearest;
    int distance = 4;
    bool known = false;
    for (const auto* option : command->get_options()) {
      for (const auto& one : option->get_lnames()) {
        const int to = config::edit_distance(name.substr(2), one);
        known = known || to == 0;
        if (to < distance && !option->get_group().empty()) nearest = "--" + one, distance = to;
      }
    }
    if (known) continue;
    text = fmt::format("unknown option {}{}", name,
                       nearest.empty() ? "" : ": did you mean " + nearest + "?");
    break;
  }
  const auto name = command == &app ? std::string() : " " + command->get_name();
  return fmt::format("{} (`semel{} --help` lists the options)", text, name);
}

std::optional<std::string> unknown_command(const CLI::App& app, const std::string& word) {
  std::string nearest;
  int distance = 3;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == word) return std::nullopt;
    const int to = config::edit_distance(word, command->get_name());
    if (to < distance && !command->get_group().empty()) {
      nearest = command->get_name();
      distance = to;
    }
  }
  return fmt::format("unknown command {}{} (`semel --help` lists them)", word,
                     nearest.empty() ? "" : ": did you mean " + nearest + "?");
}

void add_file_options(CLI::App& command, FileOptions& options) {
  command.add_option("FILE", options.file, "the pipeline's configuration (TOML)")
      ->required()
      ->type_name("");
  command
      .add_option("--set", options.sets,
                  "override a setting, as in --set batch.interval=1s; may be repeated")
      ->type_name("KEY.PATH=VALUE")
      ->allow_extra_args(false);
  command.add_option("--output", options.output, "only this output of a pipeline that has several")
      ->type_name("NAME");
  command.add_option("--log-level", options.log_level, "trace, debug, info, warn or error")
      ->type_name("LEVEL")
      ->check(one_of({"trace", "debug", "info", "warn", "error"}));
}

void add_replay_option(CLI::App& command, FileOptions& options) {
  command.add_option("--replay", options.of_replay, "of this replay of the pipeline")
      ->type_name("NAME");
}

Result<app::PipelineConfig> load_configuration(const FileOptions& options, bool looking) {
  auto config =
      app::load(options.file, options.sets, looking ? app::For::looking : app::For::running);
  if (!config) return config;
  if (!options.of_replay.empty()) {
    config->pipeline.name = replay_pipeline(config->pipeline.name, options.of_replay);
  }
  if (!options.log_level.empty()) config->log_level = levels.at(options.log_level);
  // What only answers may end like any other filter when its reader goes away (| head).
  if (looking) std::signal(SIGPIPE, SIG_DFL);
  const bool quiet = looking && options.log_level.empty() && config->log_level < LogLevel::warn;
  config->pipeline.kafka.log = set_up_log(quiet ? LogLevel::warn : config->log_level);
  return config;
}

Result<std::vector<app::Output>> outputs_of(const app::PipelineConfig& config,
                                            const FileOptions& options, bool accept_changed_table) {
  auto outputs = app::outputs_of(config, accept_changed_table);
  if (options.output.empty()) return outputs;
  std::string names;
  for (const auto& output : outputs) {
    if (output.name() == options.output) return std::vector<app::Output>{output};
    names += (names.empty() ? "" : ", ") + output.name();
  }
  return fail(
      ErrorKind::fatal, Cause::configuration,
      fmt::format("{} has no output {}: --output takes {}", options.file, options.output, names));
}

ExitCode of_each(const std::vector<app::Output>& outputs,
                 const std::function<ExitCode(const app::Output&)>& ask) {
  auto code = ExitCode::ok;
  for (const auto& output : outputs) {
    print_heading(outputs, output);
    const auto one = ask(output);
    if (code == ExitCode::ok) code = one;
  }
  return code;
}

void print_heading(const std::vector<app::Output>& outputs, const app::Output& output) {
  if (outputs.size() < 2) return;
  const bool first = &output == outputs.data();
  fmt::print("{}output {}, {}\n", first ? "" : "\n", output.name(), output.target());
}

std::unique_ptr<CLI::App> make_app(ExitCode& code) {
  auto app = std::make_unique<CLI::App>(
      "semel moves Kafka topics into PostgreSQL and other stores exactly once: rows and offsets "
      "are\ncommitted in one transaction, so that a replay after any crash changes nothing.",
      "semel");
  app->set_version_flag("--version", "semel " SEMEL_VERSION);
  auto& words = *app->get_formatter();
  words.label("SUBCOMMAND", "COMMAND");
  words.label("REQUIRED", "");
  add_run(*app, code);
  add_replay(*app, code);
  add_check(*app, code);
  add_status(*app, code);
  add_offsets(*app, code);
  add_state(*app, code);
  add_dead_letters(*app, code);
  add_verify(*app, code);
  add_sql(*app, code);
  add_bench(*app, code);
  add_version(*app, code);
  add_reference(*app, code);
  for (auto* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) command->group("Commands");
  }
  app->require_subcommand(1);
  // After the commands, which would inherit it.
  app->footer(footer);
  return app;
}

}  // namespace semel::cli
