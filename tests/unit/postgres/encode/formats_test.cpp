// Rows from values of other formats than JSON.
#include "formats/formats.hpp"

#include "support/far_format.hpp"
#include "table_builder.hpp"

using namespace semel;
using namespace semel::postgres;

namespace {

Options raw_into(record::ColumnRules columns) {
  return {.columns = std::move(columns), .format = formats::raw()};
}

/// The field of the only column, or its SQLSTATE.
std::string stored(Oid type, std::string_view value) {
  RowEncoder encoder = encoder_of({column("body", type, "the type")}, raw_into({{"body", "$"}}));
  std::string out;
  if (encoder.encode(kSource, record_of(value), out).status == Fate::bad) {
    CHECK(out.empty());
    return encoder.bad().code;
  }
  return out.substr(6);
}

std::string mistake(std::vector<Column> columns, const Options& options) {
  const auto made = RowEncoder::make(table_of(std::move(columns)), options);
  if (made) return "";
  CHECK(made.error().kind == ErrorKind::fatal);
  CHECK(made.error().cause == Cause::configuration);
  return made.error().message;
}

}  // namespace

TEST_CASE("a raw value is stored as it is, where its column can hold it") {
  CHECK(stored(oid::text, "not {JSON") == "not {JSON");
  CHECK(stored(oid::text, "") == "");
  CHECK(stored(oid::text, "\xff") == "22021");
  CHECK(stored(oid::bytea, std::string_view("\0\xff", 2)) == std::string("\0\xff", 2));
  CHECK(stored(oid::json, R"({"a": 1})") == R"({"a": 1})");
  CHECK(stored(oid::json, "{a}") == "22P02");
  CHECK(hex(stored(oid::int4, "42")) == "0000002a");
  CHECK(stored(oid::int4, "4x2") == "22P02");
}

TEST_CASE("beside a raw value the record's parts and defaults have their columns") {
  Column id = column("id", oid::int8, "bigint");
  id.default_kind = DefaultKind::changing;
  id.not_null = true;
  RowEncoder encoder =
      encoder_of({id, column("at", oid::int8, "bigint"), column("body", oid::text, "text"),
                  column("note", oid::text, "text")},
                 raw_into({{"at", "@offset"}, {"body", "$"}}));
  std::string out;
  const auto encoded = encoder.encode(kSource, record_of("x"), out);
  REQUIRE(encoded.status == Fate::row);
  CHECK(encoded.unknown_fields == 0);
  // `id` is the server's; `note` has no default.
  CHECK(encoder.columns_of(encoded.column_set) == std::vector<std::string>{"at", "body", "note"});
  CHECK(hex(out) ==
        "0003"
        "00000008"
        "000000000000002a"
        "00000001"
        "78"
        "ffffffff");
}

TEST_CASE("what a raw value can never give is a mistake of the configuration") {
  CHECK(
      mistake({column("body", oid::text, "text")}, raw_into({{"body", "$.a"}})) ==
      "sink.postgres.columns, column \"body\": mapping \"$.a\": source.kafka.value = \"raw\" does "
      "not look into the value: \"$\" is all of it");
  Column needed = column("id", oid::int8, "bigint");
  needed.not_null = true;
  CHECK_THAT(mistake({needed, column("body", oid::text, "text")}, raw_into({{"body", "$"}})),
             Catch::StartsWith("column \"id\" of table public.t is NOT NULL without a default, and "
                               "nothing is mapped to it: source.kafka.value = \"raw\""));
  // JSON may have it.
  CHECK(mistake({needed}, {}).empty());
}

TEST_CASE("a record that cannot be read now is no bad record, and leaves no bytes") {
  std::atomic<bool> away = true;
  RowEncoder encoder = encoder_of({column("a", oid::text, "text")},
                                  {.format = std::make_shared<test::FarFormat>(away)});
  std::string out = "before";
  CHECK(encoder.encode(kSource, record_of("x"), out).status == Fate::unavailable);
  CHECK(out == "before");
  CHECK(encoder.unavailable().kind == ErrorKind::unavailable);
  CHECK(encoder.unavailable().message == "the registry does not answer");
  away = false;
  CHECK(encoder.encode(kSource, record_of("x"), out).status == Fate::row);
}
