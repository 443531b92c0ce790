// Rows of a record's array: what each of them has, and what makes the record bad.
#include "record/elements.hpp"

#include "formats/formats.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::record;

namespace {

using Columns = ColumnRules;

Result<Elements> elements_of(const std::vector<std::string>& names, const Columns& mappings,
                             const std::string& path, const Policy& policy = {}) {
  std::vector<Column> columns;
  for (const auto& name : names) columns.push_back({name, "any", Holds::unknown});
  auto mapped = map_columns(columns, mappings, "columns", "t");
  if (!mapped) return tl::unexpected(mapped.error());
  return Elements::make(*std::move(mapped), policy, *formats::json(), "columns",
                        formats::json().get(), path, {});
}

Elements made(const std::vector<std::string>& names, const Columns& mappings,
              const std::string& path, const Policy& policy = {}) {
  auto elements = elements_of(names, mappings, path, policy);
  if (!elements) FAIL(elements.error().message);
  return *std::move(elements);
}

const TopicPartition kTp{"orders", 1};

/// "a b|c d": the rows' values, "-" where there is none; or why the record is bad.
std::string rows_of(Elements& elements, std::optional<std::string_view> value,
                    std::optional<std::string_view> key = std::nullopt) {
  const Record record{.offset = 7, .timestamp_ms = 5, .key = key, .value = value};
  const auto read = elements.read(kTp, record);
  if (read.fate == Fate::bad) return "bad: " + elements.bad().reason;
  if (read.fate == Fate::ignored) return "ignored";
  std::string rows = read.fate == Fate::removal ? "removes " : "";
  bool first = true;
  while (const auto row = elements.next()) {
    if (row->fate == Fate::bad) return "bad: " + elements.bad().reason;
    CHECK(row->fate == read.fate);
    if (!std::exchange(first, false)) rows += '|';
    std::string one;
    for (const auto& of : elements.values()) {
      one += one.empty() ? "" : " ";
      one += of.kind == Kind::absent ? "-" : of.kind == Kind::null ? "null" : std::string(of.text);
    }
    rows += one;
  }
  return rows;
}

}  // namespace

TEST_CASE("each element of an array is a row, beside what is the same for all of them") {
  auto items = made({"order_id", "line", "sku", "qty", "at", "k"},
                    {{"order_id", "@value.id"},
                     {"line", "@index"},
                     {"qty", "$.amount.n"},
                     {"at", "@offset"},
                     {"k", "@key.k"}},
                    "$.items");
  CHECK(rows_of(items, R"({"id": 5, "items": [{"sku": "a", "amount": {"n": 1}}, {"sku": "b\"c"}]})",
                R"({"k": true})") == "5 0 a 1 7 true|5 1 b\"c - 7 true");
  CHECK(rows_of(items, R"({"items": [{"sku": "a"}], "id": 6})") == "6 0 a - 7 -");
  CHECK(rows_of(items, R"({"id": 5, "items": []})").empty());
  CHECK(rows_of(items, R"({"id": 5, "items": null})").empty());
  CHECK(rows_of(items, R"({"id": 5})").empty());
  CHECK(rows_of(items, R"({"other": 5})").empty());
  CHECK(rows_of(items, "{}").empty());
  CHECK(rows_of(items, R"({"id": 5, "items": {"sku": "one"}})") == "5 0 one - 7 -");
  CHECK(rows_of(items, std::nullopt) == "ignored");
  CHECK(items.known_members() == std::vector<std::string>{"id", "items"});
}

TEST_CASE("an element that is no object is a row where columns want just it") {
  auto tags = made({"id", "tag"}, {{"id", "@value.id"}, {"tag", "$"}}, "$.tags");
  CHECK(rows_of(tags, R"({"id": 1, "tags": ["a", 2, null, [3], {"x": 4}]})") ==
        "1 a|1 2|1 null|1 [3]|1 {\"x\": 4}");
  CHECK(rows_of(tags, R"({"id": 1, "tags": "only"})") == "1 only");
  auto items = made({"sku"}, {}, "$.items");
  CHECK(rows_of(items, R"({"items": [{"sku": 1}, 2]})") ==
        "bad: element 1 of $.items: 2 is no object, and columns come from its members");
  CHECK(rows_of(items, R"({"items": [null]})") ==
        "bad: element 0 of $.items: null is no object, and columns come from its members");
}

TEST_CASE("a value that is an array has rows, and is looked at whole") {
  auto readings = made({"n", "all"}, {{"all", "@value.n"}}, "$");
  CHECK(rows_of(readings, R"([{"n": 1}, {"n": 2}])") == "1 -|2 -");
  CHECK(rows_of(readings, R"( [{"n": 1}] )") == "1 -");
  CHECK(rows_of(readings, "[]").empty());
  // What is no array is the one row.
  CHECK(rows_of(readings, R"({"n": 3})") == "3 3");
  CHECK(rows_of(readings, "null").empty());
  CHECK(rows_of(readings, "true").starts_with("bad: "));
  CHECK(rows_of(readings, "\"a\\n\"").starts_with("bad: element 0 of $:"));
  for (const char* broken : {R"([{"n": 1}, {"n": 2})", R"([{"n": 1}] x)", R"([{"n": 1},])",
                             R"([{"n": 1}], "rows": [{"n": 2}])", R"([{"n": 01}])", "", "{"}) {
    INFO(broken);
    CHECK(rows_of(readings, broken).starts_with("bad: "));
  }
}

TEST_CASE("what removes a record's rows removes those of its elements") {
  Policy policy;
  policy.removes_from = "$.op";
  policy.removes_if = {"d"};
  auto items = made({"id", "sku"}, {{"id", "@value.id"}}, "$.items", policy);
  CHECK(rows_of(items, R"({"id": 1, "op": "d", "items": [{"sku": "a"}, {"sku": "b"}]})") ==
        "removes 1 a|1 b");
  CHECK(rows_of(items, R"({"id": 1, "op": "u", "items": [{"sku": "a"}]})") == "1 a");
}

TEST_CASE("columns of an element have rules, too") {
  ColumnRule fallback("$.sku");
  fallback.from.emplace_back("$.code");
  ColumnRule upper("@value.shop");
  upper.empty_is_null = true;
  ColumnRule constant;
  constant.constant = Constant{.kind = Kind::string, .text = "semel"};
  ColumnRule empty("$");
  empty.empty_is_null = true;
  auto items = made({"sku", "shop", "by"}, {{"sku", fallback}, {"shop", upper}, {"by", constant}},
                    "$.items");
  CHECK(rows_of(items, R"({"shop": "", "items": [{"code": "a"}, {"sku": "b", "code": "c"}]})") ==
        "a null semel|b null semel");
  auto tags = made({"tag"}, {{"tag", empty}}, "$.tags");
  CHECK(rows_of(tags, R"({"tags": ["", "x", 1.50]})") == "null|x|1.50");
  ColumnRule both("$.sku");
  both.from.emplace_back("@value.sku");
  CHECK_FALSE(elements_of({"sku"}, {{"sku", both}}, "$.items"));
}

TEST_CASE("an array is looked for in the value, and where it can be") {
  CHECK_FALSE(elements_of({"a"}, {}, "@key.items"));
  CHECK_FALSE(elements_of({"a"}, {}, "items"));
  const auto raw = Elements::make({}, {}, *formats::raw(), "columns", nullptr, "$.items", {});
  CHECK_FALSE(raw);
}
