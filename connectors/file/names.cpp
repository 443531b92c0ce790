#include "file/names.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace semel::file {

namespace {

constexpr std::string_view journal_ending = ".ledger";
constexpr std::size_t journal_digits = 20;
/// A name may have 255 bytes: this, partition, two offsets, an ending and a number of its kind.
constexpr std::size_t part_bytes_max = 160;

bool is_plain(char c, bool first) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter || c == '-' || (!first && (c == '.' || c == '_'));
}

}  // namespace

std::string name_part(std::string_view text) {
  std::string part;
  for (const char c : text) {
    if (is_plain(c, part.empty())) {
      part += c;
    } else {
      fmt::format_to(std::back_inserter(part), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  if (part.size() <= part_bytes_max) return part;
  const auto checksum = crc32(0, reinterpret_cast<const unsigned char*>(text.data()),
                              static_cast<unsigned>(text.size()));
  return fmt::format("{}~{:08x}", part.substr(0, part_bytes_max), checksum);
}

std::string file_stem(const OffsetRange& range) {
  return fmt::format("{}-{}-{:020}-{:020}", name_part(range.tp.topic), range.tp.partition,
                     range.from, range.until);
}

std::string journal_name(std::uint64_t number) {
  return fmt::format("{:020}{}", number, journal_ending);
}

std::optional<std::uint64_t> journal_number(std::string_view name) {
  if (name.size() != journal_digits + journal_ending.size() || !name.ends_with(journal_ending)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const auto* end = name.data() + journal_digits;
  const auto read = std::from_chars(name.data(), end, number);
  return read.ec == std::errc() && read.ptr == end ? std::optional(number) : std::nullopt;
}

}  // namespace semel::file
