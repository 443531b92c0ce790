#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <semel/json.hpp>

#include "support/catch.hpp"

namespace semel::test {

namespace {

struct Part {
  int number;
  std::optional<std::string> note;
};

struct Order {
  std::string customer;
  double total;
  bool paid;
  std::uint8_t priority;
  std::vector<Part> parts;
  std::map<std::string, std::int64_t> sums;
};

/// As it is written again, or why it is bad.
template <class T>
std::string again(std::string_view text) {
  auto step = json::as<T>()(text);
  if (const auto* bad = std::get_if<stream::Bad>(&step)) return "bad: " + bad->reason;
  return json::write(std::get<0>(step));
}

}  // namespace

TEST_CASE("a plain struct is read and written by the names of its members") {
  const std::string text =
      R"({"customer":"a\"b\\c","total":1.5,"paid":true,"priority":7,"parts":[{"number":-1,"note":"x"},{"number":2,"note":null}],"sums":{"k":9007199254740993}})";
  CHECK(again<Order>(text) == text);
}

TEST_CASE("members that are not known are passed over, whatever is in them") {
  CHECK(again<Part>(R"({"x":[{"number":5}],"number":1,"y":{"note":"z"}})") ==
        R"({"number":1,"note":null})");
}

TEST_CASE("of a member that comes twice the last counts") {
  CHECK(again<Part>(R"({"number":1,"number":2})") == R"({"number":2,"note":null})");
  CHECK(again<std::map<std::string, Part>>(R"({"a":{"number":1,"note":"x"},"a":{"number":2}})") ==
        R"({"a":{"number":2,"note":null}})");
}

TEST_CASE("what does not fit is bad, with the name of the member and without its content") {
  CHECK(again<Part>("{}") == "bad: member number is missing");
  CHECK(again<Part>(R"({"number":"secret"})") ==
        "bad: member number: a whole number is wanted, a text is there");
  CHECK(again<Part>(R"({"number":null})") ==
        "bad: member number: a whole number is wanted, null is there");
  CHECK(again<Part>(R"({"number":2147483648})") ==
        "bad: member number: a whole number from -2147483648 to 2147483647 is wanted, and the one "
        "that is there does not fit");
  CHECK(again<Order>(R"({"parts":[{"number":1},{"number":true}]})") ==
        "bad: member parts.number: a whole number is wanted, true or false is there");
  CHECK(again<float>("1e300") == "bad: the number that is there is too large");
  CHECK(again<Part>("[1]") == "bad: an object is wanted, an array is there");
}

TEST_CASE("what is no JSON, or more than one value, is bad") {
  for (const auto* text : {"", "{", R"({"number":1)", R"({"number":1}})", R"({"number":1} {})",
                           R"({"number":1},{"number":2})", R"({"number":1}],[1)", "nonsense"}) {
    INFO(text);
    CHECK(again<Part>(text).starts_with("bad: "));
  }
}

TEST_CASE("what is passed over is JSON, or the whole is bad") {
  for (const auto* text : {"nonsense",
                           "nul",
                           "nullx",
                           "tru",
                           "truex",
                           "falsey",
                           "01",
                           "-",
                           "1.",
                           ".5",
                           "1e",
                           "+1",
                           "1x",
                           "{\"a\" 1}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:1}",
                           "[1,]",
                           "[1 2]",
                           "[1",
                           "{\"a\":1",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"a\nb\"",
                           "'a'",
                           "\"a",
                           "{\"\\x\":1}",
                           "[[[nonsense]]]",
                           "[}",
                           "{]",
                           "\"\xff\"",
                           ""}) {
    INFO(text);
    CHECK(again<Part>(std::string(R"({"number":1,"x":)") + text + "}")
              .starts_with("bad: the value is no valid JSON"));
  }
  for (const auto* text :
       {"null", "true", "false", "0", "-0", "-1.5e+10", "1E400", "123456789012345678901234567890",
        "\"\\u00e9\\n\"", "[]", "{}", "[[], {}, 1 , \"a\" ]", "{\"a\":{\"a\":[null]},\"a\":2}"}) {
    INFO(text);
    CHECK(again<Part>(std::string(R"({"x":)") + text + R"(,"number":1})") ==
          R"({"number":1,"note":null})");
  }
}

TEST_CASE("what is nested too deeply is bad, whether it is read or passed over") {
  struct Tree {
    std::vector<Tree> below;
  };
  const auto nested = [](const std::string& open, const std::string& close, int levels) {
    std::string text;
    for (int i = 0; i < levels; ++i) text += open;
    for (int i = 0; i < levels; ++i) text += close;
    return text;
  };
  const auto passed_over = [&](int levels) {
    return again<Part>(R"({"number":1,"x":)" + nested("[", "]", levels) + "}");
  };
  CHECK(passed_over(490) == R"({"number":1,"note":null})");
  CHECK(passed_over(100'000).starts_with("bad: "));
  const auto read = [&](int levels) { return again<Tree>(nested(R"({"below":[)", "]}", levels)); };
  CHECK(read(200) == nested(R"({"below":[)", "]}", 200));
  CHECK(read(100'000).starts_with("bad: "));
}

TEST_CASE("values that are no objects are read, too") {
  CHECK(again<int>("5") == "5");
  CHECK(again<std::string>(R"("a\u00e9")") == "\"a\xc3\xa9\"");
  CHECK(again<std::vector<int>>("[1,2]") == "[1,2]");
  CHECK(again<std::optional<double>>("null") == "null");
}

TEST_CASE("text is escaped where JSON wants it, numbers that JSON has not are null") {
  CHECK(json::write(std::string("\x01\n\t\"\\/")) == R"("\u0001\n\t\"\\/")");
  CHECK(json::write(NAN) == "null");
  CHECK(json::write(0.1) == "0.1");
  CHECK(json::write(std::pair<int, std::string>(1, "a")) == R"([1,"a"])");
}

TEST_CASE("members are found in structs of one to sixteen") {
  struct One {
    int a;
  };
  struct Sixteen {
    int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p;
  };
  CHECK(json::write(One{1}) == R"({"a":1})");
  CHECK(member_count<Sixteen> == 16);
  CHECK(member_names<Sixteen>[15] == "p");
  CHECK_FALSE(has_members<std::string>);
}

TEST_CASE("text that is no JSON is said to be none, whatever it begins with") {
  const auto reason = [](const std::string& text) {
    const Record record{.value = text};
    const TopicPartition tp{"t", 0};
    try {
      const auto read = json::as<Part>()(stream::Message(record, tp));
      return std::get<stream::Bad>(read).reason;
    } catch (const stream::Bad& bad) {
      return bad.reason;
    }
  };
  for (const auto* text : {"not json", "n", "hello", "1e5x", "falsehood", "nul"}) {
    INFO(text);
    CHECK_THAT(reason(text), Catch::Matchers::Contains("no valid JSON"));
  }
  CHECK_THAT(reason("null"), Catch::Matchers::Contains("null is there"));
  CHECK_THAT(reason(" 17 "), Catch::Matchers::Contains("a number is there"));
}

}  // namespace semel::test
