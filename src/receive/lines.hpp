// What receivers of lines have in common.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace semel::stream {

inline constexpr std::size_t sender_bytes_max = 255;

/// A number from 1 to 2^62, and nothing else: what follows it is one, too.
inline std::optional<std::uint64_t> read_sequence(std::string_view text) {
  std::uint64_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number == 0 || number > std::uint64_t{1} << 62) {
    return std::nullopt;
  }
  return number;
}

/// Of a line that ended in "\n", what may be left of "\r\n".
inline std::string_view without_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// The last one counts without an end, too.
template <class Take>
void for_each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    take(without_return(text.substr(0, end)));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
}

}  // namespace semel::stream
