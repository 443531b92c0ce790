// Known binary images, as PostgreSQL 15's own send functions give them.
#include "table_builder.hpp"

using namespace semel::postgres;

TEST_CASE("integers are big-endian and read as PostgreSQL's text input reads them") {
  CHECK(image(oid::int2, "-2") == "fffe");
  CHECK(image(oid::int4, "305419896") == "12345678");
  CHECK(image(oid::int8, "9223372036854775807") == "7fffffffffffffff");
  CHECK(image(oid::int8, "-9223372036854775808") == "8000000000000000");
  CHECK(image(oid::int8, R"(" +42\n")") == "000000000000002a");
  CHECK(image(oid::oid, "4294967295") == "ffffffff");
  CHECK(image(oid::oid, "-1") == "ffffffff");

  CHECK(image(oid::int8, "9223372036854775808") == "22003");
  CHECK(image(oid::int2, "32768") == "22003");
  CHECK(image(oid::oid, "4294967296") == "22003");
  CHECK(image(oid::int8, "1.0") == "22P02");
  CHECK(image(oid::int8, "1e3") == "22P02");
  CHECK(image(oid::int8, "true") == "22P02");
  CHECK(image(oid::int8, R"("")") == "22P02");
  CHECK(image(oid::int8, R"("+-1")") == "22P02");
  CHECK(image(oid::int8, R"("0x10")") == "22P02");
  CHECK(image(oid::int8, R"({"a":1})") == "22P02");
}

TEST_CASE("booleans take any unambiguous beginning of their words") {
  for (const char* yes : {"true", "1", R"("t")", R"("TRUE")", R"(" yes ")", R"("y")", R"("on")"}) {
    CHECK(image(oid::boolean, yes) == "01");
  }
  for (const char* no : {"false", "0", R"("f")", R"("No")", R"("of")", R"("off")"}) {
    CHECK(image(oid::boolean, no) == "00");
  }
  for (const char* neither : {"2", "1.0", R"("o")", R"("")", R"("truer")", "[]"}) {
    CHECK(image(oid::boolean, neither) == "22P02");
  }
}

TEST_CASE("floats round correctly and neither overflow nor vanish") {
  CHECK(image(oid::float8, "0.1") == "3fb999999999999a");
  CHECK(image(oid::float8, "-0") == "8000000000000000");
  CHECK(image(oid::float8, "4.9e-324") == "0000000000000001");
  CHECK(image(oid::float8, "0e-999") == "0000000000000000");
  CHECK(image(oid::float8, R"("NaN")") == "7ff8000000000000");
  CHECK(image(oid::float8, R"("-Infinity")") == "fff0000000000000");
  CHECK(image(oid::float8, R"(" +.5 ")") == "3fe0000000000000");
  CHECK(image(oid::float4, "16777217") == "4b800000");

  CHECK(image(oid::float8, "1e400") == "22003");
  CHECK(image(oid::float8, "1e-400") == "22003");
  CHECK(image(oid::float4, "1e39") == "22003");
  CHECK(image(oid::float4, "1e-60") == "22003");
  CHECK(image(oid::float8, R"("1e")") == "22P02");
  CHECK(image(oid::float8, "\"nan(1)\"") == "22P02");
  CHECK(image(oid::float8, "false") == "22P02");
}

TEST_CASE("numeric keeps every digit that was written") {
  // digits, weight, sign, scale, then digits of four
  CHECK(image(oid::numeric, "0") == "0000000000000000");
  CHECK(image(oid::numeric, "0.00") == "0000000000000002");
  CHECK(image(oid::numeric, "-12345.678") ==
        "0003"
        "0001"
        "4000"
        "0003"
        "0001"
        "0929"
        "1a7c");
  CHECK(image(oid::numeric, "0.1") ==
        "0001"
        "ffff"
        "0000"
        "0001"
        "03e8");
  CHECK(image(oid::numeric, "0.00001234") ==
        "0001"
        "fffe"
        "0000"
        "0008"
        "04d2");
  CHECK(image(oid::numeric, "1e5") ==
        "0001"
        "0001"
        "0000"
        "0000"
        "000a");
  CHECK(image(oid::numeric, "1.50e1") ==
        "0001"
        "0000"
        "0000"
        "0001"
        "000f");
  CHECK(image(oid::numeric, R"("NaN")") == "00000000c0000000");
  CHECK(image(oid::numeric, R"("-Infinity")") == "00000000f0000000");
  CHECK(image(oid::numeric, "1e131071") ==
        "0001"
        "7fff"
        "0000"
        "0000"
        "03e8");

  CHECK(image(oid::numeric, "1e131072") == "22003");
  CHECK(image(oid::numeric, "1e-16384") == "22003");
  CHECK(image(oid::numeric, "1e999999999999") == "22003");
  CHECK(image(oid::numeric, R"("1e")") == "22P02");
  CHECK(image(oid::numeric, R"("-NaN")") == "22P02");
  CHECK(image(oid::numeric, R"(".")") == "22P02");
}

