// Rules of columns over JSON: which value a column gets, and when a record is bad.
#include <fmt/format.h>

#include <random>

#include "formats/formats.hpp"
#include "formats/json/json_reader.hpp"
#include "record/json_text.hpp"
#include "record/reader.hpp"
#include "record/spell.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::record;

namespace {

ColumnRule rule_of(void (*set)(ColumnRule&), std::vector<std::string> from = {}) {
  ColumnRule rule;
  rule.from = std::move(from);
  set(rule);
  return rule;
}

struct Rig {
  std::vector<Column> columns{{"c", "the type", Holds::text}};
  ColumnRules rules{};
  Policy policy{};

  Result<Reader> reader() const {
    auto mapped = map_columns(columns, rules, "sink.x.columns", "t");
    if (!mapped) return tl::unexpected(mapped.error());
    return Reader::make(*std::move(mapped), policy, *formats::json(), "sink.x.columns",
                        formats::json().get());
  }

  /// The first column of a record: its text, or "null", "absent", or why it is bad.
  std::string of(std::string_view json) const {
    auto made = reader();
    if (!made) return made.error().message;
    const Record record{
        .offset = 42, .timestamp_ms = 1'700'000'000'123, .key = R"({"k":"K"})", .value = json};
    const auto read = made->read({"t", 0}, record);
    if (read.fate == Fate::bad) return made->bad().reason;
    const Value& value = made->values()[0];
    if (value.kind == Kind::absent) return "absent";
    if (value.kind == Kind::null) return "null";
    if (value.flaw != Flaw::none) return "flawed";
    std::string scratch;
    return std::string(spell(value, scratch).text);
  }
};

Rig rig_of(ColumnRule rule, Holds holds = Holds::text) {
  Rig rig{.columns = {{"c", "the type", holds}, {"z"}}};
  rig.rules["c"] = std::move(rule);
  return rig;
}

}  // namespace

TEST_CASE("of several places the first one that has a value counts, as in SQL's coalesce") {
  Rig rig = rig_of(rule_of([](ColumnRule&) {}, {"$.a", "$.b.c", "@key.k"}));
  CHECK(rig.of(R"({"a":"A","b":{"c":"C"}})") == "A");
  CHECK(rig.of(R"({"b":{"c":"C"}})") == "C");
  CHECK(rig.of(R"({"a":null,"b":{"c":"C"}})") == "C");
  CHECK(rig.of(R"({"a":null,"b":null})") == "K");
  CHECK(rig.of(R"({"z":1})") == "K");
  // An empty text is a value, unless the rule says that it is null.
  CHECK(rig.of(R"({"a":"","b":{"c":"C"}})").empty());
  rig.rules["c"].empty_is_null = true;
  CHECK(rig.of(R"({"a":"","b":{"c":"C"}})") == "C");
  rig.rules["c"].from = {"$.a", "$.b"};
  CHECK(rig.of(R"({"a":null,"z":1})") == "null");
  CHECK(rig.of(R"({"a":"","z":1})") == "null");
  CHECK(rig.of(R"({"z":1})") == "absent");
  CHECK_THAT(rig.of(R"({"y":1})"), Catch::StartsWith("no column's value is in the record"));
}

TEST_CASE("what is absent is the default of the rule, and null is if it says so") {
  Rig rig = rig_of(rule_of([](ColumnRule& rule) { rule.if_absent = {Kind::string, "D"}; }));
  CHECK(rig.of(R"({"c":"C"})") == "C");
  CHECK(rig.of(R"({"z":1})") == "D");
  CHECK(rig.of(R"({"c":null})") == "null");
  rig.rules["c"].null_is_absent = true;
  CHECK(rig.of(R"({"c":null})") == "D");
  rig.rules["c"].if_absent.reset();
  CHECK(rig.of(R"({"c":null})") == "absent");
  // Nothing is made of a default: it is what the column takes.
  rig = rig_of(rule_of([](ColumnRule& rule) {
                 rule.unit = Unit::days;
                 rule.if_absent = {Kind::string, "2024-01-01"};
               }),
               Holds::date);
  CHECK(rig.of(R"({"z":1})") == "2024-01-01");
  CHECK(rig.of(R"({"c":19792})") == "2024-03-10");
  // A record of which nothing is known does not become a row of defaults.
  CHECK_THAT(rig.of(R"({"y":1})"), Catch::StartsWith("no column's value is in the record"));
}

