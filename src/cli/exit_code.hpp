// How the process ends: docs/reference/exit-codes.md. Stored: do not change (service units name
// them).
#pragma once

#include <semel/error.hpp>

namespace semel::cli {

enum class ExitCode : int {
  ok = 0,
  internal = 1,       ///< a bug in semel; also `semel verify` that found the chain broken
  configuration = 2,  ///< configuration or command line
  source = 3,         ///< Kafka
  sink = 4,
  fenced = 5,  ///< another owner has taken over: do not restart
  data_loss = 6,
  bad_record = 7,
  state = 8,           ///< state directory, plan log
  behind = 9,          ///< `semel status`: more lag, or older, than was allowed
  second_signal = 130  ///< ended at once, as asked
};

ExitCode exit_code_of(Cause cause);

/// Tells people on standard error, in one line (a configuration: one per mistake), and gives the
/// exit code.
ExitCode report(const Error& error);

}  // namespace semel::cli
