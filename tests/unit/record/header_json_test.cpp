#include "record/header_json.hpp"

#include "support/catch.hpp"

using namespace semel;
using record::headers_as_json;

TEST_CASE("headers become JSON without loss") {
  CHECK(headers_as_json({}).empty());
  CHECK(headers_as_json({{"a", "x\"y\n"}, {"a", std::nullopt}}) ==
        R"([{"name": "a", "value": "x\"y\u000a"}, {"name": "a", "value": null}])");
  CHECK(headers_as_json({{"raw", std::string_view("\x00\x01\xFF\xFE", 4)}}) ==
        R"([{"name": "raw", "base64": "AAH//g=="}])");
  CHECK(headers_as_json({{"e", "\xFF"}}) == R"([{"name": "e", "base64": "/w=="}])");
  CHECK(headers_as_json({{"e", ""}}) == R"([{"name": "e", "value": ""}])");
}

TEST_CASE("headers come back from their JSON as they were, whatever bytes they hold") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::vector<Header> headers{{"text", "a \"b\" \\ \n ü"},
                                    {"bytes", all},
                                    {"empty", ""},
                                    {"none", std::nullopt},
                                    {"one", "\xff"},
                                    {"two", "\xff\x01"},
                                    {"text", "again"}};
  const auto kept = record::headers_from_json(record::headers_as_json(headers));
  const auto back = record::source_of(kept)();
  REQUIRE(back.size() == headers.size());
  for (std::size_t i = 0; i < headers.size(); ++i) {
    CHECK(back[i].name == headers[i].name);
    CHECK(back[i].value == headers[i].value);
  }
  CHECK(record::headers_from_json("").empty());
  CHECK(record::headers_from_json("{\"no\": \"list\"}").empty());
}
