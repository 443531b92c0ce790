#include <functional>
#include <stdexcept>
#include <string>

#include "support/catch.hpp"
#include "unit/stream/trial.hpp"

namespace semel::test {

namespace {

/// Of a key that cannot be hashed.
struct Unhashable {
  int number = 0;
  bool operator==(const Unhashable&) const = default;
};

}  // namespace

}  // namespace semel::test

template <>
struct std::hash<semel::test::Unhashable> {
  std::size_t operator()(const semel::test::Unhashable&) const {
    throw std::runtime_error("no hash");
  }
};

namespace semel::test {

using stream::Bad;
using stream::Step;

namespace {

struct Sale {
  std::string shop;
  int pieces;
};

struct Place {
  int x;
  int y;
};

/// "shop:pieces"
Step<Sale> sale(const stream::Message& message) {
  const auto value = std::string(message.value());
  const auto colon = value.find(':');
  if (colon == std::string::npos) return Bad{"no colon"};
  return Sale{value.substr(0, colon), std::stoi(value.substr(colon + 1))};
}

/// Can be moved, and not copied.
struct Unique {
  Unique() = default;
  Unique(const Unique&) { throw std::runtime_error("copied"); }
  Unique(Unique&&) noexcept = default;
  Unique& operator=(const Unique&) = delete;
  Unique& operator=(Unique&&) noexcept = default;
};

auto unique(Trial& trial, const std::string& name) {
  return trial.source(name)
      .map([](const stream::Message&) { return Unique(); })
      .key_by([](const Unique&) { return 1; });
}

auto sales(Trial& trial, const std::string& name = "sales") {
  return trial.source(name)
      .map(sale, name + " parsed")
      .key_by([](const Sale& s) { return s.shop; }, name + " by shop")
      .map_values([](const Sale& s) { return s.pieces; }, name + " pieces");
}

}  // namespace

TEST_CASE("reduce_by_key has one value for each key, in the order of the keys") {
  Trial trial;
  sales(trial).reduce_by_key(std::plus<>()).to("out");
  CHECK(trial.one({"b:1", "a:2", "b:30", "x", "a:5"}) ==
        Came{{R"({"key":"b","value":31})", R"({"key":"a","value":7})"},
             {"3: sales parsed: no colon"}});
  CHECK(trial.one({}) == Came{});
  CHECK(trial.one({"c:4"}) == Came{{R"({"key":"c","value":4})"}, {}});
}

TEST_CASE("values of a key that cannot become one are one dead letter, of the key") {
  Trial trial;
  sales(trial)
      .reduce_by_key(
          [](int a, int b) {
            if (b < 0) throw Bad{"negative"};
            return a + b;
          },
          "sum")
      .to("out");
  CHECK(trial.one({"a:1", "b:1", "a:-1", "a:5"}) ==
        Came{{R"({"key":"b","value":1})"}, {"a: sum: negative"}});
}

TEST_CASE(
    "what reduce_by_key's function throws is bad, whatever it is, but for what ends the run") {
  Trial trial;
  sales(trial)
      .reduce_by_key([](int a, int b) {
        if (b == 1) throw 42;
        if (b == 2) throw Failed({ErrorKind::fatal, Cause::program, "stop"});
        return a + b;
      })
      .to("out");
  CHECK(trial.one({"a:5", "a:1", "b:3"}).letters.size() == 1);
  CHECK_THROWS_AS(trial.one({"a:5", "a:2"}), Failed);
}

TEST_CASE("what is thrown at a whole batch is the program's fault, with the stage's name") {
  const auto thrown = [](const auto& build) {
    Trial trial;
    build(trial);
    try {
      trial.batch({{0, {"a"}}, {1, {"b"}}});
    } catch (const Failed& failed) {
      CHECK(failed.error().kind == ErrorKind::fatal);
      CHECK(failed.error().cause == Cause::program);
      return failed.error().message;
    }
    return std::string("nothing");
  };
  const auto shown = [](int, const auto&) { return std::string("x"); };
  CHECK_THAT(thrown([&](Trial& trial) {
               unique(trial, "l").join(unique(trial, "r"), "both").map(shown).to("out");
             }),
             Catch::StartsWith("both threw: copied"));
  CHECK_THAT(thrown([&](Trial& trial) {
               unique(trial, "l").left_join(unique(trial, "r"), "left").map(shown).to("out");
             }),
             Catch::StartsWith("left threw: copied"));
  CHECK_THAT(thrown([&](Trial& trial) {
               trial.source()
                   .map([](const stream::Message&) { return 1; })
                   .key_by([](int n) { return Unhashable{n}; })
                   .reduce_by_key(std::plus<>(), "sum")
                   .map([](const Unhashable&, int n) { return n; })
                   .to("out");
             }),
             Catch::StartsWith("sum threw: no hash"));
}

TEST_CASE("group_by_key has all values of a key, in their order") {
  Trial trial;
  sales(trial).group_by_key().to("out");
  CHECK(trial.one({"a:1", "b:2", "a:3"}) ==
        Came{{R"({"key":"a","value":[1,3]})", R"({"key":"b","value":[2]})"}, {}});
}

TEST_CASE("count counts, also a batch without records") {
  Trial trial;
  trial.source().count().to("out");
  CHECK(trial.one({"a", "b"}).rows == Values{"2"});
  CHECK(trial.one({}).rows == Values{"0"});
}

TEST_CASE("join has each value with each of the same key") {
  Trial trial;
  sales(trial, "left").join(sales(trial, "right")).to("out");
  // a: {1, 2} with {7, 8}; b only left, c only right.
  CHECK(trial.batch({{0, {"a:1", "b:5", "a:2"}}, {1, {"a:7", "c:9", "a:8"}}}).front().rows ==
        Values{R"({"key":"a","value":[1,7]})", R"({"key":"a","value":[1,8]})",
               R"({"key":"a","value":[2,7]})", R"({"key":"a","value":[2,8]})"});
  CHECK(trial.batch({{0, {"a:1"}}}).front().rows.empty());
  CHECK(trial.batch({{1, {"a:1"}}}).front().rows.empty());
}

TEST_CASE("left_join keeps what the other side has not") {
  Trial trial;
  sales(trial, "left").left_join(sales(trial, "right")).to("out");
  CHECK(trial.batch({{0, {"a:1", "b:5"}}, {1, {"a:7", "c:9"}}}).front().rows ==
        Values{R"({"key":"a","value":[1,7]})", R"({"key":"b","value":[5,null]})"});
}

TEST_CASE("cogroup has all values of both sides of each key") {
  Trial trial;
  sales(trial, "left").cogroup(sales(trial, "right")).to("out");
  CHECK(trial.batch({{0, {"a:1", "b:5"}}, {1, {"a:7", "c:9", "a:8"}}}).front().rows ==
        Values{R"({"key":"a","value":[[1],[7,8]]})", R"({"key":"b","value":[[5],[]]})",
               R"({"key":"c","value":[[],[9]]})"});
}

TEST_CASE("a key may be a number, a pair or a plain struct") {
  Trial trial;
  auto numbers =
      trial.source().map([](const stream::Message& m) { return std::stoi(text(m)); }).share();
  numbers.stream().key_by([](int n) { return n % 3; }).reduce_by_key(std::plus<>()).to("number");
  numbers.stream()
      .key_by([](int n) { return std::pair(n % 2, std::string("p")); })
      .reduce_by_key(std::plus<>())
      .to("pair");
  numbers.stream()
      .key_by([](int n) {
        return Place{n % 2, n % 3};
      })
      .reduce_by_key(std::plus<>())
      .to("struct");
  const auto came = trial.batch({{0, {"1", "2", "3", "4", "7"}}});
  CHECK(came[0].rows ==
        Values{R"({"key":1,"value":12})", R"({"key":2,"value":2})", R"({"key":0,"value":3})"});
  CHECK(came[1].rows == Values{R"({"key":[1,"p"],"value":11})", R"({"key":[0,"p"],"value":6})"});
  CHECK(came[2].rows ==
        Values{R"({"key":{"x":1,"y":1},"value":8})", R"({"key":{"x":0,"y":2},"value":2})",
               R"({"key":{"x":1,"y":0},"value":3})", R"({"key":{"x":0,"y":1},"value":4})"});
}

TEST_CASE("members of a plain struct stand beside the key in a row") {
  Trial trial;
  trial.source().map(sale).key_by([](const Sale& s) { return s.shop; }).to("out");
  CHECK(trial.one({"a:1"}).rows == Values{R"({"key":"a","shop":"a","pieces":1})"});
}

TEST_CASE("a member that would stand as the key in a row is noticed") {
  struct Keyed {
    int number;
    std::string key;
  };
  STATIC_REQUIRE(stream::detail::has_member_called<Keyed>("key"));
  STATIC_REQUIRE_FALSE(stream::detail::has_member_called<Sale>("key"));
  STATIC_REQUIRE_FALSE(stream::detail::has_member_called<std::string>("key"));
}

TEST_CASE("many keys are each there once") {
  Trial trial;
  trial.source().map(text).count_by_value().to("out");
  Values values;
  for (int i = 0; i < 20'000; ++i) values.push_back(std::to_string(i % 5'000));
  const auto came = trial.one(values);
  REQUIRE(came.rows.size() == 5'000);
  for (int i = 0; i < 5'000; ++i) {
    CHECK(came.rows[static_cast<std::size_t>(i)] ==
          "{\"key\":\"" + std::to_string(i) + "\",\"value\":4}");
  }
}

}  // namespace semel::test
