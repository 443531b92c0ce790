#include "record/route.hpp"

#include "support/catch.hpp"

using namespace semel::record;

TEST_CASE("groups are filled into a name, and a brace of its own is written twice") {
  const std::vector<std::string> groups{"shop.orders", "shop", "orders"};
  CHECK(fill_groups("mirror_{1}_{2}", groups) == "mirror_shop_orders");
  CHECK(fill_groups("{0}", groups) == "shop.orders");
  CHECK(fill_groups("a{{1}}b{3}c", groups) == "a{1}bc");
  CHECK_FALSE(has_groups("plain {{0}}"));
  CHECK(highest_group("{2}{1}") == 2);
  CHECK(groups_mistake("{0}{1}").empty());
  for (const char* wrong : {"{", "}", "{x}", "{1", "{-1}", "{}", "a}b", "{1}}"}) {
    INFO(wrong);
    CHECK_FALSE(groups_mistake(wrong).empty());
  }
}

TEST_CASE("groups come from a pattern of the whole name, or there are none") {
  using Groups = std::vector<std::string>;
  CHECK(groups_of("shop.a.b", R"(shop\.(.*)\.(b|c))") == Groups{"shop.a.b", "a", "b"});
  CHECK(groups_of("other", R"(shop\.(.*))") == Groups{"other"});
  CHECK(groups_of("x", "") == Groups{"x"});
  CHECK(groups_of("ab", "(a)(x)?b") == Groups{"ab", "a", ""});
  CHECK(groups_in("(a)(?:b)(c)") == 2);
}
