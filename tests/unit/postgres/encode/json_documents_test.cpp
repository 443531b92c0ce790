#include "table_builder.hpp"

using namespace semel;
using namespace semel::postgres;

namespace {

RowEncoder id_and_name(Options options = {}) {
  return encoder_of({column("id", oid::int2, "smallint"), column("name", oid::text, "text")},
                    options);
}

constexpr const char* kRow =
    "0002"
    "00000002"
    "0007"
    "00000001"
    "61";

}  // namespace

TEST_CASE("the whole document is validated, also what nobody reads") {
  RowEncoder encoder = id_and_name();
  for (const char* good :
       {R"({"id":7,"name":"a"})", R"( { "id" : 7 , "name" : "a" } )", R"({"name":"a","id":7})",
        R"({"id":7,"x":[{"y":null},{},[]],"name":"a"})"}) {
    CHECK(hex(row_of(encoder, good)) == kRow);
  }
  for (const char* bad : {"",
                          "  ",
                          "{",
                          "}",
                          "[]",
                          "[{\"id\":1}]",
                          "7",
                          "\"a\"",
                          "null",
                          R"({"id":7,"x":tru})",
                          R"({"id":7,"x":nul})",
                          R"({"id":7,"x":truex})",
                          R"({"id":7,"x":01})",
                          R"({"id":7,"x":+1})",
                          R"({"id":7,"x":1.})",
                          R"({"id":7,"x":.5})",
                          R"({"id":7,"x":1e})",
                          R"({"id":7,"x":-})",
                          R"({"id":7,"x":NaN})",
                          R"({"id":7,"x":"\q"})",
                          R"({"id":7,"x":"\u12g4"})",
                          R"({"id":7,"\q":1})",
                          R"({"id":7,"x":"a)",
                          R"({"id":7,"x":[1,]})",
                          R"({"id":7,"x":[1 2]})",
                          R"({"id":7,"x":[1})",
                          R"({"id":7,"x":{"a"}})",
                          R"({"id":7,"x":{"a":}})",
                          R"({"id":7,"x":{"a":1,}})",
                          R"({"id":7,"x":{1:2}})",
                          R"({"id":7,"x":{"a" 1}})",
                          R"({"id":7,"x":{"a":1})",
                          R"({"id":7,"x":[{]}])",
                          R"({"id":7,"x":})",
                          R"({"id":7,})",
                          R"({"id":7 "name":"a"})",
                          R"({"id":7}})",
                          R"({"id":7}{})",
                          R"({"id":7} x)",
                          R"({"id":7},)",
                          R"({id:7})",
                          R"({'id':7})",
                          "{\"id\":7,\"x\":\"a\tb\"}",
                          "{\"id\":7,\"x\":\"\xff\"}",
                          "{\"id\":7,\"x\":\"\xed\xa0\x80\"}",
                          "{\"id\":7,\"\xc0\xaf\":1}",
                          "\xEF\xBB\xBF{\"id\":7}",
                          R"({"id":7,"x":"a"b})",
                          R"({"id":7,"x":1 2})",
                          R"({"id":7/**/})",
                          R"({"id"})",
                          R"({,})",
                          R"({"id":7,"x":]})",
                          R"({"id":7,"x"::1})",
                          R"({"id":7,,"x":1})",
                          R"({"id":7,"x":"a":1})",
                          R"({"id":7,"x":["a":1]})"}) {
    INFO(bad);
    CHECK(row_of(encoder, bad) == "22P02 ");
  }
  const std::string with_nul("{\"id\":7}\0", 9);
  CHECK(row_of(encoder, with_nul) == "22P02 ");
}

TEST_CASE("what an earlier record left behind does not complete a later one") {
  RowEncoder encoder = id_and_name();
  CHECK(hex(row_of(encoder, R"({"id":7,"name":"a"})")) == kRow);
  const std::string whole = R"({"id":7,"x":{"y":[1]},"name":"a"})";
  CHECK(hex(row_of(encoder, whole)) == kRow);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    CHECK(row_of(encoder, whole.substr(0, length)) == "22P02 ");
  }
}

