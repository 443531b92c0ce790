// What COPY's two formats are made of: big-endian numbers, lengths, escapes.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace semel::postgres::encode {

/// Big-endian bytes of an integer.
template <class Integer>
std::array<char, sizeof(Integer)> big_endian(Integer number) {
  auto bits = static_cast<std::make_unsigned_t<Integer>>(number);
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof(Integer) == 2) bits = __builtin_bswap16(bits);
    if constexpr (sizeof(Integer) == 4) bits = __builtin_bswap32(bits);
    if constexpr (sizeof(Integer) == 8) bits = __builtin_bswap64(bits);
  }
  return std::bit_cast<std::array<char, sizeof(Integer)>>(bits);
}

template <class Integer>
void append_integer(std::string& out, Integer number) {
  const auto bytes = big_endian(number);
  out.append(bytes.data(), bytes.size());
}

/// A field of known size in one append: length, then the number.
template <std::integral Integer>
void append_field(std::string& out, Integer number) {
  std::array<char, 4 + sizeof(Integer)> field;
  const auto length = big_endian(static_cast<std::int32_t>(sizeof(Integer)));
  const auto bytes = big_endian(number);
  std::memcpy(field.data(), length.data(), length.size());
  std::memcpy(field.data() + length.size(), bytes.data(), bytes.size());
  out.append(field.data(), field.size());
}

inline void append_field(std::string& out, std::string_view bytes) {
  append_integer(out, static_cast<std::int32_t>(bytes.size()));
  out.append(bytes);
}

inline void append_null_field(std::string& out) {
  append_integer(out, std::int32_t{-1});
}

/// A field whose length is known once it is written.
class LengthPrefix {
 public:
  explicit LengthPrefix(std::string& out) : out_(out), at_(out.size()) {
    append_integer(out_, std::int32_t{0});
  }
  void close() const {
    const auto length = big_endian(static_cast<std::int32_t>(out_.size() - at_ - 4));
    std::memcpy(out_.data() + at_, length.data(), length.size());
  }

 private:
  std::string& out_;
  std::size_t at_;
};

/// `text` as a field of COPY's text format.
inline void append_copy_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\v':
        out += "\\v";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        out += c;
    }
  }
}

}  // namespace semel::postgres::encode
