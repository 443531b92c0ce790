// Text of others as text that can be stored and shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace semel {

/// `text` as UTF-8 that every server takes: invalid bytes and NUL become U+FFFD, or \xHH where only
/// ASCII is allowed (`ascii_only`: the server's encoding may lack the character). At most
/// `max_bytes` long, cut at a character.
std::string sanitise(std::string_view text, std::size_t max_bytes, bool ascii_only = false);

/// Without control characters.
std::string plain(std::string_view text);

/// How much of one foreign text stands in a log.
constexpr std::size_t log_bytes_max = 300;

}  // namespace semel
