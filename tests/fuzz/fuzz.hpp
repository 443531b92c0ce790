// What all fuzz targets need: an invariant that ends the program with its own words, and UTF-8.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace semel::fuzz {

/// Ends the program, so that libFuzzer keeps the input, unless `held`.
inline void hold(bool held, const char* invariant, std::string_view found = {}) {
  if (held) [[likely]]
    return;
  std::fprintf(stderr, "BROKEN INVARIANT: %s\n%.*s\n", invariant, static_cast<int>(found.size()),
               found.data());
  std::abort();
}

/// A lengthy but plain reading of RFC 3629: no library's, since one is under test.
inline bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  const auto next = [&] { return static_cast<unsigned char>(text[i++]); };
  while (i < text.size()) {
    const unsigned first = next();
    if (first < 0x80) continue;
    const int more = first >= 0xC2 && first < 0xE0   ? 1
                     : first >= 0xE0 && first < 0xF0 ? 2
                     : first >= 0xF0 && first < 0xF5 ? 3
                                                     : -1;
    if (more < 0 || text.size() - i < static_cast<std::size_t>(more)) return false;
    std::uint32_t code = first & (0x3FU >> more);
    for (int n = 0; n < more; ++n) {
      const unsigned following = next();
      if ((following & 0xC0) != 0x80) return false;
      code = code << 6 | (following & 0x3F);
    }
    if (more == 2 && (code < 0x800 || (code >= 0xD800 && code < 0xE000))) return false;
    if (more == 3 && (code < 0x10000 || code > 0x10FFFF)) return false;
  }
  return true;
}

}  // namespace semel::fuzz
