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
