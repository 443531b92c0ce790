// What columns records could have: kinds of values, by column, of JSON and of raw values.
#include <fmt/format.h>

#include "formats/formats.hpp"
#include "record/shape.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::record;

namespace {

const TopicPartition tp{"orders", 3};

class Looked {
 public:
  explicit Looked(ColumnRules columns = {}, const std::string& path = "",
                  Names names = Names::exact)
      : shape_(make({.columns = std::move(columns),
                     .policy = {.names = names},
                     .format = formats_json_.get(),
                     .keys = formats_json_.get(),
                     .path = path,
                     .setting = "columns"})) {}

  Fate add(const char* value, const char* key = nullptr) {
    Record record{.offset = 7, .timestamp_ms = 1};
    if (value != nullptr) record.value = value;
    if (key != nullptr) record.key = key;
    return shape_.add(tp, record);
  }

  /// "id:number note:text,nested", in order; a column without any value has nothing.
  std::string columns() const {
    std::string all;
    for (const auto& column : shape_.columns()) {
      const auto& seen = column.seen;
      std::string kinds;
      const auto kind = [&](bool is, const char* name) {
        if (is) kinds += (kinds.empty() ? "" : ",") + std::string(name);
      };
      kind(seen.boolean, "boolean");
      kind(seen.number, "number");
      kind(seen.text, "text");
      kind(seen.nested, "nested");
      kind(seen.other, "other");
      all += fmt::format("{}{}:{}", all.empty() ? "" : " ", column.name, kinds);
    }
    return all;
  }
  const Shape& shape() const { return shape_; }

 private:
  static Shape make(ShapeRules rules) {
    auto made = Shape::make(std::move(rules));
    REQUIRE(made);
    return *std::move(made);
  }

  formats::FormatPtr formats_json_ = formats::json();
  Shape shape_;
};

}  // namespace

TEST_CASE("each member is a column, in the order in which they come, with the kinds it has") {
  Looked looked;
  CHECK(looked.add(R"({"id": 1, "name": "a", "ok": true, "tags": [1], "none": null})") ==
        Fate::row);
  CHECK(looked.add(R"({"at": {"x": 1}, "id": 1e400, "name": 2, "ok": null, "esc\u0061ped": 1})") ==
        Fate::row);
  CHECK(looked.columns() ==
        "id:number name:number,text ok:boolean tags:nested none: at:nested escaped:number");
  CHECK(looked.shape().rows() == 2);
}

TEST_CASE("what is no row has no columns, and what is bad is told") {
  Looked looked;
  CHECK(looked.add(nullptr) == Fate::ignored);
  CHECK(looked.add("{\"id\": 1") == Fate::bad);
  CHECK_FALSE(looked.shape().bad().reason.empty());
  CHECK(looked.add("[1]") == Fate::bad);
  CHECK(looked.columns().empty());
  CHECK(looked.shape().rows() == 0);
}

TEST_CASE("columns of rules come first, and the members that they come from are no columns") {
  Looked looked(ColumnRules{{"city", "$.address.city"},
                            {"key_id", "@key.id"},
                            {"place", ColumnRule{"@offset"}},
                            {"note", ColumnRule{}}});
  CHECK(looked.add(R"({"id": 1, "address": {"city": "Bern"}, "note": "x"})", R"({"id": "k"})") ==
        Fate::row);
  CHECK(looked.columns() == "city:text key_id:text note:text place:number id:number");
  // A rule's column is there before any record has it.
  CHECK(Looked(ColumnRules{{"city", "$.address.city"}}).columns() == "city:");
}

TEST_CASE("where a rule takes the whole value no member is a column") {
  for (const char* whole : {"$", "@value"}) {
    Looked looked(ColumnRules{{"raw", whole}, {"id", "$.id"}});
    CHECK(looked.add(R"({"id": 1, "other": 2})") == Fate::row);
    CHECK(looked.shape().columns().size() == 2);
  }
}

TEST_CASE("rows of an array have the columns of its elements") {
  Looked looked(ColumnRules{{"order_id", "@value.id"}, {"line", "@index"}}, "$.items");
  CHECK(looked.add(R"({"id": 5, "when": 1, "items": [{"sku": "a"}, {"sku": 2, "gift": true}]})") ==
        Fate::row);
  CHECK(looked.columns() == "line:number order_id:number sku:number,text gift:boolean");
  CHECK(looked.shape().rows() == 2);
  // What is no object is bad only once there are columns that come from its members.
  CHECK(looked.add(R"({"id": 5, "items": [3]})") == Fate::row);
  CHECK(looked.shape().columns().size() == 4);
}

TEST_CASE("members are called as names folds them, and those that are the same are one column") {
  Looked looked({}, "", Names::snake_case);
  CHECK(looked.add(R"({"orderId": 1, "order-id": "x", "ORDER_ID": true})") == Fate::row);
  CHECK(looked.columns() == "order_id:boolean,number,text");
}

TEST_CASE("so many columns and no more, however many names the records have") {
  Looked looked;
  std::string many = "{";
  for (int i = 0; i < 1'500; ++i) many += fmt::format("{}\"m{}\": {}", i == 0 ? "" : ",", i, i);
  CHECK(looked.add((many + "}").c_str()) == Fate::row);
  CHECK(looked.shape().columns().size() == Shape::columns_max);
  CHECK(looked.shape().left_out() == "m1000");
}

TEST_CASE("raw values have the columns of rules alone") {
  const auto raw = formats::raw();
  auto made = Shape::make({.columns = {{"body", "@value"}, {"key", "@key"}},
                           .policy = {},
                           .format = raw.get(),
                           .keys = raw.get(),
                           .path = "",
                           .setting = "columns"});
  REQUIRE(made);
  Record record;
  record.value = "\xff\xfe";
  record.key = "k";
  CHECK(made->add(tp, record) == Fate::row);
  REQUIRE(made->columns().size() == 2);
  CHECK(made->columns()[0].seen.other);
  CHECK(made->columns()[1].seen.text);
}
