#include "formats/json/json_reader.hpp"

#include "support/catch.hpp"

using namespace semel::formats;

TEST_CASE("any JSON value is told from what is none") {
  JsonReader reader;
  for (const char* good : {"1", " null ", "\"a\"", "[]", "{}", "[1,{\"a\":[true]}]"}) {
    CHECK(reader.is_json(good));
  }
  for (const char* bad :
       {"", " ", "1,2", "1],[2", "]", "[", "tru", "1 2", "{\"a\":1}}", "[1]]", "\"a"}) {
    INFO(bad);
    CHECK_FALSE(reader.is_json(bad));
  }
}

TEST_CASE("JSON from keys and headers may be as deep as values") {
  JsonReader reader;
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  CHECK(reader.is_json(nested(500)));
  CHECK_FALSE(reader.is_json(nested(501)));
}
