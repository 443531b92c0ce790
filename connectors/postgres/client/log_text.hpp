// What of a server's error may stand in a log: what the server says of itself, and nothing that
// stood in a record. No I/O.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/client/sqlstate.hpp"

namespace semel::postgres {

/// A trigger, a function or somebody's remote server speaks, and may say anything: known by the
/// CONTEXT, in whatever language, not by the code, which they choose.
bool said_by_function(const ServerError& error);

/// Message, and detail where it holds no value. By what a field is, not by the code: of what a
/// function says, only which it was; of a row's error, the message without what it quotes, but for
/// names that the error has as fields and for `known`. One line of plain characters.
std::string log_text(const ServerError& error, std::vector<std::string> known = {});
/// The hint, where it is about no row and no function's.
std::string log_hint(const ServerError& error);

struct Quote {
  std::size_t at = std::string_view::npos;
  std::size_t size = 0;
};
/// The first of what PostgreSQL's languages put around a value.
Quote first_quote(std::string_view text, std::size_t from = 0);

/// `text` without whatever it quotes, but for `known` names, without control characters, and at
/// most `max_bytes` long.
std::string without_quotes(std::string_view text, const std::vector<std::string>& known,
                           std::size_t max_bytes);

}  // namespace semel::postgres