TEST_CASE("numeric(5,2) rounds halves away from zero and refuses what does not fit") {
  const std::int32_t modifier = (5 << 16 | 2) + 4;
  CHECK(image(oid::numeric, "1.005", modifier) ==
        "0002"
        "0000"
        "0000"
        "0002"
        "0001"
        "0064");
  CHECK(image(oid::numeric, "-0.005", modifier) ==
        "0001"
        "ffff"
        "4000"
        "0002"
        "0064");
  CHECK(image(oid::numeric, "0.004", modifier) == "0000000000000002");
  CHECK(image(oid::numeric, "999.994", modifier) ==
        "0002"
        "0000"
        "0000"
        "0002"
        "03e7"
        "26ac");
  CHECK(image(oid::numeric, "99.995", modifier) ==
        "0001"
        "0000"
        "0000"
        "0002"
        "0064");
  CHECK(image(oid::numeric, "1e-20000", modifier) == "0000000000000002");
  CHECK(image(oid::numeric, "999.995", modifier) == "22003");
  CHECK(image(oid::numeric, "1000", modifier) == "22003");
  CHECK(image(oid::numeric, R"("Infinity")", modifier) == "22003");
  CHECK(image(oid::numeric, R"("nan")", modifier) == "00000000c0000000");
}

TEST_CASE("text takes any value's own writing") {
  CHECK(image(oid::text, R"("ab")") == "6162");
  CHECK(image(oid::text, R"("")") == "");
  CHECK(image(oid::text, "1.50e1") == hex("1.50e1"));
  CHECK(image(oid::text, "true") == hex("true"));
  CHECK(image(oid::text, R"({ "a" : [1, 2] })") == hex(R"({ "a" : [1, 2] })"));
  CHECK(image(oid::text, R"("\u00e9\ud83d\ude00\n\/")") ==
        "c3a9"
        "f09f9880"
        "0a"
        "2f");
  CHECK(image(oid::text, "null") == "null");

  CHECK(image(oid::text, R"("a\u0000b")") == "22021");
  CHECK(image(oid::text, R"("\ud83d")") == "22P02");
  CHECK(image(oid::text, R"("\ude00\ud83d")") == "22P02");
}

TEST_CASE("a length limit counts characters, and only spaces may be cut") {
  const std::int32_t three = 3 + 4;
  CHECK(image(oid::varchar, R"("äöü")", three) == hex("äöü"));
  CHECK(image(oid::varchar, R"("abc  ")", three) == hex("abc"));
  CHECK(image(oid::varchar, R"("ab   ")", three) == hex("ab "));
  CHECK(image(oid::varchar, R"("abcd")", three) == "22001");
  CHECK(image(oid::varchar, R"("abc d")", three) == "22001");
  CHECK(image(oid::bpchar, R"("abcd")", three) == "22001");
  CHECK(image(oid::varchar, R"("abcd")") == hex("abcd"));
  CHECK(image(oid::name, "\"" + std::string(63, 'x') + "\"") == hex(std::string(63, 'x')));
  CHECK(image(oid::name, "\"" + std::string(64, 'x') + "\"") == "42622");
}

TEST_CASE("bytea reads both of PostgreSQL's spellings") {
  CHECK(image(oid::bytea, R"("\\x00FF 10")") == "00ff10");
  CHECK(image(oid::bytea, R"("a\\\\b\\377")") == "615c62ff");
  CHECK(image(oid::bytea, R"("")") == "");
  CHECK(image(oid::bytea, R"("\\xabc")") == "22023");
  CHECK(image(oid::bytea, R"("\\xzz")") == "22023");
  CHECK(image(oid::bytea, R"("\\400")") == "22P02");
  CHECK(image(oid::bytea, R"("a\\")") == "22P02");
  CHECK(image(oid::bytea, R"("\u0000")") == "22021");
}

TEST_CASE("a UUID has hyphens where PostgreSQL lets it have them") {
  const std::string expected = "a0eebc999c0b4ef8bb6d6bb9bd380a11";
  CHECK(image(oid::uuid, R"("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")") == expected);
  CHECK(image(oid::uuid, R"("A0EEBC999C0B4EF8BB6D6BB9BD380A11")") == expected);
  CHECK(image(oid::uuid, R"("{a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11}")") == expected);
  for (const char* bad :
       {R"("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1")", R"("{a0eebc999c0b4ef8bb6d6bb9bd380a11")",
        R"("a-0eebc999c0b4ef8bb6d6bb9bd380a11")", R"("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-")",
        "1"}) {
    CHECK(image(oid::uuid, bad) == "22P02");
  }
}

TEST_CASE("json keeps the value as it is written") {
  CHECK(image(oid::json, R"({ "b":1, "b": [ ] })") == hex(R"({ "b":1, "b": [ ] })"));
  CHECK(image(oid::json, R"("a\u0000")") == hex(R"("a\u0000")"));
  CHECK(image(oid::json, "1.0") == hex("1.0"));
  CHECK(image(oid::jsonb, R"("a")") == "01" + hex(R"("a")"));
  CHECK(image(oid::jsonb, R"({"a":"\\u0000"})") == "01" + hex(R"({"a":"\\u0000"})"));
  CHECK(image(oid::jsonb, R"({"a":"\u0000"})") == "22P05");
  CHECK(image(oid::jsonb, R"(["\ud800"])") == "22P02");
  CHECK(image(oid::jsonb, "null") == "null");
}
