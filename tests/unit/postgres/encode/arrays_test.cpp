#include "table_builder.hpp"

using namespace semel::postgres;

namespace {

std::string int4_array(std::string_view json) {
  return image(array_column("c", 1007, oid::int4), json);
}

}  // namespace

TEST_CASE("an array has one dimension, a NULL flag and its element's type") {
  CHECK(int4_array("[1,null,-1]") ==
        "00000001"
        "00000001"
        "00000017"
        "00000003"
        "00000001"
        "00000004"
        "00000001"
        "ffffffff"
        "00000004"
        "ffffffff");
  CHECK(int4_array("[ 7 ]") ==
        "00000001"
        "00000000"
        "00000017"
        "00000001"
        "00000001"
        "00000004"
        "00000007");
  CHECK(int4_array("[]") ==
        "00000000"
        "00000000"
        "00000017");
  CHECK(int4_array("null") == "null");
}

TEST_CASE("an array may come in PostgreSQL's own spelling") {
  CHECK(int4_array(R"(" { 1 , NULL , -1 } ")") == int4_array("[1,null,-1]"));
  CHECK(int4_array(R"("{}")") == int4_array("[]"));
  const auto texts = [](std::string_view json) {
    return image(array_column("c", 1009, oid::text), json);
  };
  CHECK(texts(R"("{a b,\"c,\\\"d\",\"NULL\",\\n,null}")") ==
        texts(R"(["a b","c,\"d","NULL","n",null])"));
  for (const char* bad : {R"("1,2")", R"("{1,}")", R"("{1")", R"("{\"a}")", R"("{a\"b}")", "1",
                          "true", R"({"a":1})"}) {
    CHECK(texts(bad) == "22P02");
  }
}

TEST_CASE("elements of PostgreSQL's own spelling are text for their type's input") {
  const auto documents = [](std::string_view json) {
    return image(array_column("c", 3807, oid::jsonb), json);
  };
  CHECK(documents(R"("{1,\"\\\"a\\\"\"}")") == documents(R"([1,"a"])"));
  CHECK(documents(R"("{a}")") == "22P02");
  CHECK(image(array_column("c", 1001, oid::bytea), R"("{\"\\\\x41\"}")") ==
        image(array_column("c", 1001, oid::bytea), R"(["A"])"));
}

TEST_CASE("an array's elements are held to their type, and to one dimension") {
  CHECK(int4_array("[1,2.5]") == "22P02");
  CHECK(int4_array("[2147483648]") == "22003");
  CHECK(int4_array("[[1],[2]]") == "0A000");
  CHECK(int4_array(R"("{{1},{2}}")") == "0A000");
  Column limited = array_column("c", 1015, oid::varchar);
  limited.base_modifier = 2 + 4;
  CHECK(image(limited, R"(["abc"])") == "22001");
  CHECK(image(array_column("c", 1009, oid::text), R"(["a\u0000"])") == "22021");
  CHECK(image(array_column("c", 3807, oid::jsonb), R"([{"a":[1]}, "x"])") ==
        "00000001"
        "00000000"
        "00000eda"
        "00000002"
        "00000001"
        "0000000a"
        "01" +
            hex(R"({"a":[1]})") +
            "00000004"
            "01" +
            hex(R"("x")"));
}

TEST_CASE("strings with escapes in an array stay apart") {
  CHECK(image(array_column("c", 1009, oid::text), R"(["\u0061]","b\\","c,\"d"])") ==
        "00000001"
        "00000000"
        "00000019"
        "00000003"
        "00000001"
        "00000002" +
            hex("a]") + "00000002" + hex("b\\") + "00000004" + hex("c,\"d"));
}

TEST_CASE("an array whose element may be a domain goes as text unless the catalogue says which") {
  Column unknown = array_column("c", 99'999, oid::int4);
  CHECK(encoder_of({unknown}).format() == CopyFormat::text);
  unknown.declared_element_type = 88'888;
  RowEncoder encoder = encoder_of({unknown});
  REQUIRE(encoder.format() == CopyFormat::binary);
  CHECK(image(unknown, "[]") ==
        "00000000"
        "00000000"
        "00015b38");
}