TEST_CASE("a constant is in each row") {
  Rig rig = rig_of(rule_of([](ColumnRule& rule) { rule.constant = {Kind::string, "shop-7"}; }));
  CHECK(rig.of(R"({"z":1})") == "shop-7");
  CHECK(rig.of(R"({"c":"C","z":1})") == "shop-7");
  rig.rules["c"].constant = Constant{Kind::number, "7"};
  CHECK(rig.of(R"({"z":1})") == "7");
  const auto mapped = map_columns(rig.columns, rig.rules, "s", "t");
  CHECK_FALSE(mapped->at(0).may_be_absent());
  CHECK(mapped->at(0).is_beside_value());
}

TEST_CASE("a value that its rule cannot take makes a bad record, told without the value") {
  Rig rig = rig_of(rule_of([](ColumnRule& rule) { rule.format = "%d/%m/%Y"; }, {"$.a", "$.b"}),
                   Holds::date);
  CHECK(rig.of(R"({"a":"10/03/2024"})") == "2024-03-10");
  CHECK(rig.of(R"({"a":20240310})") ==
        "column \"c\" (the type): 20240310 is no text (format = \"%d/%m/%Y\")");
  auto reader = rig.reader();
  const Record record{.value = R"({"b":"31/02/2024"})"};
  REQUIRE(reader->read({"t", 0}, record).fate == Fate::bad);
  CHECK(reader->bad().fault == Fault::unfit);
  CHECK(reader->bad().column == "c");
  CHECK(reader->bad().reason ==
        "column \"c\" (the type): \"31/02/2024\" is not of the form that the rule has (format = "
        "\"%d/%m/%Y\")");
  CHECK(for_log(reader->bad()) ==
        "column \"c\" (the type): its value is not of the form that the rule has (format = "
        "\"%d/%m/%Y\")");
  CHECK(rig.of(R"({"a":null,"z":1})") == "null");
}

TEST_CASE("what is an instant already is not counted again") {
  Rig rig =
      rig_of(rule_of([](ColumnRule& rule) { rule.unit = Unit::seconds; }, {"$.a", "@timestamp"}),
             Holds::instant);
  CHECK(rig.of(R"({"a":1710064800})") == "2024-03-10T10:00:00Z");
  CHECK(rig.of(R"({"z":1})") == "1700000000123");  // milliseconds: Kind::instant
}

TEST_CASE("a format without a zone is UTC in a column with one, and a date loses its time") {
  const auto format = [](ColumnRule& rule) { rule.format = "%F %T"; };
  CHECK(rig_of(rule_of(format), Holds::instant).of(R"({"c":"2024-03-10 23:08:07"})") ==
        "2024-03-10T23:08:07Z");
  CHECK(rig_of(rule_of(format), Holds::date).of(R"({"c":"2024-03-10 23:08:07"})") == "2024-03-10");
  const auto zoned = [](ColumnRule& rule) { rule.format = "%F %T%z"; };
  CHECK(rig_of(rule_of(zoned), Holds::date).of(R"({"c":"2024-03-10 23:08:07-02"})") ==
        "2024-03-11");
}

