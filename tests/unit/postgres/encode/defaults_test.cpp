#include <array>

#include "table_builder.hpp"

using namespace semel::postgres;

namespace {

Column with_default(Column column, DefaultKind kind) {
  column.default_kind = kind;
  return column;
}

Column not_null(Column column) {
  column.not_null = true;
  return column;
}

std::vector<Column> numbers() {
  return {with_default(column("id", oid::int8, "bigint"), DefaultKind::changing),
          with_default(column("a", oid::int2, "smallint"), DefaultKind::constant),
          with_default(column("b", oid::int2, "smallint"), DefaultKind::stable),
          with_default(column("u", oid::int2, "smallint"), DefaultKind::changing)};
}

}  // namespace

TEST_CASE("a column without a member and without a default is NULL") {
  RowEncoder encoder =
      encoder_of({column("a", oid::int2, "smallint"), column("b", oid::int2, "smallint")});
  CHECK(hex(row_of(encoder, R"({"b":1})")) ==
        "0002"
        "ffffffff"
        "00000002"
        "0001");
}

TEST_CASE("constant and stable defaults are sent, an explicit null is not replaced") {
  RowEncoder encoder = encoder_of(numbers());
  CHECK(encoder.defaults_needed(DefaultKind::constant) == std::vector<std::size_t>{1});
  CHECK(encoder.defaults_needed(DefaultKind::stable) == std::vector<std::size_t>{2});
  using namespace std::string_literals;
  encoder.set_defaults(std::array{DefaultValue{1, "\0\7"s}, DefaultValue{2, std::nullopt}});
  CHECK(hex(row_of(encoder, R"({"id":null,"u":1})")) ==
        "0004"
        "ffffffff"
        "00000002"
        "0007"
        "ffffffff"
        "00000002"
        "0001");
  CHECK(hex(row_of(encoder, R"({"id":null,"a":null,"b":2,"u":1})")) ==
        "0004"
        "ffffffff"
        "ffffffff"
        "00000002"
        "0002"
        "00000002"
        "0001");
}

TEST_CASE("a default that nobody evaluated is never taken for NULL") {
  RowEncoder encoder = encoder_of(numbers());
  CHECK(row_of(encoder, R"({"id":1,"u":1})") == "XX000 a");
}

TEST_CASE("rows without a member for a changing default leave the column to the server") {
  RowEncoder encoder = encoder_of(numbers());
  encoder.set_defaults(std::array{DefaultValue{1, std::nullopt}, DefaultValue{2, std::nullopt}});
  const auto set_of = [&](std::string_view json) {
    std::string out;
    const Encoded encoded = encoder.encode(kSource, record_of(json), out);
    REQUIRE(encoded.status == Fate::row);
    CHECK(static_cast<std::size_t>(out[1]) == encoder.columns_of(encoded.column_set).size());
    return encoded.column_set;
  };
  using Names = std::vector<std::string>;
  CHECK(encoder.columns_of(0) == Names{"id", "a", "b", "u"});
  CHECK(set_of(R"({"id":1,"u":2})") == 0);
  const auto without_id = set_of(R"({"u":2})");
  CHECK(encoder.columns_of(without_id) == Names{"a", "b", "u"});
  const auto without_both = set_of("{}");
  CHECK(encoder.columns_of(without_both) == Names{"a", "b"});
  CHECK(without_both != without_id);
  CHECK(set_of(R"({"u":9,"a":1})") == without_id);
  CHECK(set_of(R"({"u":9,"id":null})") == 0);
}

TEST_CASE("any number of column sets is told apart") {
  std::vector<Column> columns;
  for (int i = 0; i < 70; ++i) {
    columns.push_back(with_default(column("c" + std::to_string(i), oid::int2, "smallint"),
                                   DefaultKind::changing));
  }
  RowEncoder encoder = encoder_of(columns);
  for (int i = 0; i < 70; ++i) {
    std::string out;
    const std::string name = "c" + std::to_string(i);
    const Encoded encoded = encoder.encode(kSource, record_of("{\"" + name + "\":1}"), out);
    REQUIRE(encoded.status == Fate::row);
    CHECK(encoder.columns_of(encoded.column_set) == std::vector<std::string>{name});
  }
}

TEST_CASE("a row may leave every column to the server") {
  RowEncoder encoder =
      encoder_of({with_default(column("id", oid::int8, "bigint"), DefaultKind::changing)});
  std::string out;
  const Encoded encoded = encoder.encode(kSource, record_of("{}"), out);
  CHECK(encoded.status == Fate::row);
  CHECK(hex(out) == "0000");
  CHECK(encoder.columns_of(encoded.column_set).empty());
}

TEST_CASE("NOT NULL is found before anything is sent") {
  RowEncoder encoder = encoder_of(
      {not_null(column("a", oid::int2, "smallint")),
       not_null(with_default(column("b", oid::int2, "smallint"), DefaultKind::constant))});
  encoder.set_defaults(std::array{DefaultValue{1, std::nullopt}});
  CHECK(row_of(encoder, R"({"b":1})") == "23502 a");
  CHECK(row_of(encoder, R"({"a":null,"b":1})") == "23502 a");
  CHECK(row_of(encoder, R"({"a":1})") == "23502 b");
  CHECK(row_of(encoder, R"({"a":1,"b":1})").size() == 14);
}
