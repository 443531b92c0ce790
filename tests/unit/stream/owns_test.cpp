// What may be kept beyond a call, and how the compiler says what may not.
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <regex>
#include <set>
#include <span>
#include <stack>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include <semel/json.hpp>
#include <semel/stream/codec.hpp>
#include <semel/stream/owns.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"

namespace semel::test {

using stream::Owns;

namespace {

using View = std::string_view;

struct Named {
  std::string name;
  std::optional<std::vector<View>> parts;
};
struct Whole {
  std::string name;
  std::array<std::unordered_map<std::string, std::deque<int>>, 2> parts;
  std::function<void(View)> call;
};
struct Tree {
  int number;
  std::vector<Tree> below;
};
struct TreeOfViews {
  View name;
  std::vector<TreeOfViews> below;
};
struct WithArray {
  int before;
  int three[3];
};
struct WithArrayOfOne {
  std::string name;
  int one[1];
};
struct WithArrayOfStructs {
  Tree two[2];
  int behind;
};
struct Base {
  int inherited;
};
struct Derived : Base {
  int own;
};
struct Nothing {};
struct DerivedOfNothing : Nothing {
  int own;
};
struct WithBits {
  int whole;
  unsigned bit : 1;
};
struct WithReference {
  int& other;
  int own;
};
struct Seventeen {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q;
};

/// What the compiler says, each error a line.
std::vector<std::string> compile_errors(const std::string& program) {
  // clang stops after twenty.
  const bool clang = std::string_view(SEMEL_CXX).find("clang") != std::string_view::npos;
  const std::string all_errors = clang ? "-ferror-limit=0" : "";
  const auto result = run({.argv = {"sh", "-c",
                                    std::string(SEMEL_CXX) + " -std=c++20 -fsyntax-only " +
                                        all_errors + " -I" + SEMEL_INCLUDE + " -x c++ - 2>&1"},
                           .input = program});
  static const std::regex error("error: [^\n]*");
  std::vector<std::string> found;
  for (std::sregex_iterator at(result.out.begin(), result.out.end(), error), end; at != end; ++at) {
    found.push_back(at->str());
  }
  return found;
}

}  // namespace

TEST_CASE("a type that shows what another one holds is no value to keep, whatever it is in") {
  STATIC_REQUIRE_FALSE(Owns<View>);
  STATIC_REQUIRE_FALSE(Owns<const char*>);
  STATIC_REQUIRE_FALSE(Owns<std::span<const int>>);
  STATIC_REQUIRE_FALSE(Owns<std::reference_wrapper<int>>);
  STATIC_REQUIRE_FALSE(Owns<stream::Message>);
  STATIC_REQUIRE_FALSE(Owns<std::vector<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::deque<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::list<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::forward_list<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::array<View, 2>>);
  STATIC_REQUIRE_FALSE(Owns<std::set<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::multiset<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::unordered_set<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::map<View, int>>);
  STATIC_REQUIRE_FALSE(Owns<std::multimap<int, const int*>>);
  STATIC_REQUIRE_FALSE(Owns<std::unordered_map<std::string, View>>);
  STATIC_REQUIRE_FALSE(Owns<std::unordered_multimap<View, int>>);
  STATIC_REQUIRE_FALSE(Owns<std::queue<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::stack<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::priority_queue<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::optional<View>>);
  STATIC_REQUIRE_FALSE(Owns<std::variant<int, View>>);
  STATIC_REQUIRE_FALSE(Owns<std::pair<int, View>>);
  STATIC_REQUIRE_FALSE(Owns<std::tuple<int, std::set<View>>>);
  STATIC_REQUIRE_FALSE(Owns<std::unique_ptr<View>>);
  STATIC_REQUIRE_FALSE(Owns<Named>);
  STATIC_REQUIRE_FALSE(Owns<std::map<int, std::vector<Named>>>);
  STATIC_REQUIRE_FALSE(Owns<TreeOfViews>);
}

TEST_CASE("a type that holds what it shows is a value to keep") {
  STATIC_REQUIRE(Owns<int>);
  STATIC_REQUIRE(Owns<std::string>);
  STATIC_REQUIRE(Owns<Nothing>);
  STATIC_REQUIRE(Owns<Whole>);
  STATIC_REQUIRE(Owns<Tree>);
  STATIC_REQUIRE(Owns<std::array<int, 3>>);
  STATIC_REQUIRE(Owns<std::unordered_map<std::string, std::set<int>>>);
  STATIC_REQUIRE(Owns<std::variant<std::monostate, std::string>>);
  STATIC_REQUIRE(Owns<std::shared_ptr<std::string>>);
}

TEST_CASE("a struct that cannot be taken apart has no members to look at") {
  STATIC_REQUIRE(has_members<Tree>);
  STATIC_REQUIRE(has_members<Whole>);
  STATIC_REQUIRE_FALSE(has_members<WithArray>);
  STATIC_REQUIRE_FALSE(has_members<WithArrayOfOne>);
  STATIC_REQUIRE_FALSE(has_members<WithArrayOfStructs>);
  STATIC_REQUIRE_FALSE(has_members<Derived>);
  STATIC_REQUIRE_FALSE(has_members<DerivedOfNothing>);
  STATIC_REQUIRE_FALSE(has_members<WithBits>);
  STATIC_REQUIRE_FALSE(has_members<WithReference>);
  STATIC_REQUIRE_FALSE(has_members<Seventeen>);
  STATIC_REQUIRE_FALSE(has_members<Nothing>);
  STATIC_REQUIRE_FALSE(has_members<std::array<int, 3>>);
}

TEST_CASE("a type that has itself in it is read, written and kept") {
  const std::string text = R"({"number":1,"below":[{"number":2,"below":[]}]})";
  const auto tree = json::as<Tree>()(text);
  REQUIRE(std::holds_alternative<Tree>(tree));
  CHECK(json::write(std::get<Tree>(tree)) == text);
  using stream::detail::decoded;
  using stream::detail::encoded;
  CHECK(json::write(decoded<Tree>(encoded(std::get<Tree>(tree)))) == text);
  CHECK(stream::detail::shape_of<Tree>() == "(i4[^0])");
}

TEST_CASE("the compiler says in one sentence what cannot be taken apart") {
  const std::string structs = R"(
#include <semel/json.hpp>
#include <semel/stream/ordered_map.hpp>
#include <semel/stream/owns.hpp>
#include <semel/stream/codec.hpp>
struct Base { int inherited; };
struct Derived : Base { int own; };
struct Bits { int whole; unsigned bit : 1; };
struct Array { int three[3]; int behind; };
struct Reference { int& other; };
struct Seventeen { int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q; };
)";
  const std::vector<std::string> uses{"bool a = semel::stream::Owns<{}>;",
                                      "auto a = &semel::json::write<{}>;",
                                      "auto a = &semel::stream::detail::encode_to<{}>;",
                                      "auto a = &semel::stream::detail::hash_of<{}>;",
                                      "auto a = semel::json::as<{}>()(std::string_view());"};
  const std::vector<std::string> types{"Derived", "Bits", "Array", "Seventeen"};
  auto program = structs;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    for (const auto& type : types) {
      auto use = uses[i];
      use.replace(use.find("{}"), 2, type);
      program += "namespace use_" + std::to_string(i) + "_of_" + type + " { " + use + " }\n";
    }
  }
  const auto errors = compile_errors(program);
  CHECK(errors.size() == types.size() * uses.size());
  for (const auto& error : errors) {
    CHECK_THAT(error, Catch::Contains("a bit field or a reference"));
  }
}

}  // namespace semel::test
