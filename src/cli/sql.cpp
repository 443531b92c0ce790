// semel sql: the statements that make the ledger tables.
#include <fmt/format.h>
#include <cstdio>

#include "cli/command.hpp"
#include "cli/connectors.hpp"

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
    auto sql = connector_of(*config).ddl(*config);
    if (!sql.ends_with('\n')) sql += '\n';
    fmt::print("{}", sql);
  });
}

}  // namespace semel::cli
