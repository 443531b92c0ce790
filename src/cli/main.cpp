#include <poll.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "base/standard_descriptors.hpp"
#include "cli/command.hpp"
#include "cli/console.hpp"
#include "cli/exit_code.hpp"

namespace {

/// An answer that did not arrive is none; but a reader that went away has had what it wanted.
semel::cli::ExitCode unanswered(semel::cli::ExitCode code, int reason) {
  using namespace semel;
  pollfd reader{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR) != 0) return code;
  const std::string why = reason == 0 ? "" : std::string(": ") + std::strerror(reason);
  const auto lost =
      cli::report({ErrorKind::fatal, Cause::internal, "standard output cannot be written" + why});
  return code == cli::ExitCode::ok ? lost : code;
}

int program(int argc, char** argv) {
  using namespace semel;
  // A reader that goes away (head, a closed terminal) and a file that may not grow are errors of
  // write(), not the end.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  cli::set_up_log(LogLevel::info);
  try {
    auto code = cli::ExitCode::ok;
    const auto app = cli::make_app(code);
    if (argc < 2) {
      cli::Console::shared().line(app->help());
      return static_cast<int>(cli::ExitCode::configuration);
    }
    if (argv[1][0] != '-') {
      if (auto unknown = cli::unknown_command(*app, argv[1])) {
        return static_cast<int>(
            cli::report({ErrorKind::fatal, Cause::configuration, *std::move(unknown)}));
      }
    }
    try {
      app->parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      // Help and version are "errors" without a code.
      if (error.get_exit_code() == 0) return app->exit(error);
      return static_cast<int>(
          cli::report({ErrorKind::fatal, Cause::configuration,
                       cli::usage_error(*app, {argv + 1, argv + argc}, error)}));
    }
    errno = 0;
    std::fflush(stdout);
    return static_cast<int>(std::ferror(stdout) != 0 ? unanswered(code, errno) : code);
  } catch (const std::exception& error) {
    if (const int reason = errno; std::ferror(stdout) != 0) {
      return static_cast<int>(unanswered(cli::ExitCode::ok, reason));
    }
    return static_cast<int>(cli::report({ErrorKind::fatal, Cause::internal,
                                         std::string("unexpected: ") + error.what() +
                                             ". This is a bug in semel: please report it"}));
  }
}

}  // namespace

int main(int argc, char** argv) {
  semel::hold_standard_descriptors();
  const int code = program(argc, argv);
  std::fflush(nullptr);
  // Threads of a client of librdkafka that was left behind may go on: static objects stay.
  std::quick_exit(code);
}
