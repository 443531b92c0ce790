// What the commands share: the configuration file and its overrides.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/outputs.hpp"
#include "app/pipeline_config.hpp"
#include "cli/exit_code.hpp"

namespace semel::cli {

struct FileOptions {
  std::string file;
  std::vector<std::string> sets;
  std::string output;     ///< --output NAME; empty: all of them
  std::string log_level;  ///< empty: as configured, or `warn` for commands that only look
  std::string of_replay;  ///< --replay NAME; empty: the pipeline itself
};

/// FILE, --set, --output and --log-level.
void add_file_options(CLI::App& command, FileOptions& options);

/// --replay, of commands that look at what a pipeline has in the ledger.
void add_replay_option(CLI::App& command, FileOptions& options);

/// What is wrong with how a command was called.
tl::unexpected<Error> usage(std::string message);

/// A check that does not repeat the words in the help.
CLI::Validator one_of(std::vector<std::string> words);

/// Whole numbers from here on, or up to there as well; said in one line.
CLI::Validator at_least(std::int64_t least);
CLI::Validator between(std::int64_t least, std::int64_t most);

/// What to say to a command line that CLI11 refuses: one line, with what was meant where that can
/// be told.
std::string usage_error(const CLI::App& app, const std::vector<std::string>& words,
                        const CLI::ParseError& error);

/// What to say to a first word that is no command; nothing to one that is.
std::optional<std::string> unknown_command(const CLI::App& app, const std::string& word);

/// Reads the configuration and sets up the log. `looking`: commands that answer on standard output
/// and log warnings at most, unless asked.
Result<app::PipelineConfig> load_configuration(const FileOptions& options, bool looking = true);

/// All outputs of the configuration, or the one that --output names.
Result<std::vector<app::Output>> outputs_of(const app::PipelineConfig& config,
                                            const FileOptions& options,
                                            bool accept_changed_table = false);
/// `ask` of each output, below its heading. What is wrong with one says nothing of the others: all
/// are asked, and the first code that is not ok is the result.
ExitCode of_each(const std::vector<app::Output>& outputs,
                 const std::function<ExitCode(const app::Output&)>& ask);
/// Before what is said of one output of several; nothing where there is only one.
void print_heading(const std::vector<app::Output>& outputs, const app::Output& output);

// Each adds its command; `code` gets the exit code when the command was the one chosen.
void add_run(CLI::App& app, ExitCode& code);
void add_replay(CLI::App& app, ExitCode& code);
void add_check(CLI::App& app, ExitCode& code);
void add_status(CLI::App& app, ExitCode& code);
void add_offsets(CLI::App& app, ExitCode& code);
void add_state(CLI::App& app, ExitCode& code);
void add_dead_letters(CLI::App& app, ExitCode& code);
void add_verify(CLI::App& app, ExitCode& code);
void add_bench(CLI::App& app, ExitCode& code);
void add_sql(CLI::App& app, ExitCode& code);
void add_reference(CLI::App& app, ExitCode& code);
void add_version(CLI::App& app, ExitCode& code);

/// The whole command line, as `semel` has it.
std::unique_ptr<CLI::App> make_app(ExitCode& code);

}  // namespace semel::cli
