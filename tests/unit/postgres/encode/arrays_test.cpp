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

TEST_CASE("an array's elements are held to their type") {
  CHECK(int4_array("[1,2.5]") == "22P02");
  CHECK(int4_array("[2147483648]") == "22003");
  CHECK(image(array_column("c", 1015, oid::varchar, 2 + 4), R"(["abc"])") == "22001");
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

TEST_CASE("arrays in arrays are dimensions, as many as the first element has") {
  const auto image_of = [](const char* dimensions, const std::string& lengths) {
    return dimensions + std::string("00000000") + "00000017" + lengths;
  };
  const std::string two_by_one = image_of("00000002",
                                          "00000002"
                                          "00000001"
                                          "00000001"
                                          "00000001"
                                          "00000004"
                                          "00000001"
                                          "00000004"
                                          "00000002");
  CHECK(int4_array("[[1],[2]]") == two_by_one);
  CHECK(int4_array(R"j("{{1},{2}}")j") == two_by_one);
  CHECK(int4_array(R"j(" [1:2][1:1] = { {1} , {2} } ")j") == two_by_one);
  CHECK(int4_array("[[],[]]") == image_of("00000000", ""));
  CHECK(int4_array(R"j("[3:3]={7}")j") == image_of("00000001",
                                                   "00000001"
                                                   "00000003"
                                                   "00000004"
                                                   "00000007"));
  for (const char* uneven :
       {"[[1],[2,3]]", "[[1],2]", "[1,[2]]", "[[1],[[2]]]", R"j("{{1},{2,3}}")j", R"j("{{1},2}")j",
        R"j("{1,{2}}")j", R"j("{{1}")j", R"j("{1}}")j", R"j("{1,}")j", R"j("{,1}")j",
        R"j("[1:2]{1,2}")j"}) {
    INFO(uneven);
    CHECK(int4_array(uneven) == "22P02");
  }
  CHECK(int4_array(R"j("[1:3]={1,2}")j") == "2202E");
  CHECK(int4_array("[[[[[[[1]]]]]]]") == "54000");
}

TEST_CASE("an array says its element's type as declared") {
  Column domains = array_column("c", 99'999, oid::int4);
  domains.type.parts[0].oid = 88'888;
  CHECK(image(domains, "[]") ==
        "00000000"
        "00000000"
        "00015b38");
}

TEST_CASE("a composite is an object by its attributes' names, or a row in PostgreSQL's spelling") {
  Column pair = column("c", 99'999, "pair");
  pair.type.kind = 'c';
  pair.type.names = {"a", "b c"};
  pair.type.parts = {{.oid = oid::int4, .base = oid::int4}, {.oid = 88'888, .base = oid::text}};
  const std::string one_x =
      "00000002"
      "00000017"
      "00000004"
      "00000001"
      "00015b38"
      "00000001"
      "78";
  CHECK(image(pair, R"j({"a":1,"b c":"x"})j") == one_x);
  CHECK(image(pair, R"j({"b\u0020c":"\u0078","z":[{}],"a":"0","a":1})j") == one_x);
  CHECK(image(pair, R"j("(1,x)")j") == one_x);
  CHECK(image(pair, R"j(" (\"1\",\"x\") ")j") == one_x);
  const std::string nulls =
      "00000002"
      "00000017"
      "ffffffff"
      "00015b38"
      "ffffffff";
  CHECK(image(pair, "{}") == nulls);
  CHECK(image(pair, R"j({"a":null})j") == nulls);
  CHECK(image(pair, R"j("(,)")j") == nulls);
  for (const char* bad :
       {R"j("")j", R"j("(1)")j", R"j("(1,x,)")j", R"j("(1,x")j", R"j("1,x")j", R"j("(1,x) y")j"}) {
    INFO(bad);
    CHECK(image(pair, bad) == "22P02");
  }
  CHECK(image(pair, "[1]") == "22023");
  CHECK(image(pair, "1") == "22023");
  CHECK(image(pair, R"j({"a":"x"})j") == "22P02");
}

TEST_CASE("ranges and multiranges are read in PostgreSQL's spelling") {
  Column range = column("c", 3904, "int4range");
  range.type.kind = 'r';
  range.type.parts = {{.oid = oid::int4, .base = oid::int4}};
  const std::string one_to_five =
      "02"
      "00000004"
      "00000001"
      "00000004"
      "00000005";
  CHECK(image(range, R"j("[1,5)")j") == one_to_five);
  CHECK(image(range, R"j(" [ 1 ,\"5\") ")j") == one_to_five);
  CHECK(image(range, R"j("(,5]")j") ==
        "0c"
        "00000004"
        "00000005");
  CHECK(image(range, R"j("(,)")j") == "18");
  CHECK(image(range, R"j("Empty")j") == "01");
  CHECK(image(range, "[1,5]") ==
        "06"
        "00000004"
        "00000001"
        "00000004"
        "00000005");
  for (const char* bad : {R"j("")j", R"j("[1,5")j", R"j("1,5)")j", R"j("[1)")j", R"j("[1,2,3)")j",
                          R"j("[1,2) x")j", R"j("[x,)")j"}) {
    INFO(bad);
    CHECK(image(range, bad) == "22P02");
  }
  Column several = column("c", 4451, "int4multirange");
  several.type.kind = 'm';
  several.type.parts = {range.type};
  CHECK(image(several, R"j("{}")j") == "00000000");
  CHECK(image(several, R"j("{[1,5) , empty}")j") ==
        "00000002"
        "00000011" +
            one_to_five +
            "00000001"
            "01");
  for (const char* bad :
       {R"j("[1,5)")j", R"j("{[1,5)")j", R"j("{[1,5),}")j", R"j("{[1,5) [7,8)}")j", R"j("{x}")j"}) {
    INFO(bad);
    CHECK(image(several, bad) == "22P02");
  }
}

TEST_CASE("a time of day with a zone is UTC where none is written") {
  CHECK(image(1266, R"j("00:00:01")j") ==
        "00000000000f4240"
        "00000000");
  CHECK(image(1266, R"j("00:00:01+01")j") ==
        "00000000000f4240"
        "fffff1f0");
  CHECK(image(1266, R"j("00:00:01-01:00")j") ==
        "00000000000f4240"
        "00000e10");
}