TEST_CASE("of members of the same name the last one counts") {
  RowEncoder encoder = id_and_name();
  CHECK(hex(row_of(encoder, R"({"id":"x","id":7,"name":{},"name":"a"})")) == kRow);
  CHECK(hex(row_of(encoder, R"({"name":"b","id":1,"\u006eame":"a","id":7})")) == kRow);
  CHECK(hex(row_of(encoder, R"({"id":7,"name":"a","name":null})")) ==
        "0002"
        "00000002"
        "0007"
        "ffffffff");
}

TEST_CASE("names are compared without their escapes, and never folded") {
  RowEncoder encoder =
      encoder_of({column("a\"b\\", oid::int2, "smallint"), column("é", oid::int2, "smallint")});
  const char* expected =
      "0002"
      "00000002"
      "0001"
      "00000002"
      "0002";
  for (int again = 0; again < 2; ++again) {
    CHECK(hex(row_of(encoder, R"({"a\"b\\":1,"\u00e9":2})")) == expected);
    CHECK(hex(row_of(encoder, R"({"\u0061\"b\\":1,"é":2})")) == expected);
    CHECK(row_of(encoder, R"({"A\"B\\":1,"É":2})") == "42703 ");
  }
}

TEST_CASE("members are found in any order, however the order changes") {
  RowEncoder encoder = id_and_name();
  for (const char* json : {R"({"id":7,"name":"a"})", R"({"name":"a","id":7})",
                           R"({"x":1,"id":7,"name":"a"})", R"({"id":7,"x":[],"name":"a"})",
                           R"({"nam":0,"name":"a","idx":1,"id":7})", R"({"id":7,"name":"a"})"}) {
    CHECK(hex(row_of(encoder, json)) == kRow);
  }
}

TEST_CASE("unknown members are counted, or send the record to the dead letters") {
  RowEncoder encoder = id_and_name();
  std::string out;
  CHECK(encoder.encode(kSource, record_of(R"({"x":1,"id":7,"y":{"id":8},"x":2})"), out)
            .unknown_fields == 3);
  CHECK(encoder.encode(kSource, record_of(R"({"id":7,"name":"a"})"), out).unknown_fields == 0);

  RowEncoder strict =
      id_and_name({.policy = {.unknown_fields = record::UnknownFields::dead_letter}});
  CHECK(row_of(strict, R"({"id":7,"nmae":"a"})") == "42703 ");
  CHECK(strict.bad().reason.find("\"nmae\"") != std::string::npos);
  CHECK(hex(row_of(strict, R"({"id":7,"name":"a"})")) == kRow);
}

TEST_CASE("nesting has a limit that no document can use to overflow the stack") {
  RowEncoder encoder = id_and_name();
  const auto nested = [](std::size_t levels) {
    return R"({"id":7,"name":"a","x":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  CHECK(hex(row_of(encoder, nested(499))) == kRow);
  CHECK(row_of(encoder, nested(500)) == "22P02 ");
  CHECK(row_of(encoder, nested(100'000)) == "22P02 ");
  CHECK(row_of(encoder, R"({"x":)" + std::string(100'000, '[')) == "22P02 ");
}

TEST_CASE("documents of any size pass through one encoder") {
  RowEncoder encoder = encoder_of({column("t", oid::text, "text")});
  for (const std::size_t size : {0U, 1U, 63U, 64U, 5000U, 1'000'000U, 3U}) {
    const std::string text(size, 'x');
    const std::string row = row_of(encoder, "{\"t\":\"\\u0078" + text + "\"}");
    REQUIRE(row.size() == 6 + size + 1);
    CHECK(row.substr(6) == text + "x");
  }
}

TEST_CASE("a bad record names its column and shows the beginning of the value") {
  RowEncoder encoder = id_and_name();
  row_of(encoder, R"({"id":"seven"})");
  CHECK(encoder.bad().reason == R"(column "id" (smallint): "seven" is not an integer)");
  row_of(encoder, "{\"id\":\"" + std::string(100, 'x') + "\"}");
  CHECK(encoder.bad().reason == R"(column "id" (smallint): ")" + std::string(59, 'x') +
                                    "... (102 bytes) is not an integer");
}

TEST_CASE("what is wrong with a value that is no JSON object is said in its own words") {
  RowEncoder encoder = id_and_name();
  const auto reason = [&](std::string_view value) {
    INFO(value);
    CHECK(row_of(encoder, value) == "22P02 ");
    return encoder.bad().reason;
  };
  using Catch::Contains;
  // What stands behind a whole value is named, whatever it is.
  for (const char* value : {R"({"id":1}{"id":2})", "{\"id\":1}\n{\"id\":2}", R"({"id":1} 7)",
                            R"({"id":1},)", R"({"id":1} // c)", R"({"id":1}/* c */)",
                            R"({"id":1} # c)", R"({"id":1}})", R"({"id":1}])", R"({"id":1};)"}) {
    CHECK_THAT(reason(value), Catch::StartsWith("something follows the JSON value"));
  }
  CHECK_THAT(reason(R"({"id":1}{"id":2})"), Contains("another"));
  CHECK_THAT(reason(R"({"id":1},)"), Contains("comma"));
  CHECK_THAT(reason(R"({"id":1} // c)"), Contains("comment"));
  CHECK_THAT(reason(std::string("{\"id\":1}\0", 9)), Contains("NUL"));
  CHECK_THAT(reason(R"({"id":/* c */1})"), Contains("comment"));
  CHECK_THAT(reason(R"([{"id":1}])"), Contains("array, not an object"));
  CHECK_THAT(reason("\xEF\xBB\xBF{\"id\":1}"), Contains("byte order mark"));
  CHECK_THAT(reason(std::string("\0\0\0\0\7{\"id\":1}", 13)), Contains("schema registry"));
  CHECK_THAT(reason(std::string("\0\0\0\0\7\2\4a", 8)), Contains("schema registry"));
  CHECK_THAT(reason(R"({"id":1)"), Contains("does not end"));
  // A quote or a brace inside a string is no end of anything.
  CHECK_THAT(reason(R"({"id":1,"x":"}{")"), Contains("does not end"));
}

TEST_CASE(
    "a record none of whose members has a column is bad, and the reason says where they are") {
  const auto reason = [](std::string_view value, Options options = {}) {
    INFO(value);
    RowEncoder encoder = id_and_name(std::move(options));
    CHECK(row_of(encoder, value) == "42703 ");
    return encoder.bad().reason;
  };
  using Catch::Contains;
  CHECK_THAT(reason(R"({"schema":{"fields":[]},"payload":{"id":1,"name":"a"}})"),
             Contains("$.payload"));
  CHECK_THAT(reason(R"({"before":null,"after":{"id":2,"name":"b"},"op":"c"})"),
             Contains("$.after"));
  CHECK_THAT(reason(R"({"schema":{},"payload":{"before":null,"after":{"id":2},"op":"c"}})"),
             Contains("$.payload.after"));
  CHECK_THAT(reason(R"({"a b":{"id":1}})"), Contains("$['a b']"));
  CHECK_THAT(reason(R"({"ID":3,"NAME":"c"})"), Contains("\"ID\"") && Contains("\"id\""));
  CHECK_THAT(reason(R"({"colour":"red"})"), Contains("\"colour\""));
  // Paths that lead nowhere are the same mistake.
  Options mapped;
  mapped.columns = {{"id", "$.after.id"}, {"name", "$.after.name"}};
  reason(R"({"before":{"id":1},"after":null})", mapped);
  reason(R"({"after":{"ID":1}})", mapped);
  mapped.columns = {{"id", "@offset"}, {"name", "$.after.name"}};
  reason(R"({"name":"a"})", mapped);
}

TEST_CASE("a record is a row where one of its members has a column, or where it has none") {
  RowEncoder encoder = id_and_name();
  const auto rows = [&](std::string_view value) {
    std::string out;
    return encoder.encode(kSource, record_of(value), out).status == Fate::row;
  };
  CHECK(rows("{}"));
  CHECK(rows(R"({"id":null})"));
  CHECK(rows(R"({"payload":{"id":1},"name":null})"));
  Options whole;
  whole.columns = {{"name", "$"}};
  encoder = id_and_name(whole);
  CHECK(rows(R"({"payload":{"id":1}})"));
  whole.columns = {{"name", "@value"}};
  encoder = id_and_name(whole);
  CHECK(rows(R"({"payload":{"id":1}})"));
}
