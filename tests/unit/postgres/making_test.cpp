// The statements that make and widen tables, from what was seen of records.
#include "postgres/table/making.hpp"

#include "support/catch.hpp"

using namespace semel;
using namespace semel::postgres;
using record::ColumnRule;
using record::SeenKinds;
using record::ShapeColumn;

namespace {

constexpr SeenKinds a_number{.number = true};
constexpr SeenKinds a_text{.text = true};

std::string type_of(const SeenKinds& seen) {
  return type_for({.name = "c", .seen = seen}).value_or("none");
}

std::string type_of(const ColumnRule& rule, const SeenKinds& seen = {}) {
  std::optional<record::Mapping> mapping;
  if (!rule.from.empty()) mapping = record::parse_mapping(rule.from.front()).value();
  return type_for({.name = "c", .rule = &rule, .mapping = mapping, .seen = seen}).value_or("none");
}

ColumnRule made_by(const std::function<void(ColumnRule&)>& change) {
  ColumnRule rule("$.x");
  change(rule);
  return rule;
}

Options for_table(const std::string& table) {
  Options rule;
  rule.table = table;
  return rule;
}

}  // namespace

TEST_CASE("the type of a column takes every value that was seen, as it is") {
  CHECK(type_of(a_number) == "numeric");
  CHECK(type_of(a_text) == "text");
  CHECK(type_of({.boolean = true}) == "boolean");
  CHECK(type_of({.nested = true}) == "jsonb");
  CHECK(type_of({.number = true, .text = true}) == "text");
  CHECK(type_of({.boolean = true, .number = true}) == "text");
  CHECK(type_of({.text = true, .nested = true}) == "jsonb");
  CHECK(type_of({.other = true}) == "bytea");
  CHECK(type_of(SeenKinds{}) == "none");
}

TEST_CASE("a rule that says what a value is says the type") {
  CHECK(type_of(ColumnRule("@offset")) == "bigint");
  CHECK(type_of(ColumnRule("@partition")) == "integer");
  CHECK(type_of(ColumnRule("@index")) == "integer");
  CHECK(type_of(ColumnRule("@timestamp")) == "timestamptz");
  CHECK(type_of(ColumnRule("@topic")) == "text");
  CHECK(type_of(ColumnRule("@headers")) == "jsonb");
  CHECK(type_of(ColumnRule("@key"), a_text) == "text");
  CHECK(type_of(ColumnRule("@key"), {.other = true}) == "bytea");
  CHECK(type_of(ColumnRule("$.x"), a_number) == "numeric");
  CHECK(type_of(made_by([](auto& r) { r.unit = record::Unit::milliseconds; }), a_number) ==
        "timestamptz");
  CHECK(type_of(made_by([](auto& r) { r.unit = record::Unit::days; }), a_number) == "date");
  CHECK(type_of(made_by([](auto& r) { r.encoding = record::Encoding::hex; }), a_text) == "bytea");
  CHECK(type_of(made_by([](auto& r) { r.parse_json = true; }), a_text) == "jsonb");
  CHECK(type_of(made_by([](auto& r) { r.format = "%d/%m/%Y"; }), a_text) == "date");
  CHECK(type_of(made_by([](auto& r) { r.format = "%F %T"; }), a_text) == "timestamp");
  CHECK(type_of(made_by([](auto& r) { r.format = "%FT%T%z"; }), a_text) == "timestamptz");
  CHECK(type_of(made_by([](auto& r) { r.format = "%R"; }), a_text) == "time");
  ColumnRule constant;
  constant.constant = record::Constant{record::Kind::boolean, "true"};
  CHECK(type_of(constant) == "boolean");
}

TEST_CASE("a table is made of all columns, with the key of an upsert, and quoted names") {
  auto rule = for_table("shop.My Orders");
  rule.write = Write::upsert;
  rule.key = {"id"};
  rule.marks_removed = "deleted_at";
  rule.types = {{"id", "bigint"}, {"price", "numeric(12,2)"}};
  const std::vector<ShapeColumn> shape{{.name = "id", .seen = a_number},
                                       {.name = "say \"hi\"", .seen = a_text},
                                       {.name = "price", .seen = a_number},
                                       {.name = "only null"}};
  const auto making = plan_making(rule, {}, shape);
  CHECK(why_not_made(rule, making).empty());
  CHECK(create_statement(rule, making) ==
        "CREATE TABLE IF NOT EXISTS \"shop\".\"My Orders\" (\n"
        "  \"id\" bigint,\n"
        "  \"say \"\"hi\"\"\" text,\n"
        "  \"price\" numeric(12,2),\n"
        "  \"deleted_at\" timestamptz,\n"
        "  PRIMARY KEY (\"id\")\n)");
}

TEST_CASE("an upsert's table is not made without its key, unless the type of it is given") {
  auto rule = for_table("t");
  rule.write = Write::upsert;
  const std::vector<ShapeColumn> shape{{.name = "v", .seen = a_text}};
  CHECK(why_not_made(rule, plan_making(rule, {}, shape)).find("sink.postgres.key") !=
        std::string::npos);
  rule.key = {"id"};
  CHECK(why_not_made(rule, plan_making(rule, {}, shape)).find("\"id\"") != std::string::npos);
  rule.types["id"] = "uuid";
  CHECK(why_not_made(rule, plan_making(rule, {}, shape)).empty());
}

TEST_CASE("a table is widened by what it lacks, and by nothing else") {
  auto rule = for_table("t");
  rule.policy.names = record::Names::ignore_case;
  const ColumnRule city("$.address.city");
  const std::vector<ShapeColumn> shape{{.name = "city", .rule = &city, .seen = a_text},
                                       {.name = "id", .seen = a_number},
                                       {.name = "total", .seen = a_number},
                                       {.name = "nothing"},
                                       {.name = "new", .seen = a_text}};
  const TableNow now{.exists = true, .columns = {"ID", "total"}, .reserved = {"ctid"}};
  const auto making = plan_making(rule, now, shape);
  CHECK(making.columns == std::vector<NewColumn>{{"city", "text"}, {"new", "text"}});
  CHECK(widen_statement(rule, making) ==
        "ALTER TABLE \"t\"\n  ADD COLUMN IF NOT EXISTS \"city\" text,\n"
        "  ADD COLUMN IF NOT EXISTS \"new\" text");
}

TEST_CASE("a member that no column can be called after is left out and told") {
  auto rule = for_table("t");
  const TableNow now{.exists = true, .columns = {}, .reserved = {"ctid", "xmin"}};
  const std::vector<ShapeColumn> shape{{.name = "", .seen = a_text},
                                       {.name = std::string(64, 'x'), .seen = a_text},
                                       {.name = "ctid", .seen = a_text},
                                       {.name = std::string("a\0b", 3), .seen = a_text},
                                       {.name = "fits", .seen = a_text}};
  const auto making = plan_making(rule, now, shape);
  CHECK(making.columns == std::vector<NewColumn>{{"fits", "text"}});
  CHECK(making.left_out.size() == 4);
  CHECK(making.mistake.empty());
  const ColumnRule named("$.x");
  const std::vector<ShapeColumn> by_rule{{.name = "ctid", .rule = &named, .seen = a_text}};
  CHECK_FALSE(plan_making(rule, now, by_rule).mistake.empty());
}
