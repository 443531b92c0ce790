// What PostgreSQL's error codes mean to semel. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <semel/error.hpp>

#include "base/setting_names.hpp"

namespace semel::postgres {

/// An error as the server sent it.
struct ServerError {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
  std::string context;
  std::string schema;
  std::string table;
  std::string column;
  std::string constraint;
  std::string source_file{};      ///< of the server's code
  std::string source_function{};  ///< in that file
  bool session_ended = false;     ///< FATAL or PANIC: the session is gone with it
  SettingNames names{};           ///< of whoever configured the session
  bool of_value = false;          ///< COPY was reading the value of a column (bad_record.hpp tells)
  std::size_t into = 0;           ///< of several tables, which one got rows (isolate.hpp)

  /// Message and detail in one line; they may hold values.
  std::string text() const;
};

enum class Meaning : std::uint8_t {
  data,         ///< the row is bad, and would be at another time as well
  unavailable,  ///< the server cannot do it now: waiting helps
  retriable,    ///< may pass, worth counting
  login,        ///< the role or database does not let us in
  privilege,    ///< the role may not do it
  missing,      ///< a table, column, schema or database is not there
  other,        ///< nothing that trying again would change
};

/// Somebody else holds a lock that was asked for with NOWAIT or lock_timeout.
inline constexpr std::string_view lock_not_available = "55P03";

/// By a list of codes where rows are concerned, not by their class: 23502 for one row is data,
/// 22P04 is our own mistake in the stream.
Meaning meaning_of(std::string_view sqlstate);
Meaning meaning_of(const ServerError& error);

/// Of a refused login: the server does not take a setting that came with it, whoever we are.
bool refuses_a_setting(std::string_view sqlstate);

/// The server speaks of its connections, resources or locks, or of an operator, in its own words:
/// no row's fault, however often one meets it. Not so where a function chose the code; nor of an
/// internal error, which extensions raise for values too.
bool speaks_of_circumstances(const ServerError& error);

/// The statement was ended from outside or took longer than statement_timeout: no code tells which.
bool is_cancelled(const ServerError& error);
/// The same, of this server's own statement: a foreign server's may wait there for anything.
bool took_too_long(const ServerError& error);

/// `doing` completes "PostgreSQL refused … while": "taking over pipeline clicks". The message holds
/// nothing that stood in a record: it gets into logs.
Error to_error(const ServerError& error, std::string_view doing);

/// The row (from 1) that COPY's CONTEXT names for `table`, in whatever language.
std::optional<std::size_t> copy_line(std::string_view context, std::string_view table);
/// What the same line of the CONTEXT says behind that number.
std::optional<std::string_view> copy_line_text(std::string_view context, std::string_view table);

}  // namespace semel::postgres
