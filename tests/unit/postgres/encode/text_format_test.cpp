#include <array>

#include "table_builder.hpp"

using namespace semel::postgres;

namespace {

/// The text of one column next to one that only the server can parse.
std::string text_of(Column tested, std::string_view json_value, Options options = {}) {
  RowEncoder encoder =
      encoder_of({std::move(tested), semel::postgres::column("ip", oid::inet, "inet")}, options);
  REQUIRE(encoder.format() == CopyFormat::text);
  const std::string row = row_of(encoder, "{\"c\":" + std::string(json_value) + "}");
  if (!row.ends_with("\t\\N\n")) return row;
  return row.substr(0, row.size() - 4);
}

std::string text_of(Oid type, std::string_view json_value) {
  return text_of(column("c", type, "the type"), json_value);
}

}  // namespace

TEST_CASE("a column without a binary encoder makes the whole table text") {
  RowEncoder encoder =
      encoder_of({column("id", oid::int8, "bigint"), column("ip", oid::inet, "inet"),
                  column("t", oid::text, "text")});
  CHECK(encoder.format() == CopyFormat::text);
  CHECK(encoder.copy_begin().empty());
  CHECK(encoder.copy_end().empty());
  CHECK(row_of(encoder, R"({"id":"7","ip":"10.0.0.1","t":"a\tb\\\n\u0001"})") ==
        "7\t10.0.0.1\ta\\tb\\\\\\n\x01\n");
  CHECK(row_of(encoder, R"({"ip":null})") == "\\N\t\\N\t\\N\n");
  CHECK(row_of(encoder, R"({"t":"\\N"})") == "\\N\t\\N\t\\\\N\n");
  CHECK(row_of(encoder, R"({"t":""})") == "\\N\t\\N\t\n");
  CHECK(row_of(encoder, R"({"id":"x"})") == "22P02 id");
  CHECK(row_of(encoder, R"({"ip":"a\u0000"})") == "22021 ip");
}

TEST_CASE("a binary table has COPY's signature and trailer") {
  RowEncoder encoder = encoder_of({column("id", oid::int8, "bigint")});
  CHECK(hex(encoder.copy_begin()) == hex("PGCOPY\n") + "ff0d0a00" + "00000000" + "00000000");
  CHECK(hex(encoder.copy_end()) == "ffff");
}

TEST_CASE("text forms say the same as the binary images") {
  CHECK(text_of(oid::boolean, R"("YES")") == "t");
  CHECK(text_of(oid::boolean, "0") == "f");
  CHECK(text_of(oid::numeric, R"(" 1.50e1 ")") == "1.50e1");
  CHECK(text_of(oid::timestamptz, R"("2024-02-01T14:00:00.5+02:00")") ==
        "2024-02-01 12:00:00.500000+00");
  CHECK(text_of(oid::timestamptz, "1700000000123") == "2023-11-14 22:13:20.123000+00");
  CHECK(text_of(oid::timestamp, R"("0044-03-15 10:00:00 BC")") == "0044-03-15 10:00:00 BC");
  CHECK(text_of(oid::timestamp, R"("1969-12-31 23:59:59.999999")") == "1969-12-31 23:59:59.999999");
  CHECK(text_of(oid::timestamptz, R"("-infinity")") == "-infinity");
  CHECK(text_of(oid::date, R"("5874897-12-31")") == "5874897-12-31");
  CHECK(text_of(oid::date, R"("4714-11-24 BC")") == "4714-11-24 BC");
  CHECK(text_of(oid::time, R"("24:00:00")") == "24:00:00");
  CHECK(text_of(oid::bytea, R"("\\x00fF")") == "\\\\x00fF");
  CHECK(text_of(oid::jsonb, R"({"a": "\n"})") == R"({"a": "\\n"})");
  CHECK(text_of(column("c", oid::varchar, "varchar(2)", 2 + 4), R"("ab  ")") == "ab");
  CHECK(text_of(array_column("c", 1009, oid::text), R"(["a\"\\",null,"NULL",""])") ==
        R"({"a\\"\\\\",NULL,"NULL",""})");
  CHECK(text_of(oid::bytea, R"("\\xa")") == "22023 c");
  CHECK(text_of(oid::jsonb, R"("\u0000")") == "22P05 c");
  CHECK(text_of(array_column("c", 1007, oid::int4), "[1,true]") == "22P02 c");
}

TEST_CASE("arrays of what the server parses are spelled as PostgreSQL spells them") {
  CHECK(text_of(array_column("c", 1041, oid::inet), R"(["10.0.0.1",null])") ==
        R"({"10.0.0.1",NULL})");
}

TEST_CASE("defaults are escaped once in text") {
  Column with_default = column("c", oid::text, "text");
  with_default.default_kind = DefaultKind::constant;
  RowEncoder encoder = encoder_of({column("ip", oid::inet, "inet"), with_default});
  encoder.set_defaults(std::array{DefaultValue{1, "a\tb\\N"}});
  CHECK(row_of(encoder, "{}") == "\\N\ta\\tb\\\\N\n");
}

TEST_CASE("a row of text that leaves every column to the server is an empty line") {
  Column ip = column("ip", oid::inet, "inet");
  ip.default_kind = DefaultKind::changing;
  RowEncoder encoder = encoder_of({ip});
  CHECK(row_of(encoder, "{}") == "\n");
}

TEST_CASE("an enum's label is its binary image") {
  Column mood = column("c", 77'777, "mood");
  mood.type.kind = 'e';
  CHECK(image(mood, R"("happy")") == hex("happy"));
}
