// A value as one of five plain things, for sinks whose columns convert by themselves. No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "record/value.hpp"

namespace semel::record {

/// What a column would rather have where a value can be several things.
enum class Prefer : std::uint8_t {
  text,   ///< numbers with each of their digits, moments as ISO 8601
  bytes,  ///< whatever is bytes as it is
  real,   ///< numbers that are as near as a double is
  any,    ///< integers of 64 bits, and doubles of what is none; texts that are a number, too
};

struct Bytes {
  std::string_view bytes;
};
/// Why a value is none of these, as the end of a sentence, without anything of the value.
struct NotPlain {
  std::string why;
};
/// Nothing, an integer, a double, text in UTF-8, or bytes.
using Plain = std::variant<std::monostate, std::int64_t, double, std::string_view, Bytes, NotPlain>;

/// No digit of a number is lost, but where `real` is preferred: then it is the nearest double.
/// Borrows from `value` and from `scratch`. Objects and arrays are text, and so are booleans where
/// text is preferred; elsewhere they are 1 and 0.
Plain as_plain(const Value& value, Prefer prefer, std::string& scratch);

}  // namespace semel::record
