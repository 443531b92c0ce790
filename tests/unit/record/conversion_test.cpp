// Values as a column's rule makes them, by hand.
#include "record/conversion.hpp"

#include "record/byte_text.hpp"
#include "record/json_text.hpp"
#include "record/member_names.hpp"
#include "record/spell.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::record;

namespace {

/// What a text becomes by a format, spelled as ISO 8601; "-" where it does not match.
std::string read_by(std::string_view format, std::string_view text) {
  auto parsed = TimeFormat::parse(format);
  REQUIRE(parsed);
  const auto value = parsed->read(text);
  if (!value) return "-";
  std::string scratch;
  return std::string(spell(*value, scratch).text);
}

std::string wrong_with(std::string_view format) {
  const auto parsed = TimeFormat::parse(format);
  return parsed ? "" : parsed.error().message;
}

/// A number by its unit, as ISO 8601; else why not.
std::string counted(const char* number, Unit unit, Holds holds, Kind kind = Kind::number) {
  ColumnRule rule;
  rule.unit = unit;
  auto conversion = Conversion::make(rule, holds);
  REQUIRE(conversion);
  Value value{.kind = kind, .text = number};
  std::string scratch;
  if (!conversion->apply(value, scratch)) return conversion->why();
  std::string spelled;
  return std::string(spell(value, spelled).text);
}

std::string decoded(bool (*decode)(std::string_view, std::string&), std::string_view text) {
  std::string out;
  return decode(text, out) ? out : "-";
}

}  // namespace

TEST_CASE("a text of a format is a date, a time or a moment, or nothing") {
  CHECK(read_by("%d/%m/%Y", "10/03/2024") == "2024-03-10");
  CHECK(read_by("%d/%m/%Y", "1/3/2024") == "2024-03-01");
  CHECK(read_by("%Y%m%d", "20240310") == "2024-03-10");
  CHECK(read_by("%Y%m%d", "2024310") == "-");
  CHECK(read_by("%d/%m/%Y", "10/03/24") == "-");
  CHECK(read_by("%d/%m/%Y", "10/03/2024 ") == "-");
  CHECK(read_by("%d/%m/%Y", " 10/03/2024") == "-");
  CHECK(read_by("%d/%m/%Y", "10-03-2024") == "-");
  CHECK(read_by("%d/%m/%Y", "+1/03/2024") == "-");
  CHECK(read_by("%d/%m/%Y", "") == "-");
  CHECK(read_by("%d/%m/%Y", "30/02/2024") == "-");
  CHECK(read_by("%d/%m/%Y", "29/02/2024") == "2024-02-29");
  CHECK(read_by("%d/%m/%Y", "29/02/2023") == "-");
  CHECK(read_by("%d/%m/%Y", "31/12/0001") == "0001-12-31");
  CHECK(read_by("%d/%m/%Y", "31/12/0000") == "-");
  CHECK(read_by("%d/%m/%Y", "01/13/2024") == "-");
  CHECK(read_by("%d %b %Y", "10 mar 2024") == "2024-03-10");
  CHECK(read_by("%d %b %Y", "10 March 2024") == "-");
  CHECK(read_by("%B %d, %Y", "December 31, 1999") == "1999-12-31");
  CHECK(read_by("%d %b %Y", "10 M\xC3\xA4r 2024") == "-");
  CHECK(read_by("%a, %d %b %Y %T GMT", "Sun, 10 Mar 2024 09:08:07 GMT") == "2024-03-10T09:08:07");
  CHECK(read_by("%a, %d %b %Y", "Mon, 10 Mar 2024") == "-");
  CHECK(read_by("%A %d %B %Y", "Thursday 01 January 1970") == "1970-01-01");
  CHECK(read_by("%F %T.%f", "2024-03-10 09:08:07.5") == "2024-03-10T09:08:07.5");
  CHECK(read_by("%F %T.%f", "2024-03-10 09:08:07.") == "-");
  CHECK(read_by("%F %T.%f", "2024-03-10 09:08:07.0000005") == "2024-03-10T09:08:07");
  CHECK(read_by("%F %T.%f", "2024-03-10 09:08:07.0000015") == "2024-03-10T09:08:07.000002");
  CHECK(read_by("%F %T.%f", "2024-12-31 23:59:59.9999995") == "2025-01-01T00:00:00");
  CHECK(read_by("%FT%R%z", "2024-03-10T09:08+05:30") == "2024-03-10T03:38:00Z");
  CHECK(read_by("%FT%R%z", "2024-03-10T09:08-0530") == "2024-03-10T14:38:00Z");
  CHECK(read_by("%FT%R%z", "2024-03-10T23:08-01") == "2024-03-11T00:08:00Z");
  CHECK(read_by("%FT%R%z", "2024-03-10T09:08Z") == "2024-03-10T09:08:00Z");
  CHECK(read_by("%FT%R%z", "2024-03-10T09:08") == "-");
  CHECK(read_by("%FT%R%z", "2024-03-10T09:08+16:00") == "-");
  CHECK(read_by("%FT%R%z", "2024-03-10T09:08+1") == "-");
  CHECK(read_by("%I:%M %p", "12:05 am") == "00:05:00");
  CHECK(read_by("%I:%M %p", "12:05 PM") == "12:05:00");
  CHECK(read_by("%I:%M %p", "1:05 PM") == "13:05:00");
  CHECK(read_by("%I:%M %p", "13:05 PM") == "-");
  CHECK(read_by("%I:%M %p", "0:05 PM") == "-");
  CHECK(read_by("%H:%M:%S", "24:00:00") == "-");
  CHECK(read_by("%H:%M:%S", "23:59:60") == "-");
  CHECK(read_by("100%% %H", "100% 7") == "07:00:00");
}

