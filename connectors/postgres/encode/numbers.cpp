// bool, integers, oid and floats, as PostgreSQL's own text input reads them.
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include "postgres/encode/fixed_size.hpp"

namespace semel::postgres::encode {
namespace {

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

/// Any unambiguous beginning of a word, as boolin has it: "t", "ye", "of".
bool abbreviates(std::string_view text, std::string_view word, std::size_t at_least) {
  return text.size() >= at_least && text.size() <= word.size() &&
         equal_ignoring_case(text, word.substr(0, text.size()));
}

struct BoolCodec {
  using Image = std::int8_t;

  Refusal parse(const Value& value, Image& image) const {
    if (value.kind == Kind::boolean) {
      image = value.text.front() == 't' ? 1 : 0;
      return {};
    }
    const std::string_view text = trim(value.text);
    if (text == "1" || abbreviates(text, "true", 1) || abbreviates(text, "yes", 1) ||
        abbreviates(text, "on", 2)) {
      image = 1;
      return {};
    }
    if (text == "0" || abbreviates(text, "false", 1) || abbreviates(text, "no", 1) ||
        abbreviates(text, "off", 2)) {
      image = 0;
      return {};
    }
    return {"22P02", "is not a boolean"};
  }
  void write_text(Image image, std::string& out) const { out += image != 0 ? 't' : 'f'; }
};

/// Digits with a sign at most: no fraction, no exponent.
template <class Number>
Refusal parse_integer(std::string_view text, Number& number) {
  text = trim(text);
  const char* begin = text.data();
  const char* const end = begin + text.size();
  if (begin != end && *begin == '+') {
    ++begin;
    if (begin != end && *begin == '-') return {"22P02", "is not an integer"};
  }
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (stop != end || error == std::errc::invalid_argument) return {"22P02", "is not an integer"};
  if (error == std::errc::result_out_of_range) return {"22003", "is out of range"};
  return {};
}

template <class Number>
struct IntegerCodec {
  using Image = Number;
  Refusal parse(const Value& value, Image& image) const { return parse_integer(value.text, image); }

  bool parse_typed(const Value& value, Image& image, Refusal& refusal) const {
    if (value.kind != Kind::integer) return false;
    image = static_cast<Image>(value.integer);
    if (image != value.integer) refusal = {"22003", "is out of range"};
    return true;
  }
};

/// PostgreSQL reads an oid as C's strtoul does: a negative number wraps round.
struct OidCodec {
  using Image = std::uint32_t;

  Refusal parse(const Value& value, Image& image) const {
    std::int64_t number = 0;
    const Refusal refusal = parse_integer(value.text, number);
    if (refusal) return refusal;
    if (number < std::numeric_limits<std::int32_t>::min() ||
        number > std::numeric_limits<std::uint32_t>::max()) {
      return {"22003", "is out of range"};
    }
    image = static_cast<Image>(number);
    return {};
  }
};

/// Whether a number's text is zero before its exponent.
bool is_written_as_zero(std::string_view text) {
  for (const char c : text) {
    if (c >= '1' && c <= '9') return false;
    if (c == 'e' || c == 'E') break;
  }
  return true;
}

template <class Float, class Bits>
struct FloatCodec {
  using Image = Bits;

  Refusal parse(const Value& value, Image& image) const {
    std::string_view text = value.text;
    // What JSON calls a number needs no such care.
    const bool is_number = value.kind == Kind::number;
    if (!is_number) {
      text = trim(text);
      if (!text.empty() && text.front() == '+') {
        text.remove_prefix(1);
        if (text.starts_with('-')) return {"22P02", "is not a number"};
      }
      // from_chars also reads "nan(...)", which PostgreSQL does on some systems only.
      if (text.find('(') != std::string_view::npos) return {"22P02", "is not a number"};
    }
    Float number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (stop != text.data() + text.size() || error == std::errc::invalid_argument) {
      return {"22P02", "is not a number"};
    }
    if (error == std::errc::result_out_of_range) return {"22003", "is out of range"};
    const bool has_digits = is_number || text.find_first_of("0123456789") != std::string_view::npos;
    if (has_digits && (std::isinf(number) || (number == 0 && !is_written_as_zero(text)))) {
      return {"22003", "is out of range"};
    }
    // One image of NaN, whatever its spelling: PostgreSQL's own.
    if (std::isnan(number)) number = std::numeric_limits<Float>::quiet_NaN();
    image = std::bit_cast<Bits>(number);
    return {};
  }

  bool parse_typed(const Value& value, Image& image, Refusal& refusal) const {
    if (value.kind != Kind::real) return false;
    const auto number = std::isnan(value.real) ? std::numeric_limits<Float>::quiet_NaN()
                                               : static_cast<Float>(value.real);
    // As its text would be refused.
    if ((std::isinf(number) && !std::isinf(value.real)) || (number == 0 && value.real != 0)) {
      refusal = {"22003", "is out of range"};
    }
    image = std::bit_cast<Bits>(number);
    return true;
  }
};

}  // namespace

EncoderPtr make_bool() {
  return std::make_unique<FixedSize<BoolCodec>>();
}
EncoderPtr make_int2() {
  return std::make_unique<FixedSize<IntegerCodec<std::int16_t>>>();
}
EncoderPtr make_int4() {
  return std::make_unique<FixedSize<IntegerCodec<std::int32_t>>>();
}
EncoderPtr make_int8() {
  return std::make_unique<FixedSize<IntegerCodec<std::int64_t>>>();
}
EncoderPtr make_oid() {
  return std::make_unique<FixedSize<OidCodec>>();
}
EncoderPtr make_float4() {
  return std::make_unique<FixedSize<FloatCodec<float, std::int32_t>>>();
}
EncoderPtr make_float8() {
  return std::make_unique<FixedSize<FloatCodec<double, std::int64_t>>>();
}

}  // namespace semel::postgres::encode
