// Typed values as text.
#include "record/spell.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"

using namespace semel::record;

namespace {

std::string spelled(const Value& value) {
  std::string scratch = "left over";
  const Value result = spell(value, scratch);
  CHECK(result.flaw == Flaw::none);
  if (result.kind == Kind::number) {
    CHECK(result.json == result.text);
  } else {
    CHECK(result.kind == Kind::string);
    CHECK(result.json.empty());
  }
  return std::string(result.text);
}

Value real(double number) {
  Value value{.kind = Kind::real};
  value.real = number;
  return value;
}

std::string decimal(std::string_view unscaled, int scale) {
  return spelled(
      {.kind = Kind::decimal, .scale = static_cast<std::int16_t>(scale), .text = unscaled});
}

std::string at(Kind kind, std::int64_t number) {
  return spelled({.kind = kind, .integer = number});
}

}  // namespace

TEST_CASE("numbers are spelled as JSON spells them, exactly") {
  CHECK(at(Kind::integer, std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  CHECK(spelled(real(0.1)) == "0.1");
  CHECK(spelled(real(-2.5e-300)) == "-2.5e-300");
  CHECK(std::stod(spelled(real(1.0 / 3))) == 1.0 / 3);
  CHECK(spelled(real(std::nan(""))) == "NaN");
  CHECK(spelled(real(-std::numeric_limits<double>::infinity())) == "-Infinity");
}

TEST_CASE("decimals of any length are spelled digit by digit") {
  using namespace std::string_view_literals;
  CHECK(decimal("\x7b"sv, 0) == "123");
  CHECK(decimal("\x7b"sv, 2) == "1.23");
  CHECK(decimal("\x7b"sv, 5) == "0.00123");
  CHECK(decimal("\x7b"sv, -2) == "12300");
  CHECK(decimal("\x85"sv, 1) == "-12.3");
  CHECK(decimal("\xff"sv, 0) == "-1");
  CHECK(decimal("\x80"sv, 0) == "-128");
  CHECK(decimal("\xff\x80"sv, 0) == "-128");
  CHECK(decimal("\0"sv, 2) == "0.00");
  CHECK(decimal(""sv, 0) == "0");
  // 2^127 - 1, and 10^18 with a byte of padding.
  CHECK(decimal("\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv, 0) ==
        "170141183460469231731687303715884105727");
  CHECK(decimal("\x00\x0d\xe0\xb6\xb3\xa7\x64\x00\x00"sv, 18) == "1.000000000000000000");
}

TEST_CASE("dates and times are spelled in ISO 8601") {
  CHECK(at(Kind::days, 0) == "1970-01-01");
  CHECK(at(Kind::days, 19'753) == "2024-01-31");
  CHECK(at(Kind::days, -719'528) == "0000-01-01");
  CHECK(at(Kind::days, -719'529) == "-0001-12-31");
  CHECK(at(Kind::days, 2'932'897) == "+10000-01-01");
  CHECK(at(Kind::time, 0) == "00:00:00");
  CHECK(at(Kind::time, 37'230'500'000) == "10:20:30.5");
  CHECK(at(Kind::moment, 1'706'696'430'123'000) == "2024-01-31T10:20:30.123Z");
  CHECK(at(Kind::local_time, 1'706'696'430'000'001) == "2024-01-31T10:20:30.000001");
  CHECK(at(Kind::moment, -1) == "1969-12-31T23:59:59.999999Z");
  CHECK(at(Kind::moment, -86'400'000'000) == "1969-12-31T00:00:00Z");
}

TEST_CASE("a uuid is spelled in its groups, and what is spelled already stays") {
  CHECK(spelled({.kind = Kind::uuid,
                 .text = "\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11"}) ==
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
  std::string scratch;
  CHECK(spell({.kind = Kind::boolean, .text = "true"}, scratch).text == "true");
}
