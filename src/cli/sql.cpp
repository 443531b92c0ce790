// semel sql: the statements that make the ledger tables.
#include <fmt/format.h>
#include <cstdio>

#include "app/outputs.hpp"
#include "cli/command.hpp"

namespace semel::cli {

void add_sql(CLI::App& app, ExitCode& code) {
  auto* command = app.add_subcommand(
      "sql", "print the SQL that makes the ledger tables, with the rights needed");
  auto options = std::make_shared<FileOptions>();
  add_file_options(*command, *options);
  command->callback([options, &code] {
    const auto config = load_configuration(*options);
    if (!config) {
      code = report(config.error());
      return;
    }
    const auto outputs = outputs_of(*config, *options);
    if (!outputs) {
      code = report(outputs.error());
      return;
    }
    for (const auto& output : *outputs) {
      auto sql = output.ddl();
      if (!sql.ends_with('\n')) sql += '\n';
      if (outputs->size() > 1) fmt::print("-- output {}, {}\n", output.name(), output.target());
      fmt::print("{}", sql);
    }
  });
}

}  // namespace semel::cli
