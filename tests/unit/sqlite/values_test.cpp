// What becomes of which value. Expected: https://www.sqlite.org/datatype3.html, and what `typeof`
// of the sqlite3 program says.
#include <algorithm>

#include "support/catch.hpp"
#include "unit/sqlite/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// "type value" of what a column of this type has of a JSON value; or why it was set aside.
std::string stored(const std::string& type, const std::string& json, bool strict = false) {
  SqliteRig rig("CREATE TABLE t (v " + type + ")" + (strict ? " STRICT" : ""));
  const auto counts = contract::committed(rig.store({"{\"v\": " + json + "}"}));
  if (counts.dead_letters == 1) {
    return rig.file.value("SELECT column_name || ' ' || reason FROM semel_dead_letters");
  }
  return rig.file.value("SELECT typeof(v) || ' ' || quote(v) FROM t");
}

}  // namespace

TEST_CASE("numbers become what the column's affinity makes of them") {
  CHECK(stored("INTEGER", "42") == "integer 42");
  CHECK(stored("INTEGER", "-9223372036854775808") == "integer -9223372036854775808");
  CHECK(stored("INTEGER", "4.0") == "integer 4");
  CHECK(stored("INTEGER", "4.5") == "real 4.5");
  CHECK(stored("REAL", "42") == "real 42.0");
  CHECK(stored("NUMERIC", "42") == "integer 42");
  CHECK(stored("DECIMAL(10,2)", "0.25") == "real 0.25");
  CHECK(stored("", "7") == "integer 7");
  CHECK(stored("ANY", "7", true) == "integer 7");
  CHECK(stored("TEXT", "1.10") == "text '1.10'");
  CHECK(stored("VARCHAR(9)", "12345678901234567890") == "text '12345678901234567890'");
  CHECK(stored("REAL", "12345678901234567890").starts_with("real 1.23456789012345"));
}

TEST_CASE("a number whose digits would be lost is set aside") {
  const std::string why =
      "v column \"v\" (INTEGER): the number has more than 64 bits; a column for "
      "text keeps it";
  CHECK(stored("INTEGER", "9223372036854775808") == why);
  // https://www.sqlite.org/floatingpoint.html: a double has 53 bits.
  CHECK(stored("INTEGER", "9007199254740993.0") == "integer 9007199254740993");
  CHECK(stored("NUMERIC", "9.007199254740993e15") == "integer 9007199254740993");
  CHECK(stored("INTEGER", "9223372036854775807.0") == "integer 9223372036854775807");
  CHECK(stored("INTEGER", "\"9007199254740993.0\"") == "integer 9007199254740993");
  CHECK(stored("INTEGER", "12345678901234567890e0") == why);
  CHECK(stored("INTEGER", "\"9223372036854775808\"") == why);
  CHECK(stored("NUMERIC", "0.30000000000000004").starts_with("real "));
  CHECK(stored("NUMERIC", "123456789012345678.25") ==
        "v column \"v\" (NUMERIC): the number has more digits than a double; a column for text "
        "keeps them");
  CHECK(stored("INTEGER", "1e-400") == "v column \"v\" (INTEGER): the number is too small");
  CHECK(stored("REAL", "1e400") == "v column \"v\" (REAL): the number is too large");
}

TEST_CASE("texts, booleans, null, objects and arrays become what SQLite has for them") {
  CHECK(stored("TEXT", "\"a\\u00e9\"") == "text 'a\u00e9'");
  CHECK(stored("TEXT", "\"\"") == "text ''");
  CHECK(stored("INTEGER", "\"12\"") == "integer 12");
  CHECK(stored("INTEGER", "\"a\"") == "text 'a'");
  CHECK(stored("INTEGER", "true") == "integer 1");
  CHECK(stored("BOOLEAN", "false") == "integer 0");
  CHECK(stored("TEXT", "true") == "text 'true'");
  CHECK(stored("TEXT", "null") == "null NULL");
  CHECK(stored("TEXT", R"({"a": [1, 2]})") == R"(text '{"a": [1, 2]}')");
  CHECK(stored("BLOB", "\"a\"") == "text 'a'");
  CHECK(stored("TEXT", "\"a\\u0000b\"") ==
        "v column \"v\" (TEXT): the text holds a NUL character, where it would end for many "
        "programs");
}

TEST_CASE("ANY is a type of strict tables, and any number's elsewhere") {
  CHECK(stored("ANY", "\"007\"", true) == "text '007'");
  CHECK(stored("ANY", "\"007\"") == "integer 7");
  CHECK(stored("ANY", "\"9223372036854775808\"").ends_with("a column for text keeps it"));
  CHECK(stored("", "\"007\"") == "text '007'");
}

