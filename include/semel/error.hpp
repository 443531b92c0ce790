// Operating failures are values. A Result<T> holds a T or an Error, and must be looked at. Whoever
// asks it for a value that is not there gets the same Error as an exception, semel::Failed.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

#include <semel/api.hpp>

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
  program,        ///< the program that uses the library: it called what cannot be, or its own
                  ///< transaction went wrong
};

/// The message says what happened, where (topic, partition, offset, column), and what to do. It
/// never holds a secret.
struct Error {
  ErrorKind kind = ErrorKind::fatal;  ///< what may be done
  Cause cause = Cause::internal;      ///< who must act
  std::string message;                ///< for people
};

/// Throws `error` as semel::Failed (<semel/failed.hpp>).
[[noreturn]] SEMEL_API void throw_failed(Error error);

/// A T, or the Error that says why there is none. As tl::expected, with value() that throws
/// Failed.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  using Base = tl::expected<T, Error>;

 public:
  using Base::Base;
  Result() = default;
  /// From the class that it is made of.
  Result(Base base) : Base(std::move(base)) {}  // NOLINT(google-explicit-constructor)

  /// The value. Throws semel::Failed where there is none.
  decltype(auto) value() & { return checked(*this); }
  /// The same.
  decltype(auto) value() const& { return checked(*this); }
  /// The same; the value may be moved from.
  decltype(auto) value() && { return checked(std::move(*this)); }

 private:
  template <class Self>
  static decltype(auto) checked(Self&& self) {
    if (!self.has_value()) throw_failed(self.error());
    if constexpr (!std::is_void_v<T>) return *std::forward<Self>(self);
  }
};

inline tl::unexpected<Error> fail(ErrorKind kind, Cause cause, std::string message) {
  return tl::unexpected<Error>(Error{kind, cause, std::move(message)});
}

}  // namespace semel
