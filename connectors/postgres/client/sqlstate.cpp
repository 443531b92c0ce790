#include "postgres/client/sqlstate.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "postgres/client/log_text.hpp"

namespace semel::postgres {

namespace {

struct Code {
  std::string_view sqlstate;
  Meaning meaning;
};

// Sorted. A code of two characters stands for its class and is asked only where the code itself is
// not in the list.
constexpr std::array codes = std::to_array<Code>({
    {"08", Meaning::unavailable},     // connection exceptions
    {"21000", Meaning::data},         // a trigger's subquery found more than one row
    {"22000", Meaning::data},         // data exception
    {"22001", Meaning::data},         // string too long
    {"22002", Meaning::data},         // null value, no indicator
    {"22003", Meaning::data},         // number out of range
    {"22004", Meaning::data},         // null value not allowed
    {"22005", Meaning::data},         // error in assignment
    {"22007", Meaning::data},         // invalid datetime format
    {"22008", Meaning::data},         // datetime overflow
    {"22009", Meaning::data},         // invalid time zone displacement
    {"2200G", Meaning::data},         // most specific type mismatch
    {"2200M", Meaning::data},         // invalid XML document
    {"2200N", Meaning::data},         // invalid XML content
    {"22011", Meaning::data},         // substring error
    {"22012", Meaning::data},         // division by zero, in a generated column or a trigger
    {"22015", Meaning::data},         // interval overflow
    {"22018", Meaning::data},         // invalid character value for cast
    {"2201B", Meaning::data},         // invalid regular expression
    {"2201E", Meaning::data},         // logarithm of a bad argument
    {"2201F", Meaning::data},         // power of a bad argument
    {"22021", Meaning::data},         // not in the encoding's repertoire
    {"22023", Meaning::data},         // invalid parameter value
    {"22024", Meaning::data},         // unterminated C string
    {"22025", Meaning::data},         // invalid escape sequence
    {"22026", Meaning::data},         // string length mismatch, bit(n)
    {"22027", Meaning::data},         // trim error
    {"2202E", Meaning::data},         // array subscript error
    {"22030", Meaning::data},         // duplicate JSON object key
    {"22032", Meaning::data},         // invalid JSON text
    {"22033", Meaning::data},         // invalid JSON subscript
    {"22P01", Meaning::data},         // floating point exception
    {"22P02", Meaning::data},         // invalid text representation
    {"22P03", Meaning::data},         // invalid binary representation
    {"22P05", Meaning::data},         // untranslatable character
    {"23000", Meaning::data},         // integrity constraint violation
    {"23001", Meaning::data},         // restrict violation
    {"23502", Meaning::data},         // not null violation
    {"23503", Meaning::data},         // foreign key violation
    {"23505", Meaning::data},         // unique violation
    {"23514", Meaning::data},         // check violation; also "no partition of relation"
    {"23P01", Meaning::data},         // exclusion violation
    {"25006", Meaning::unavailable},  // read-only transaction: a standby
    {"25P03", Meaning::unavailable},  // idle-in-transaction time-out
    {"25P04", Meaning::retriable},    // transaction time-out
    {"28", Meaning::login},           // invalid authorization
    {"3D000", Meaning::login},        // no such database
    {"3F000", Meaning::missing},      // no such schema
    {"40", Meaning::retriable},       // deadlock, serialization failure
    {"42501", Meaning::privilege},    // insufficient privilege
    {"42703", Meaning::missing},      // no such column
    {"42704", Meaning::missing},      // no such object
    {"42883", Meaning::missing},      // no such function
    {"42P01", Meaning::missing},      // no such table
    {"44000", Meaning::data},         // a view's WITH CHECK OPTION
    {"53", Meaning::retriable},       // out of memory, a configured limit: may be the range's size
    {"53100", Meaning::unavailable},  // disk full: somebody has to make room
    {"53300", Meaning::unavailable},  // too many connections
    {"54000", Meaning::data},         // index row too large
    {"54001", Meaning::data},         // nested too deeply
    {"55006", Meaning::retriable},    // object in use
    {"55P03", Meaning::unavailable},  // lock time-out: without one, the lock is waited for
    {"57014", Meaning::retriable},    // cancelled, statement time-out
    {"57P01", Meaning::unavailable},  // shut down by an administrator
    {"57P02", Meaning::unavailable},  // crash
    {"57P03", Meaning::unavailable},  // starting up, shutting down, recovering
    {"57P05", Meaning::unavailable},  // idle session time-out
    {"58000", Meaning::retriable},    // system error
    {"58030", Meaning::retriable},    // I/O error
    {"P0001", Meaning::data},         // RAISE EXCEPTION in a trigger
    {"P0002", Meaning::data},         // no data found, in a trigger
    {"P0003", Meaning::data},         // too many rows, in a trigger
    {"P0004", Meaning::data},         // ASSERT in a trigger
    {"XX000", Meaning::retriable},    // internal: "tuple concurrently updated" and the like
});
static_assert(std::ranges::is_sorted(codes, {}, &Code::sqlstate));

std::optional<Meaning> look_up(std::string_view code) {
  const auto found = std::ranges::lower_bound(codes, code, {}, &Code::sqlstate);
  if (found == codes.end() || found->sqlstate != code) return std::nullopt;
  return found->meaning;
}

constexpr std::string_view cancelled = "57014";
constexpr std::string_view internal = "XX000";

/// What helps, where a code says more than its meaning.
struct Remedy {
  std::string_view sqlstate;
  std::string_view text;  ///< {0}, {1}: what the settings are called
  std::string_view setting{};
  std::string_view other{};
};
constexpr std::array remedies = std::to_array<Remedy>({
    {"53200",
     ". Where a range reaches more partitions than the server has room to lock, lower "
     "{} or raise the server's max_locks_per_transaction",
     "batch.max_records_per_partition"},
    {cancelled,
     ". Where a statement_timeout of the role or database is shorter than its statements take, set "
     "{} (or ALTER ROLE ... SET statement_timeout), or lower {}",
     "sink.postgres.statement_timeout", "batch.max_records_per_partition"},
    {"55P03",
     ". Somebody holds a lock for longer than the lock_timeout of the role or database: "
     "pg_blocking_pids() in the server says who"},
});

std::string remedy_for(std::string_view sqlstate, Meaning meaning, const SettingNames& names) {
  const auto found = std::ranges::find(remedies, sqlstate, &Remedy::sqlstate);
  if (found != remedies.end()) {
    return fmt::format(fmt::runtime(found->text), names(found->setting), names(found->other));
  }
  switch (meaning) {
    case Meaning::login:
      return fmt::format(". Correct {}, or let the role log in to the database",
                         names("sink.postgres.dsn"));
    case Meaning::privilege:
      return ". Grant the role what `semel sql` prints, and INSERT on the table; where its rows "
             "are merged by a key, SELECT and UPDATE as well, and DELETE where records remove some";
    case Meaning::missing:
      return fmt::format(
          ". Create it, or correct the name in {}; `semel check` shows what is there",
          names("[sink.postgres]"));
    case Meaning::data:
    case Meaning::unavailable:
    case Meaning::retriable:
    case Meaning::other:
      return "";
  }
  return "";
}

ErrorKind error_kind_of(Meaning meaning) {
  switch (meaning) {
    case Meaning::data:
      return ErrorKind::bad_data;
    case Meaning::unavailable:
      return ErrorKind::unavailable;
    case Meaning::retriable:
      return ErrorKind::retriable;
    case Meaning::login:
    case Meaning::privilege:
    case Meaning::missing:
    case Meaning::other:
      return ErrorKind::fatal;
  }
  return ErrorKind::fatal;
}

}  // namespace

std::string ServerError::text() const {
  return detail.empty() ? message : message + " (" + detail + ")";
}

Meaning meaning_of(std::string_view sqlstate) {
  if (const auto meaning = look_up(sqlstate)) return *meaning;
  return look_up(sqlstate.substr(0, 2)).value_or(Meaning::other);
}

Meaning meaning_of(const ServerError& error) {
  const auto meaning = meaning_of(std::string_view(error.sqlstate));
  // One code for an index row that is too large and for a server that protects itself from running
  // out of transaction ids. Where it was raised tells, in every language.
  const bool protects_itself =
      error.source_file == "varsup.c" || error.source_file == "multixact.c";
  if (error.sqlstate == "54000" && protects_itself) return Meaning::unavailable;
  // Types of extensions have no better code for a value that they do not like. Whose fault it is,
  // the hunt finds out, and sooner than by waiting.
  return error.sqlstate == internal && error.of_value ? Meaning::other : meaning;
}

bool refuses_a_setting(std::string_view sqlstate) {
  // A value or a name that it does not know, or one that is not for sessions to change. Not the
  // right to log in, which is of class 42 as well.
  return (sqlstate.starts_with("22") || sqlstate.starts_with("42") || sqlstate == "55P02") &&
         meaning_of(sqlstate) != Meaning::privilege;
}

bool speaks_of_circumstances(const ServerError& error) {
  const auto meaning = meaning_of(error);
  const bool passes = meaning == Meaning::unavailable || meaning == Meaning::retriable;
  // Where PL/pgSQL's RAISE is; and who does not say where it was raised is not PostgreSQL.
  const bool chosen = error.source_function.empty() || error.source_function == "exec_stmt_raise";
  return passes && !chosen && error.sqlstate != internal;
}

bool is_cancelled(const ServerError& error) {
  return error.sqlstate == cancelled;
}

bool took_too_long(const ServerError& error) {
  return is_cancelled(error) && error.source_function == "ProcessInterrupts";
}

Error to_error(const ServerError& error, std::string_view doing) {
  const auto meaning = meaning_of(error);
  auto kind = error_kind_of(meaning);
  // A session that ends is a lost connection, unless it never began because of who we are.
  if (error.session_ended && kind != ErrorKind::fatal && kind != ErrorKind::retriable) {
    kind = ErrorKind::unavailable;
  }
  const auto hint = log_hint(error);
  return {kind, kind == ErrorKind::bad_data ? Cause::bad_record : Cause::sink,
          fmt::format("PostgreSQL refused while {}: {} (SQLSTATE {}){}{}{}", doing, log_text(error),
                      error.sqlstate, remedy_for(error.sqlstate, meaning, error.names),
                      hint.empty() ? "" : ". ", hint)};
}

namespace {

/// A number and where it ends in the text.
struct Number {
  std::size_t value = 0;
  std::string_view rest;
};

std::optional<Number> copy_number(std::string_view context, std::string_view table) {
  // A trigger's function has lines as well: only the line that speaks of COPY counts, and in it the
  // first number behind the table's name, which may hold digits itself. The first such line: what
  // follows it may be the rest of the value that it quotes, and say anything.
  while (!context.empty()) {
    const auto end = context.find('\n');
    const auto one = context.substr(0, end);
    context.remove_prefix(end == std::string_view::npos ? context.size() : end + 1);
    const auto copy = one.find("COPY");
    if (copy == std::string_view::npos) continue;
    auto name = one.find(table, copy + 4);
    if (name == std::string_view::npos) name = one.find(table);  // some languages name it first
    if (name == std::string_view::npos) continue;
    const auto rest = one.substr(name + table.size());
    const auto digit = rest.find_first_of("0123456789");
    if (digit == std::string_view::npos) continue;
    std::size_t number = 0;
    const auto parsed = std::from_chars(rest.data() + digit, rest.data() + rest.size(), number);
    if (parsed.ec == std::errc() && number > 0) {
      return Number{number, rest.substr(static_cast<std::size_t>(parsed.ptr - rest.data()))};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> copy_line(std::string_view context, std::string_view table) {
  const auto number = copy_number(context, table);
  return number ? std::optional(number->value) : std::nullopt;
}

std::optional<std::string_view> copy_line_text(std::string_view context, std::string_view table) {
  const auto number = copy_number(context, table);
  return number ? std::optional(number->rest) : std::nullopt;
}

}  // namespace semel::postgres
