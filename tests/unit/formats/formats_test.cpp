// The formats as a sink meets them: through a Decoder.
#include "formats/formats.hpp"

#include "support/catch.hpp"

using namespace semel;
using namespace semel::formats;
using record::DecodeStatus;
using record::Kind;
using record::Step;
using record::Value;

TEST_CASE("raw gives the bytes as they are, to whoever wants all of them") {
  const auto decoder = raw()->decoder();
  REQUIRE(decoder->bind({}, 0, true));
  REQUIRE(decoder->bind({}, 2, false));
  std::vector<Value> slots(3);
  const std::string_view bytes("\0\xff{", 3);
  const auto decoded = decoder->decode(bytes, slots);
  CHECK(decoded.status == DecodeStatus::decoded);
  CHECK(decoded.unknown_fields == 0);
  CHECK(slots[0].kind == Kind::bytes);
  CHECK(slots[0].text == bytes);
  CHECK(slots[0].flaw == record::Flaw::none);
  CHECK(slots[1].kind == Kind::absent);
  // Where it has to be text, it is told that it is none.
  CHECK(slots[2].flaw == record::Flaw::invalid_utf8);
  REQUIRE(decoder->decode("plain", slots).status == DecodeStatus::decoded);
  CHECK(slots[2].text == "plain");
  CHECK(slots[2].flaw == record::Flaw::none);
}

TEST_CASE("raw has no members: a path into the value is a mistake") {
  const auto decoder = raw()->decoder();
  const std::vector<Step> path{Step{"a"}};
  const auto bound = decoder->bind(path, 0, false);
  REQUIRE_FALSE(bound);
  CHECK(bound.error().cause == Cause::configuration);
  CHECK_THAT(bound.error().message, Catch::Contains("\"$\""));
  CHECK_FALSE(raw()->has_members());
}

TEST_CASE("JSON fills the slots of its paths, and says why a value is none of it") {
  const auto decoder = json()->decoder();
  const std::vector<Step> deep{Step{"a"}, Step{std::size_t{1}}};
  const std::vector<Step> other{Step{"b"}};
  REQUIRE(decoder->bind(deep, 1, false));
  REQUIRE(decoder->bind(other, 0, false));
  std::vector<Value> slots(2);
  const auto decoded = decoder->decode(R"({"a":[1,"x"],"c":0,"d":0})", slots);
  CHECK(decoded.status == DecodeStatus::decoded);
  CHECK(decoded.unknown_fields == 2);
  CHECK(decoder->unknown_field() == "c");
  CHECK(slots[0].kind == Kind::absent);
  CHECK(slots[1].text == "x");
  const std::string_view frame("\0\0\0\0\1xyz", 8);
  CHECK(decoder->decode(frame, slots).status == DecodeStatus::malformed);
  CHECK_THAT(decoder->why_malformed(frame), Catch::Contains("schema registry"));

  const std::vector<std::string> columns{"id"};
  const std::string_view envelope = R"({"payload":{"id":1}})";
  REQUIRE(decoder->decode(envelope, slots).status == DecodeStatus::decoded);
  CHECK_THAT(decoder->why_nothing(envelope, columns, "sink.x.columns"),
             Catch::Contains("$.payload"));
  CHECK_THAT(decoder->why_nothing(R"({"ID":1})", columns, "sink.x.columns"),
             Catch::Contains("Map it in sink.x.columns"));
  CHECK(decoder->why_nothing("{}", columns, "sink.x.columns").empty());
}
