// A value as one of five plain things.
#include "record/plain.hpp"

#include "support/catch.hpp"

using namespace semel::record;

namespace {

/// "integer 7", "real 0.5", "text a", "bytes a", "null", "not …".
std::string made(const Value& value, Prefer prefer) {
  std::string scratch;
  const auto result = as_plain(value, prefer, scratch);
  if (const auto* number = std::get_if<std::int64_t>(&result)) {
    return "integer " + std::to_string(*number);
  }
  if (const auto* real = std::get_if<double>(&result)) {
    return "real " + std::to_string(*real);
  }
  if (const auto* text = std::get_if<std::string_view>(&result))
    return "text " + std::string(*text);
  if (const auto* bytes = std::get_if<Bytes>(&result)) return "bytes " + std::string(bytes->bytes);
  if (const auto* no = std::get_if<NotPlain>(&result)) return "not: " + no->why;
  return "null";
}

Value number(std::string_view text) {
  return {.kind = Kind::number, .text = text};
}

}  // namespace

TEST_CASE("a number keeps each digit as text, and is a number of 64 bits or a double elsewhere") {
  CHECK(made(number("1.10"), Prefer::text) == "text 1.10");
  CHECK(made(number("-9223372036854775808"), Prefer::any) == "integer -9223372036854775808");
  CHECK(made(number("9223372036854775808"), Prefer::any).starts_with("not: "));
  CHECK(made(number("9223372036854775808"), Prefer::real) == "real 9223372036854775808.000000");
  CHECK(made(number("4.5"), Prefer::any) == "real 4.500000");
  CHECK(made(number("1e400"), Prefer::real) == "not: the number is too large");
}

// Which doubles there are: Python's decimal.Decimal(float(text)).
TEST_CASE("no digit of an integer is lost, however it is written") {
  CHECK(made(number("9007199254740993.0"), Prefer::any) == "integer 9007199254740993");
  CHECK(made(number("9.007199254740993e15"), Prefer::any) == "integer 9007199254740993");
  CHECK(made(number("9007199254740993.0"), Prefer::bytes) == "integer 9007199254740993");
  CHECK(made(number("-9223372036854775808.0"), Prefer::any) == "integer -9223372036854775808");
  CHECK(made(number("9223372036854775807.0"), Prefer::any) == "integer 9223372036854775807");
  CHECK(made(number("1E2"), Prefer::any) == "integer 100");
  CHECK(made(number("-0.0"), Prefer::any) == "integer 0");
  CHECK(made(number("4.0"), Prefer::bytes) == "real 4.000000");
  const auto* const text = GENERATE("9223372036854775808.0", "12345678901234567890e0", "1e20",
                                    "-9223372036854775809", "1e300");
  CHECK(made(number(text), Prefer::any) ==
        "not: the number has more than 64 bits; a column for text keeps it");
  CHECK(made({.kind = Kind::string, .text = text}, Prefer::any) == made(number(text), Prefer::any));
}

TEST_CASE("a fraction is a double where that gives back its digits, and nothing else is") {
  CHECK(made(number("0.1"), Prefer::any) == "real 0.100000");
  CHECK(made(number("0.10000000000000001"), Prefer::any) == "real 0.100000");
  CHECK(made(number("0.1000000000000000055511151231257827"), Prefer::any) == "real 0.100000");
  CHECK(made(number("-25e-1"), Prefer::any) == "real -2.500000");
  CHECK(made(number("123456789012345678.25"), Prefer::any).starts_with("not: the number has more"));
  CHECK(made(number("3.14159265358979323846"), Prefer::any).starts_with("not: the number has"));
  CHECK(made(number("3.14159265358979323846"), Prefer::real) == "real 3.141593");
  CHECK(made(number("0." + std::string(10'000, '7')), Prefer::any).starts_with("not: "));
  const auto prefer = GENERATE(Prefer::any, Prefer::bytes, Prefer::real);
  CHECK(made(number("1e-400"), prefer) == "not: the number is too small");
  CHECK(made(number("1e99999999999999999999"), prefer) == "not: the number is too large");
  CHECK(made(number("0e99999999999999999999"), Prefer::any) == "integer 0");
}

TEST_CASE("a text that is a number is one where any number is preferred, and else a text") {
  const auto string = [](std::string_view text) {
    return Value{.kind = Kind::string, .text = text};
  };
  CHECK(made(string(" 12 "), Prefer::any) == "integer 12");
  CHECK(made(string("9007199254740993.0"), Prefer::any) == "integer 9007199254740993");
  CHECK(made(string("2024-01-31"), Prefer::any) == "text 2024-01-31");
  const auto* const text = GENERATE("", " ", ".", "1e", "1x", "1.2.3", "-", "0x10");
  CHECK(made(string(text), Prefer::any) == "text " + std::string(text));
  CHECK(made(string("12"), Prefer::bytes) == "text 12");
}

TEST_CASE("bytes are bytes where these are preferred, and text elsewhere if they are UTF-8") {
  const Value key{.kind = Kind::bytes, .text = "k"};
  const Value noise{.kind = Kind::bytes, .flaw = Flaw::invalid_utf8, .text = "\xff"};
  CHECK(made(key, Prefer::bytes) == "bytes k");
  CHECK(made(key, Prefer::any) == "text k");
  CHECK(made(noise, Prefer::bytes) == "bytes \xff");
  CHECK(made(noise, Prefer::text).starts_with("not: "));
}

TEST_CASE("what is absent or null is nothing, booleans and moments are what the column prefers") {
  CHECK(made({}, Prefer::any) == "null");
  CHECK(made({.kind = Kind::null}, Prefer::text) == "null");
  const Value yes{.kind = Kind::boolean, .text = "true"};
  CHECK(made(yes, Prefer::text) == "text true");
  CHECK(made(yes, Prefer::any) == "integer 1");
  Value instant{.kind = Kind::instant, .text = "1706696430500"};
  instant.integer = 1'706'696'430'500;
  CHECK(made(instant, Prefer::any) == "integer 1706696430500");
  CHECK(made(instant, Prefer::text) == "text 2024-01-31T10:20:30.5Z");
  CHECK(made({.kind = Kind::nested, .text = "{}", .json = "{\"a\": 1}"}, Prefer::any) ==
        "text {\"a\": 1}");
}