TEST_CASE("a format from which no date or time can be told is refused") {
  CHECK(wrong_with("%d/%m/%Y").empty());
  CHECK_THAT(wrong_with("%d/%m/%y"), Catch::Contains("%y is none of"));
  CHECK_THAT(wrong_with("%d/%m/%"), Catch::Contains("% is none of"));
  CHECK_THAT(wrong_with("%d/%m"), Catch::Contains("a date has %Y, %d, and one of %m, %b and %B"));
  CHECK_THAT(wrong_with("%d/%m/%b/%Y"), Catch::Contains("a date has"));
  CHECK_THAT(wrong_with("%a %H:%M"), Catch::Contains("a date has"));
  CHECK_THAT(wrong_with("%d/%d/%m/%Y"), Catch::Contains("%d stands twice"));
  CHECK_THAT(wrong_with("%F %I:%M"), Catch::Contains("%I and %p go together"));
  CHECK_THAT(wrong_with("%H:%M %p"), Catch::Contains("%I and %p go together"));
  CHECK_THAT(wrong_with("%H %I %p"), Catch::Contains("the hour is %H"));
  CHECK_THAT(wrong_with("%F %M"), Catch::Contains("%M needs an hour"));
  CHECK_THAT(wrong_with("%H.%S"), Catch::Contains("%S needs a minute"));
  CHECK_THAT(wrong_with("%H:%M.%f"), Catch::Contains("%f needs a second"));
  CHECK_THAT(wrong_with("%T%z"), Catch::Contains("%z needs a date"));
  CHECK_THAT(wrong_with("day"), Catch::Contains("neither a date nor an hour"));
}

TEST_CASE("a number of a unit is an instant, a day or a time of day") {
  using enum Unit;
  CHECK(counted("1710064800", seconds, Holds::instant) == "2024-03-10T10:00:00Z");
  CHECK(counted("1710064800000", milliseconds, Holds::instant) == "2024-03-10T10:00:00Z");
  CHECK(counted("1710064800.25", seconds, Holds::instant) == "2024-03-10T10:00:00.25Z");
  CHECK(counted("1.7100648e9", seconds, Holds::instant) == "2024-03-10T10:00:00Z");
  CHECK(counted("1710064800000001", microseconds, Holds::instant) == "2024-03-10T10:00:00.000001Z");
  // Halves go to the even microsecond.
  CHECK(counted("1500", nanoseconds, Holds::instant) == "1970-01-01T00:00:00.000002Z");
  CHECK(counted("2500", nanoseconds, Holds::instant) == "1970-01-01T00:00:00.000002Z");
  CHECK(counted("2501", nanoseconds, Holds::instant) == "1970-01-01T00:00:00.000003Z");
  CHECK(counted("-1500", nanoseconds, Holds::instant) == "1969-12-31T23:59:59.999998Z");
  CHECK(counted("19792", days, Holds::date) == "2024-03-10");
  CHECK(counted("19792", days, Holds::instant) == "2024-03-10T00:00:00Z");
  CHECK(counted("19792.0", days, Holds::date) == "2024-03-10");
  CHECK(counted("19792.5", days, Holds::date) == "is no whole number of days (unit = \"days\")");
  CHECK(counted("1710064800000", milliseconds, Holds::date) == "2024-03-10");
  CHECK(counted("-1", milliseconds, Holds::date) == "1969-12-31");
  CHECK(counted("37230500", milliseconds, Holds::time) == "10:20:30.5");
  CHECK(counted("86400", seconds, Holds::time) == "is no time of a day (unit = \"s\")");
  CHECK(counted("-1", seconds, Holds::time) == "is no time of a day (unit = \"s\")");
  // A number that is written as a text, and nothing else.
  CHECK(counted("19792", days, Holds::date, Kind::string) == "2024-03-10");
  CHECK(counted("19792", days, Holds::date, Kind::bytes) == "2024-03-10");
  CHECK(counted(" 19792", days, Holds::date, Kind::string) == "is no number (unit = \"days\")");
  CHECK(counted("2024-03-10", days, Holds::date, Kind::string) == "is no number (unit = \"days\")");
  CHECK(counted("true", days, Holds::date, Kind::boolean) == "is no number (unit = \"days\")");
  CHECK(counted("9223372036854775808", microseconds, Holds::instant) ==
        "is out of range (unit = \"us\")");
  CHECK(counted("1e30", seconds, Holds::instant) == "is out of range (unit = \"s\")");
  CHECK(counted("9223372036854775807", days, Holds::instant) ==
        "is out of range (unit = \"days\")");
}

