// semel version
#include <fmt/format.h>
#include <cstdio>

#include "base/crash_point.hpp"
#include "cli/command.hpp"

namespace semel::cli {

void add_version(CLI::App& app, ExitCode&) {
  auto* command = app.add_subcommand("version", "print the version");
  command->callback([] {
    fmt::print("semel {}{}\n", SEMEL_VERSION,
               has_crash_points ? " (with crash points: not a release build)" : "");
  });
}

}  // namespace semel::cli