TEST_CASE("bytes are decoded, and JSON in a text is read") {
  auto rig =
      rig_of(rule_of([](ColumnRule& rule) { rule.encoding = Encoding::base64; }), Holds::bytes);
  CHECK(rig.of(R"({"c":"Zm9v"})") == "foo");
  CHECK(rig.of(R"({"c":"Zm9"})") ==
        "column \"c\" (the type): \"Zm9\" is no base64 (encoding = \"base64\")");
  rig.rules["c"].encoding = Encoding::hex;
  CHECK(rig.of(R"({"c":"666f6F"})") == "foo");
  CHECK_THAT(rig.of(R"({"c":"xx"})"), Catch::Contains("pairs of hexadecimal digits"));
  CHECK_THAT(rig.of(R"({"c":12})"), Catch::Contains("is no text"));
  rig = rig_of(rule_of([](ColumnRule& rule) { rule.parse_json = true; }), Holds::json);
  CHECK(rig.of(R"({"c":" {\"a\":[1, 2]} "})") == R"({"a":[1, 2]})");
  CHECK(rig.of(R"({"c":"\"x\\n\""})") == "x\n");
  CHECK(rig.of(R"({"c":"null"})") == "null");
  CHECK(rig.of(R"({"c":{"a":1}})") == R"({"a":1})");
  CHECK(rig.of(R"({"c":"{\"a\":"})") ==
        R"(column "c" (the type): "{\"a\":" holds no JSON (parse = "json"))");
}

TEST_CASE("NUL characters are taken out where it is asked for, and nothing else is") {
  Rig rig = rig_of(rule_of([](ColumnRule&) {}));
  CHECK(rig.of(R"({"c":"a\u0000b"})") == "flawed");
  rig.policy.nul = Nul::strip;
  CHECK(rig.of(R"({"c":"a\u0000b"})") == "ab");
  CHECK(rig.of(R"({"c":"\u0000"})").empty());
  CHECK(rig.of(R"({"c":"a\u0000\ud800"})") == "flawed");
  CHECK(rig.of(R"({"c":"\ud83d\u0000\ude00"})") == "flawed");
  CHECK(rig.of(R"({"c":"a\\u0000b\u0000"})") == R"(a\u0000b)");
  rig.rules["c"].nul = Nul::bad;
  CHECK(rig.of(R"({"c":"a\u0000b"})") == "flawed");
  rig.policy.nul = Nul::bad;
  rig.rules["c"].nul = Nul::strip;
  rig.rules["c"].empty_is_null = true;
  CHECK(rig.of(R"({"c":"\u0000"})") == "null");
  rig = rig_of(rule_of([](ColumnRule& rule) { rule.nul = Nul::strip; }), Holds::json);
  CHECK(rig.of(R"({"c":{"a":["\u0000x\\\u0000","\\u0000"]}})") == R"({"a":["x\\","\\u0000"]})");
}

TEST_CASE("a column finds its member by another spelling of its name") {
  Rig rig{.columns = {{"order_id"}}};
  rig.policy.names = Names::snake_case;
  for (const char* name : {"order_id", "orderId", "OrderId", "OrderID", "ORDER_ID", "order-id"}) {
    CHECK(rig.of(fmt::format(R"({{"{}":7}})", name)) == "7");
  }
  CHECK_THAT(rig.of(R"({"orderid":7})"), Catch::StartsWith("no column's value"));
  // The very name counts before the others, wherever it stands; of those, the last one.
  CHECK(rig.of(R"({"orderId":1,"order_id":2,"OrderID":3})") == "2");
  CHECK(rig.of(R"({"orderId":1,"OrderID":3})") == "3");
  CHECK(rig.of(R"({"order_id":null,"OrderID":3})") == "null");
  CHECK(rig.of(R"({"orderId":{"a":1},"OrderID":3})") == "3");
  rig.policy.names = Names::ignore_case;
  CHECK(rig.of(R"({"ORDER_ID":7})") == "7");
  CHECK_THAT(rig.of(R"({"orderId":7})"), Catch::StartsWith("no column's value"));
  // A path is as it is written, also beside a column that finds its member by another spelling.
  rig.policy.names = Names::snake_case;
  rig.columns.push_back({"x"});
  rig.rules["x"] = "$.orderId.x";
  CHECK(rig.of(R"({"orderId":{"x":5}})") == R"({"x":5})");
  CHECK(rig.of(R"({"OrderId":{"x":5}})") == R"({"x":5})");
}

TEST_CASE("members that are found by another spelling are no unknown fields") {
  Rig rig{.columns = {{"order_id"}}};
  rig.policy.names = Names::snake_case;
  auto reader = rig.reader();
  const Record record{.value = R"({"orderId":1,"other":2})"};
  for (int i = 0; i < 3; ++i) {
    const auto read = reader->read({"t", 0}, record);
    CHECK(read.unknown_fields == 1);
    CHECK(reader->unknown_field() == "other");
  }
}

TEST_CASE("columns that would come from the same members are refused") {
  Rig rig{.columns = {{"orderId"}, {"order_id"}}};
  rig.policy.names = Names::snake_case;
  CHECK(rig.of("{}") ==
        "names = \"snake_case\": columns \"orderId\" and \"order_id\" would come from the same "
        "members. Map one of them in sink.x.columns");
  rig.rules["orderId"] = "$.orderId";
  CHECK(rig.of(R"({"orderId":5})") == "5");
}

TEST_CASE("NaN and Infinity are numbers where that is asked for") {
  Rig rig{.columns = {{"c", "", Holds::number}, {"j", "", Holds::json}}};
  CHECK_THAT(rig.of(R"({"c":NaN})"), Catch::Contains("nan = \"accept\""));
  rig.policy.accepts_nan = true;
  CHECK(rig.of(R"({"c":NaN,"j":1})") == "NaN");
  CHECK(rig.of(R"({"j":1,"c": -Infinity })") == "-Infinity");
  CHECK(rig.of(R"({"c":Infinity})") == "Infinity");
  CHECK(rig.of(R"({"c":1.5})") == "1.5");
  // What is not stored does not matter; what is stored as JSON has to be JSON.
  CHECK(rig.of(R"({"c":1,"other":[NaN,{"a":Infinity}]})") == "1");
  CHECK_THAT(rig.of(R"({"c":1,"j":[NaN]})"), Catch::Contains("inside of what is wanted as JSON"));
  for (const char* wrong : {R"({"c":nan})", R"({"c":-NaN})", R"({"c":+Infinity})", R"({"c":Inf})",
                            R"({"c":NaNN})", R"({"c":--Infinity})"}) {
    CHECK_THAT(rig.of(wrong),
               Catch::Contains("a value is not a number") || Catch::Contains("none of its words"));
  }
}

TEST_CASE("a rule that its column cannot have is refused at the start") {
  const auto refusal = [](void (*set)(ColumnRule&), Holds holds) {
    return rig_of(rule_of(set), holds).of(R"({"z":1})");
  };
  const auto days = [](ColumnRule& rule) { rule.unit = Unit::days; };
  CHECK(refusal(days, Holds::text) ==
        "sink.x.columns, column \"c\": a unit is of dates and times, and the column is of type the "
        "type");
  CHECK(refusal(days, Holds::date) == "absent");
  CHECK(refusal(days, Holds::unknown) == "absent");
  CHECK_THAT(refusal(days, Holds::time), Catch::Contains("not of a time of day"));
  CHECK_THAT(refusal(days, Holds::number), Catch::Contains("a unit is of"));
  const auto day = [](ColumnRule& rule) { rule.format = "%d/%m/%Y"; };
  CHECK_THAT(refusal(day, Holds::text), Catch::Contains("a format is of dates and times"));
  CHECK_THAT(refusal(day, Holds::time), Catch::Contains("has a date"));
  const auto hour = [](ColumnRule& rule) { rule.format = "%T"; };
  CHECK_THAT(refusal(hour, Holds::date), Catch::Contains("has no date"));
  CHECK(refusal(hour, Holds::time) == "absent");
  const auto hex = [](ColumnRule& rule) { rule.encoding = Encoding::hex; };
  CHECK_THAT(refusal(hex, Holds::text), Catch::Contains("an encoding is of bytes"));
  const auto json = [](ColumnRule& rule) { rule.parse_json = true; };
  CHECK_THAT(refusal(json, Holds::text), Catch::Contains("JSON in a text"));
  CHECK(refusal(json, Holds::nested) == "absent");
}

TEST_CASE("a text is JSON to a rule where it is to the format") {
  formats::JsonReader reader;
  std::mt19937_64 random(7);
  const std::vector<std::string> pieces{
      "{",    "}",    "[",   "]",       ",",   ":",  "\"a\"",       "\"\\u00e9\"",
      "\"\\", "true", "nul", "null",    "1",   "-0", "01",          "1.5e3",
      "1.",   " ",    "\n",  "\"\\n\"", "NaN", "\"", "\"\\ud800\"", "x"};
  std::size_t valid = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    // Half of them begin as what could be an object or an array.
    if (random() % 2 == 0) text = random() % 2 == 0 ? "{\"a\":" : "[";
    for (auto count = random() % 6; count > 0; --count) text += pieces[random() % pieces.size()];
    if (random() % 2 == 0 && !text.empty()) text += text.front() == '{' ? "}" : "]";
    const bool is = reader.is_json(text);
    valid += is ? 1 : 0;
    INFO(text);
    REQUIRE(is_json(text) == is);
  }
  CHECK(valid > 5'000);
}
