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