TEST_CASE("a file in UTF-16 is one as any other") {
  SqliteRig rig("PRAGMA encoding = 'UTF-16'; CREATE TABLE t (id INTEGER, v TEXT, n INT DEFAULT 5)",
                {{"v", "$.w"}});
  CHECK(contract::committed(rig.store({R"({"id": 1, "w": "a\u00e9"})"})).rows == 1);
  CHECK(rig.file.value("SELECT id, v, n FROM t") == "1|a\u00e9|5");
  const auto findings = sqlite::connector().check(rig.part(), rig.context);
  CHECK(std::ranges::any_of(
      findings, [](const Finding& one) { return one.what == "column t.v (TEXT) from $.w"; }));
  CHECK(contract::must(rig.sink->keep_alive()).progress.at(0).tp == contract::tp);
}

TEST_CASE("a strict table refuses what is of another type, and that is a bad record") {
  CHECK(stored("INTEGER", "\"12\"", true) == "integer 12");
  CHECK(stored("INTEGER", "\"a\"", true) == "v cannot store TEXT value in INTEGER column t.v");
  CHECK(stored("INTEGER", "4.5", true) == "v cannot store REAL value in INTEGER column t.v");
  CHECK(stored("BLOB", "\"a\"", true) == "v cannot store TEXT value in BLOB column t.v");
}

TEST_CASE("parts of a record have columns of their own") {
  SqliteRig rig(
      "CREATE TABLE t (id INTEGER, o INTEGER, ms INTEGER, at TEXT, k BLOB, kt TEXT, raw BLOB)",
      {{"o", "@offset"},
       {"ms", "@timestamp"},
       {"at", "@timestamp"},
       {"k", "@key"},
       {"kt", "@key"},
       {"raw", "@value"}});
  contract::committed(rig.store({R"({"id": 1})"}));
  CHECK(rig.file.value("SELECT o, ms, at, quote(k), kt, quote(raw) FROM t") ==
        "0|1706696430500|2024-01-31T10:20:30.5Z|X'6B'|k|X'7B226964223A20317D'");
}

TEST_CASE("a column that the record lacks takes its default") {
  SqliteRig rig(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT DEFAULT 'x', b INTEGER NOT NULL DEFAULT (2 + "
      "3), c AS (b * 2), d TEXT)");
  contract::committed(rig.store({"{}", R"({"a": "y", "b": 7})", R"({"id": 9, "a": null})"}));
  CHECK(rig.file.value("SELECT id, quote(a), b, c, quote(d) FROM t ORDER BY id") ==
        "1|'x'|5|10|NULL\n2|'y'|7|14|NULL\n9|NULL|5|10|NULL");
}

TEST_CASE("rules of columns hold here, too: dates are text, and bytes are bytes") {
  record::ColumnRules rules;
  rules["day"].unit = record::Unit::days;
  rules["at"].unit = record::Unit::milliseconds;
  rules["due"].format = "%d/%m/%Y";
  rules["raw"].encoding = record::Encoding::base64;
  rules["shop"].constant = record::Constant{record::Kind::number, "7"};
  rules["note"].if_absent = record::Constant{record::Kind::string, "none"};
  SqliteRig rig(
      "CREATE TABLE t (day TEXT, at DATETIME, due TEXT, raw BLOB, shop INTEGER, note TEXT, "
      "real_one "
      "REAL)",
      rules);
  rig.options.rows.policy.names = record::Names::snake_case;
  rig.options.rows.policy.accepts_nan = true;
  const auto counts = contract::committed(rig.store(
      {R"({"day": 19792, "at": 1710064800500, "due": "10/03/2024", "raw": "AP8=", "realOne": 1.5})",
       R"({"day": 19792.5})", R"({"real_one": NaN})"}));
  CHECK(counts.dead_letters == 1);
  CHECK(rig.file.value("SELECT day || ' ' || at || ' ' || due || ' ' || hex(raw) || ' ' || shop || "
                       "' ' || note || ' ' || real_one FROM t WHERE day IS NOT NULL") ==
        "2024-03-10 2024-03-10T10:00:00.5Z 2024-03-10 00FF 7 none 1.5");
  CHECK(rig.file.value("SELECT typeof(real_one) || ' ' || real_one FROM t WHERE day IS NULL") ==
        "text NaN");
  CHECK(rig.file.value("SELECT reason FROM semel_dead_letters") ==
        "column \"day\" (TEXT): 19792.5 is no whole number of days (unit = \"days\")");
  rules["shop"] = record::ColumnRule();
  rules["shop"].unit = record::Unit::seconds;
  SqliteRig wrong("CREATE TABLE t (shop INTEGER)");
  wrong.options.rows.columns = {{"shop", rules["shop"]}};
  const auto opened = wrong.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message ==
        "sink.sqlite.columns, column \"shop\": a unit is of dates and times, and the column is of "
        "type INTEGER");
}
