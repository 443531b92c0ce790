// semel sql: the statements that make the ledger tables, and those of rows.
#include <fmt/format.h>
#include <cstdio>

#include "app/outputs.hpp"
#include "cli/command.hpp"
#include "cli/sample_feed.hpp"

namespace semel::cli {

namespace {

struct SqlOptions : FileOptions {
  std::size_t sample = 0;  ///< records of each topic
};

ExitCode print_table_sql(const app::PipelineConfig& config, const app::Output& output,
                         std::size_t sample) {
  const auto statements = output.table_sql(
      [&](const TakeRecords& take) { return feed_sample(config, output, sample, take); });
  if (!statements) return report(statements.error());
  fmt::print("{}", statements->empty() ? "-- the records of the sample need no table or column\n"
                                       : "-- for records like those of the sample\n" + *statements);
  return ExitCode::ok;
}

ExitCode print_sql(const SqlOptions& options) {
  const auto config = load_configuration(options);
  if (!config) return report(config.error());
  const auto outputs = outputs_of(*config, options);
  if (!outputs) return report(outputs.error());
  auto code = ExitCode::ok;
  for (const auto& output : *outputs) {
    auto sql = output.ddl();
    if (!sql.ends_with('\n')) sql += '\n';
    if (outputs->size() > 1) fmt::print("-- output {}, {}\n", output.name(), output.target());
    fmt::print("{}", sql);
    if (options.sample == 0) continue;
    const auto printed = print_table_sql(*config, output, options.sample);
    if (code == ExitCode::ok) code = printed;
  }
  return code;
}

}  // namespace

void add_sql(CLI::App& app, ExitCode& code) {
  auto* command = app.add_subcommand(
      "sql", "print the SQL that makes the ledger tables, with the rights needed");
  auto options = std::make_shared<SqlOptions>();
  add_file_options(*command, *options);
  command
      ->add_option("--sample", options->sample,
                   "read so many records of each topic, and print what `create` and `evolve` would "
                   "make for them, too")
      ->type_name("N")
      ->check(CLI::Range(1, sample_max));
  command->callback([options, &code] { code = print_sql(*options); });
}

}  // namespace semel::cli
