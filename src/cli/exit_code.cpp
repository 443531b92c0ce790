#include "cli/exit_code.hpp"

#include <sstream>
#include <string>

#include "base/one_line.hpp"
#include "cli/console.hpp"

namespace semel::cli {

ExitCode exit_code_of(Cause cause) {
  switch (cause) {
    case Cause::internal:
    case Cause::program:  // ours
      return ExitCode::internal;
    case Cause::configuration:
      return ExitCode::configuration;
    case Cause::source:
      return ExitCode::source;
    case Cause::sink:
      return ExitCode::sink;
    case Cause::state:
      return ExitCode::state;
    case Cause::data_loss:
      return ExitCode::data_loss;
    case Cause::bad_record:
      return ExitCode::bad_record;
    case Cause::fenced:
      return ExitCode::fenced;
  }
  return ExitCode::internal;
}

ExitCode report(const Error& error) {
  // Only a configuration has several mistakes at once.
  if (error.cause == Cause::configuration) {
    std::istringstream lines(error.message);
    for (std::string line; std::getline(lines, line);) {
      Console::shared().line("semel: " + one_line(line));
    }
  } else {
    Console::shared().line("semel: " + one_line(error.message));
  }
  return exit_code_of(error.cause);
}

}  // namespace semel::cli
