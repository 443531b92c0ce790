// Operating failures are values. A Result<T> holds a T or an Error; exceptions are for bugs only
// and do not cross a module's border.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace semel {

/// What may be done about an error. The one thing a caller decides on.
enum class ErrorKind : std::uint8_t {
  unavailable,  ///< a server cannot be reached or is not ready: wait with back-off, without limit
  retriable,  ///< a definite failure that may pass (deadlock, time-out, full disk): retry, counted
  bad_data,   ///< records the server refused: start the task again, isolating
  in_doubt,   ///< the commit may have happened: read the ledger on a new connection, never guess
  data_loss,  ///< the log no longer holds what was planned, or is another log: see `on_data_loss`
  fatal,      ///< somebody has to change something: stop
};

/// Who has to change what: decides the process's exit code (docs/reference/exit-codes.md).
enum class Cause : std::uint8_t {
  internal,       ///< a broken invariant: a bug in semel
  configuration,  ///< the configuration is wrong
  source,         ///< Kafka: unreachable, unknown topic, refused login
  sink,           ///< the sink: unreachable, refused login, missing table, no privilege
  state,          ///< the state directory: full, corrupt, not writable
  data_loss,      ///< records are gone before they were read
  bad_record,     ///< a record was refused and the configuration says stop
  fenced,         ///< another owner has taken over
};

/// The message says what happened, where (topic, partition, offset, column), and what to do. It
/// never holds a secret.
struct Error {
  ErrorKind kind = ErrorKind::fatal;
  Cause cause = Cause::internal;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, Cause cause, std::string message) {
  return tl::unexpected<Error>(Error{kind, cause, std::move(message)});
}

}  // namespace semel
