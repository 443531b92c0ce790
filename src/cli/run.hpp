// A pipeline as a command runs it: signals, progress bar, what is told at the end.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <semel/pipeline.hpp>

#include "cli/command.hpp"

namespace semel::cli {

struct RunOptions : FileOptions {
  bool once = false;
  bool fail_on_dead_letters = false;
  bool accept_changed_table = false;
  std::optional<std::string> http;  ///< the setting http.listen, where it is given
  std::string metrics_file;         ///< written at the start and when the run is over
  std::function<void(bool all)>
      ended{};  ///< called where it ended well: `all`: nothing is left to read
};

/// Runs what `make` makes until it ends or is asked to by a signal.
ExitCode run_pipeline(const RunOptions& options, const std::function<Result<Pipeline>()>& make);

}  // namespace semel::cli