TEST_CASE("a number with zeros without end is judged by its digits") {
  for (const char* number : {"1e-1073741823", "0e-1073741823", "1e1073741823"}) {
    INFO(number);
    CHECK_FALSE(counted(number, Unit::days, Holds::date).empty());
  }
  CHECK_THAT(counted("1e-1073741823", Unit::days, Holds::date),
             Catch::StartsWith("is no whole number of days"));
  CHECK(counted("0e-1073741823", Unit::days, Holds::date) == "1970-01-01");
}

TEST_CASE("bytes are read from base64 and from hexadecimal digits, without tolerance") {
  // RFC 4648, section 10.
  CHECK(decoded(from_base64, "").empty());
  CHECK(decoded(from_base64, "Zg==") == "f");
  CHECK(decoded(from_base64, "Zm8=") == "fo");
  CHECK(decoded(from_base64, "Zm9v") == "foo");
  CHECK(decoded(from_base64, "Zm9vYg==") == "foob");
  CHECK(decoded(from_base64, "Zm9vYmFy") == "foobar");
  CHECK(decoded(from_base64, "Zg") == "f");
  CHECK(decoded(from_base64, "Zm8") == "fo");
  CHECK(decoded(from_base64, "-_-_") == "\xFB\xFF\xBF");
  CHECK(decoded(from_base64, "+/+/") == "\xFB\xFF\xBF");
  for (const char* wrong : {"Z", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "=",
                            "====", "Zm9vYg===", "Zm 9v", "Zm9v\n", "+_+_", "Zm9v!", "Zg=a"}) {
    CHECK(decoded(from_base64, wrong) == "-");
  }
  CHECK(decoded(from_hex, "00fFAb") == std::string("\0\xFF\xAB", 3));
  CHECK(decoded(from_hex, "").empty());
  for (const char* wrong : {"0", "0g", "\\x00", "0x00", "00 ff"}) {
    CHECK(decoded(from_hex, wrong) == "-");
  }
}

TEST_CASE("a text that holds JSON is told from one that does not") {
  for (const char* json : {"1", "-0.5e+3", "null", " {} ", R"({"a":[1,{"b":"\n\u00e9"}],"c":true})",
                           R"("x")", "[]", "[1 , 2]"}) {
    CHECK(is_json(json));
  }
  for (const char* text : {"", "01", "nul", "{", "{]", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}",
                           "1 2", "\"x", "\"\\q\"", "\"a\nb\"", "[1 2]", "NaN", "'x'", "\"\\"}) {
    CHECK_FALSE(is_json(text));
  }
  CHECK(is_json(std::string(500, '[') + "1" + std::string(500, ']')));
  CHECK_FALSE(is_json(std::string(501, '[') + std::string(501, ']')));
}

TEST_CASE("names that are the same but for their case, or their words, have one form") {
  using enum Names;
  for (const char* name : {"order_id", "orderId", "OrderId", "OrderID", "ORDER_ID", "order-id"}) {
    CHECK(folded(name, snake_case) == "order_id");
  }
  CHECK(folded("HTTPServerName", snake_case) == "http_server_name");
  CHECK(folded("line2Text", snake_case) == "line2_text");
  CHECK(folded("orderid", snake_case) == "orderid");
  CHECK(folded("_id", snake_case) == "_id");
  CHECK(folded("OrderID", ignore_case) == "orderid");
  CHECK(folded("order_id", ignore_case) == "order_id");
  CHECK(folded("\xC3\x84"
               "A",
               ignore_case) ==
        "\xC3\x84"
        "a");
}
