#include "record/mapping.hpp"

#include "support/catch.hpp"

using namespace semel::record;

TEST_CASE("a mapping that cannot be right is refused") {
  for (const char* wrong :
       {"", "a", "$a", "$.", "$..a", "$.a[", "$.a[x]", "$.a[-1]", "$['a'", "$['a]", "$[0]", "$.a[0",
        "@Topic", "@headers.", "@nothing", "$.a[]", "$.a[99999999999999999999]"}) {
    INFO(wrong);
    CHECK_FALSE(parse_mapping(wrong));
  }
}
