// numeric without loss: decimal digits into PostgreSQL's digits of four.
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "postgres/encode/encoder.hpp"
#include "postgres/encode/wire.hpp"
#include "record/decimal.hpp"

namespace semel::postgres::encode {
namespace {

using record::Decimal;
using record::parse_decimal;

// NUMERIC_DSCALE_MAX, and digits before the point: as many groups of four as an int16 counts.
constexpr std::int64_t kMaxScale = 16'383;
constexpr std::int64_t kMaxPoint = 131'072;

bool fits_numeric(const Decimal& number) {
  return number.scale <= kMaxScale && (number.size() == 0 || number.point <= kMaxPoint);
}

constexpr std::uint16_t kPositive = 0x0000;
constexpr std::uint16_t kNegative = 0x4000;
constexpr std::uint16_t kNaN = 0xC000;
constexpr std::uint16_t kInfinity = 0xD000;
constexpr std::uint16_t kMinusInfinity = 0xF000;

/// The sign word of NaN and the infinities.
std::optional<std::uint16_t> special(std::string_view text) {
  const auto is = [](std::string_view word, std::string_view lower) {
    if (word.size() != lower.size()) return false;
    for (std::size_t i = 0; i < word.size(); ++i) {
      if ((word[i] | 0x20) != lower[i]) return false;
    }
    return true;
  };
  if (is(text, "nan")) return kNaN;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (is(text, "inf") || is(text, "infinity")) return negative ? kMinusInfinity : kInfinity;
  return std::nullopt;
}

void append_header(std::string& out, std::int64_t digits, std::int64_t weight, std::uint16_t sign,
                   std::int64_t scale) {
  append_integer(out, static_cast<std::int16_t>(digits));
  append_integer(out, static_cast<std::int16_t>(weight));
  append_integer(out, sign);
  append_integer(out, static_cast<std::int16_t>(scale));
}

class NumericEncoder final : public ValueEncoder {
 public:
  explicit NumericEncoder(std::int32_t modifier) {
    if (modifier < 4) return;
    const std::int32_t packed = modifier - 4;
    limited_ = true;
    precision_ = packed >> 16 & 0xFFFF;
    // Eleven bits with a sign since PostgreSQL 15; the same for 0 to 1000 before it.
    scale_ = ((packed & 0x7FF) ^ 1024) - 1024;
  }

 private:
  Refusal write_binary(const Value& value, std::string& out) const override {
    const LengthPrefix length(out);
    const Refusal refusal = write_image(trim(value.text), &out);
    length.close();
    return refusal;
  }

  Refusal write_text(const Value& value, std::string& out) const override {
    const std::string_view text = trim(value.text);
    const Refusal refusal = write_image(text, nullptr);
    if (!refusal) out.append(text);
    return refusal;
  }

  /// With no `out`, only the verdict.
  Refusal write_image(std::string_view text, std::string* out) const {
    std::optional<Decimal> number = parse_decimal(text);
    if (!number) {
      const auto sign = special(text);
      if (!sign) return {"22P02", "is not a number"};
      if (*sign != kNaN && limited_) return {"22003", "does not fit: an infinity"};
      if (out != nullptr) append_header(*out, 0, 0, *sign, 0);
      return {};
    }
    if (!limited_) {
      if (!fits_numeric(*number)) return {"22003", "is out of range"};
      write_digits(*number, number->scale, out);
      return {};
    }

    std::array<char, 1024> buffer;
    if (const Refusal refusal = round(*number, buffer)) return refusal;
    write_digits(*number, scale_ < 0 ? 0 : scale_, out);
    return {};
  }

  /// Rounds to the column's scale, halves away from zero, and checks its precision.
  Refusal round(Decimal& number, std::array<char, 1024>& buffer) const {
    static constexpr Refusal overflow{"22003", "has too many digits before the decimal point"};
    const std::int64_t room = precision_ - scale_;
    if (number.size() != 0 && number.point > room) return overflow;
    const std::int64_t keep = number.point + scale_;
    if (keep >= static_cast<std::int64_t>(number.size())) return {};
    // keep <= precision <= 1000, so that the digits and one carried over fit into the buffer.
    std::int64_t kept = keep < 0 ? 0 : keep;
    for (std::int64_t i = 0; i < kept; ++i) {
      buffer[static_cast<std::size_t>(i) + 1] = static_cast<char>('0' + number.digit(i));
    }
    bool carry = keep >= 0 && number.digit(keep) >= 5;
    for (std::int64_t i = kept; carry && i > 0; --i) {
      char& digit = buffer[static_cast<std::size_t>(i)];
      carry = digit == '9';
      digit = carry ? '0' : static_cast<char>(digit + 1);
    }
    std::size_t first = 1;
    if (carry) {
      buffer[0] = '1';
      first = 0;
      ++kept;
      ++number.point;
    }
    number.whole = std::string_view(buffer.data() + first, static_cast<std::size_t>(kept));
    number.fraction = {};
    if (kept != 0 && number.point > room) return overflow;
    return {};
  }

  static void write_digits(const Decimal& number, std::int64_t scale, std::string* out) {
    if (out == nullptr) return;
    std::int64_t size = static_cast<std::int64_t>(number.size());
    while (size > 0 && number.digit(size - 1) == 0) --size;
    if (size == 0) {
      append_header(*out, 0, 0, kPositive, scale);
      return;
    }
    // Groups of four are counted from the point: `shift` zeros complete the first one.
    const std::int64_t point = number.point;
    const std::int64_t groups_before = point > 0 ? (point + 3) / 4 : -(-point / 4);
    const std::int64_t weight = groups_before - 1;
    const std::int64_t shift = groups_before * 4 - point;
    const std::int64_t groups = (shift + size + 3) / 4;
    append_header(*out, groups, weight, number.negative ? kNegative : kPositive, scale);
    for (std::int64_t group = 0; group < groups; ++group) {
      int digit = 0;
      for (std::int64_t i = 0; i < 4; ++i) digit = digit * 10 + number.digit(group * 4 + i - shift);
      append_integer(*out, static_cast<std::int16_t>(digit));
    }
  }

  bool limited_ = false;
  std::int32_t precision_ = 0;
  std::int32_t scale_ = 0;
};

}  // namespace

bool fits_numeric(std::string_view number) {
  const auto decimal = parse_decimal(number);
  return decimal && fits_numeric(*decimal);
}

EncoderPtr make_numeric(std::int32_t modifier) {
  return std::make_unique<NumericEncoder>(modifier);
}

}  // namespace semel::postgres::encode
