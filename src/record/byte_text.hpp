// Bytes as text: base64 and hexadecimal digits. Pure.
#pragma once

#include <string>
#include <string_view>

namespace semel::record {

/// With its padding, in one line.
std::string base64(std::string_view bytes);

/// Appends what `text` spells. False where it is no base64: the alphabet with + and /, or the one
/// with - and _ that is safe in URLs, not both; all of the padding, or none; no white space, and no
/// bits behind the last byte.
bool from_base64(std::string_view text, std::string& out);
/// The same of pairs of hexadecimal digits, capital or small, without anything else.
bool from_hex(std::string_view text, std::string& out);

}  // namespace semel::record
