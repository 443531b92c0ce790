#include "table_builder.hpp"

using namespace semel;
using namespace semel::postgres;

namespace {

void some_headers(const void*, std::vector<Header>& into) {
  into = {{"trace", "t1"}, {"b\"", std::nullopt}, {"trace", "t2"}, {"n", "1"}};
}
void binary_headers(const void*, std::vector<Header>& into) {
  into = {{"raw", "\xff"}};
}

/// What the only mapped column, of type text (or `type`), holds; "null", or the SQLSTATE: 42703
/// where the path leads nowhere.
std::string mapped(const std::string& mapping, const Record& record, Oid type = oid::text) {
  RowEncoder encoder = encoder_of({column("c", type, "the type")}, {.columns = {{"c", mapping}}});
  std::string out;
  if (encoder.encode(kSource, record, out).status == Fate::bad) return encoder.bad().code;
  return hex(out.substr(2, 4)) == "ffffffff" ? "null" : out.substr(6);
}

std::string at_path(const std::string& path, std::string_view json) {
  return mapped(path, record_of(json));
}

}  // namespace

TEST_CASE("paths reach into objects and arrays") {
  const char* json = R"({"a":{"b":"x","b.c":["p",{"q":"deep"}]},"$":"dollar","e":[]})";
  CHECK(at_path("$.a.b", json) == "x");
  CHECK(at_path("$['a']['b.c'][0]", json) == "p");
  CHECK(at_path(R"($["a"]["b.c"][1].q)", json) == "deep");
  CHECK(at_path("$.a", json) == R"({"b":"x","b.c":["p",{"q":"deep"}]})");
  CHECK(at_path("$.a['b.c']", json) == R"(["p",{"q":"deep"}])");
  CHECK(at_path("$.$", json) == "dollar");
  CHECK(at_path("$", std::string("  ") + json + "\n") == json);
  CHECK(at_path("$.a.b.c", json) == "42703");
  CHECK(at_path("$.e[0]", json) == "42703");
  CHECK(at_path("$.nothing.b", json) == "42703");
  CHECK(at_path(R"($['it\'s'])", R"({"it's":"quoted"})") == "quoted");
}

TEST_CASE("the last of several members takes the place of all that was in the earlier ones") {
  CHECK(at_path("$.a.b", R"({"a":{"b":"1"},"a":{"c":"2"}})") == "42703");
  CHECK(at_path("$.a.b", R"({"a":{"b":"1"},"a":{"b":"2","b":"3"}})") == "3");
  CHECK(at_path("$.a.b", R"({"a":{"b":"1"},"a":7})") == "42703");
  CHECK(at_path("$.a[1]", R"({"a":["1","2"],"a":["3"]})") == "42703");
}

TEST_CASE("several columns may come from one place, and others by name") {
  RowEncoder encoder =
      encoder_of({column("whole", oid::text, "text"), column("id", oid::int2, "smallint"),
                  column("again", oid::int2, "smallint"), column("name", oid::text, "text")},
                 {.columns = {{"whole", "$.p"}, {"id", "$.p.id"}, {"again", "$.p.id"}}});
  CHECK(hex(row_of(encoder, R"({"p":{"id":5},"name":"n"})")) ==
        "0004"
        "00000008" +
            hex(R"({"id":5})") +
            "00000002"
            "0005"
            "00000002"
            "0005"
            "00000001"
            "6e");
  std::string out;
  // A mapped column has no member of its name, and the root of a path is known.
  CHECK(encoder.encode(kSource, record_of(R"({"p":{},"id":9})"), out).unknown_fields == 1);
}

TEST_CASE("the record's own parts are values too") {
  Record record = record_of("{}");
  CHECK(mapped("@topic", record) == "clicks");
  CHECK(mapped("@partition", record) == "3");
  CHECK(hex(mapped("@offset", record, oid::int8)) == "000000000000002a");
  CHECK(mapped("@timestamp", record) == "1700000000123");
  CHECK(hex(mapped("@timestamp", record, oid::timestamptz)) ==
        image(oid::timestamptz, R"("2023-11-14 22:13:20.123Z")"));
  CHECK(hex(mapped("@timestamp", record, oid::date)) == image(oid::date, R"("2023-11-14")"));
  CHECK(mapped("@key", record) == "k1");
  CHECK(mapped("@topic", record, oid::json) == "\"clicks\"");

  record.key = std::nullopt;
  record.timestamp_ms = -1;
  CHECK(mapped("@key", record) == "null");
  CHECK(mapped("@timestamp", record) == "null");
}

TEST_CASE("the record's timestamp is in milliseconds whatever unit numbers in the JSON have") {
  RowEncoder encoder =
      encoder_of({column("c", oid::timestamptz, "timestamptz")},
                 {.columns = {{"c", "@timestamp"}}, .epoch_unit = EpochUnit::seconds});
  CHECK(hex(row_of(encoder, "{}").substr(6)) ==
        image(oid::timestamptz, R"("2023-11-14 22:13:20.123Z")"));
}

TEST_CASE("bytes are stored as they are in bytea, and must be text elsewhere") {
  Record record = record_of("\xff\x00not JSON");
  record.key = "42";
  CHECK(mapped("@value", record, oid::bytea) == "\xff");
  record.value = std::string_view("\xff\0{", 3);
  CHECK(hex(mapped("@value", record, oid::bytea)) == "ff007b");
  CHECK(mapped("@value", record) == "22021");
  CHECK(hex(mapped("@key", record, oid::int8)) == "000000000000002a");
  CHECK(mapped("@key", record, oid::json) == "42");
  record.value = std::string_view("a\0b", 3);
  CHECK(mapped("@value", record) == "22021");
  CHECK(mapped("@value", record, oid::json) == "22021");
  record.value = "tru";
  CHECK(mapped("@value", record, oid::jsonb) == "22P02");
  record.value = " [1] ";
  CHECK(mapped("@value", record, oid::json) == " [1] ");
  record.value = "";
  CHECK(mapped("@value", record) == "");
  CHECK(mapped("@value", record, oid::json) == "22P02");
}

TEST_CASE("headers become an object; one by its name is its last value") {
  Record record = record_of("{}");
  record.headers = {.read = some_headers};
  CHECK(mapped("@headers", record) == R"({"trace":["t1","t2"],"b\"":null,"n":"1"})");
  CHECK(hex(mapped("@headers", record, oid::jsonb)).starts_with("01"));
  CHECK(mapped("@headers.trace", record) == "t2");
  CHECK(mapped("@headers.b\"", record) == "null");
  CHECK(mapped("@headers.none", record) == "null");
  CHECK(hex(mapped("@headers.n", record, oid::int2)) == "0001");
  record.headers = {.read = binary_headers};
  CHECK(mapped("@headers", record) == "22021");
  CHECK(mapped("@headers", record, oid::json) == "22021");
  CHECK(mapped("@headers.raw", record, oid::bytea) == "\xff");
  record.headers = {};
  CHECK(mapped("@headers", record) == "{}");
}

TEST_CASE("a tombstone is ignored or refused, as configured") {
  std::string out;
  RowEncoder ignoring = encoder_of({column("c", oid::text, "text")});
  CHECK(ignoring.encode(kSource, record_of(std::nullopt), out).status == Fate::ignored);
  RowEncoder refusing = encoder_of({column("c", oid::text, "text")},
                                   {.policy = {.tombstones = record::Tombstones::dead_letter}});
  CHECK(refusing.encode(kSource, record_of(std::nullopt), out).status == Fate::bad);
  CHECK(refusing.bad().reason.find("no value") != std::string::npos);
  CHECK(out.empty());
}

TEST_CASE("a mapping that no column can hold is refused at the start") {
  const auto refused = [](Column column, const std::string& mapping) {
    auto made = RowEncoder::make(table_of({column}), {.columns = {{"c", mapping}}});
    if (made) return std::string();
    CHECK(made.error().kind == ErrorKind::fatal);
    CHECK(made.error().cause == Cause::configuration);
    return made.error().message;
  };
  CHECK_FALSE(refused(column("other", oid::text, "text"), "$.a").empty());
  CHECK_FALSE(refused(column("C", oid::text, "text"), "$.a").empty());
  CHECK_FALSE(refused(column("c", oid::uuid, "uuid"), "@timestamp").empty());
  CHECK_FALSE(refused(column("c", oid::boolean, "boolean"), "@offset").empty());
  CHECK_FALSE(refused(column("c", oid::int8, "bigint"), "@headers").empty());
  CHECK_FALSE(refused(column("c", oid::timestamptz, "timestamptz"), "@topic").empty());
  CHECK(
      refused(column("c", oid::text, "text"), "$.a[").find("sink.postgres.columns, column \"c\"") ==
      0);
  CHECK(refused(column("c", oid::uuid, "uuid"), "@key").empty());
}
