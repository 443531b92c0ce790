// For every type: the encoder and PostgreSQL's json_populate_record come to the same value, or both
// refuse it. What differs on purpose is listed in `on_purpose`, and nowhere else.
#include <fmt/format.h>

#include <functional>

#include "differential.hpp"
#include "generator.hpp"
#include "support/catch.hpp"

using namespace semel::postgres::test;

namespace {

constexpr const char* kTypes =
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'a b'); CREATE DOMAIN price AS numeric(6,2); "
    "CREATE DOMAIN code AS varchar(4); CREATE DOMAIN small AS int2";

using Make = std::function<std::string(Generator&)>;

struct Case {
  std::string type;
  Make make;  ///< a JSON value that suits the type, more or less
};

std::string quoted_number(Generator& generator) {
  return generator.one_in(2) ? generator.json_number()
                             : generator.json_string(generator.number_text());
}

std::string integer(Generator& generator) {
  const std::string number = (generator.one_in(3) ? "-" : "") +
                             std::to_string(generator.between(1, 9)) +
                             generator.digits(generator.between(0, 20));
  return generator.one_in(2) ? number
                             : generator.json_string(number + (generator.one_in(4) ? " " : ""));
}

std::string limits(Generator& generator) {
  return generator.pick<std::string>({"32767",
                                      "32768",
                                      "-32768",
                                      "-32769",
                                      "2147483647",
                                      "2147483648",
                                      "-2147483648",
                                      "-2147483649",
                                      "9223372036854775807",
                                      "9223372036854775808",
                                      "-9223372036854775808",
                                      "-9223372036854775809",
                                      "4294967295",
                                      "4294967296",
                                      "-0",
                                      "0",
                                      "\"+7\"",
                                      "\" 8\\t\"",
                                      "\"\"",
                                      "\" \"",
                                      "\"+\"",
                                      "\"-\"",
                                      "1e2"});
}

std::string some_integer(Generator& generator) {
  return generator.one_in(3) ? limits(generator) : integer(generator);
}

std::string timestamp(Generator& generator) {
  std::string text = generator.iso_date();
  if (!generator.one_in(6)) {
    text += generator.one_in(2) ? "T" : " ";
    text += generator.iso_time() + generator.iso_offset();
  }
  if (generator.one_in(12)) text += " BC";
  if (generator.one_in(20))
    text = generator.pick<std::string>({"infinity", "-infinity", "epoch", "Infinity"});
  return generator.json_string(text);
}

std::string words(Generator& generator) {
  return generator.json_string(
      generator.pick<std::string>({"true", "T", "yes", "y", "on", "1", "false", "f", "No", "n",
                                   "off", "of", "o", "0", " t ", "tr", "", "2"}));
}

std::vector<std::string> values_for(const Case& tested, Generator& generator, int count) {
  std::vector<std::string> values{"null", "true", "false", "0",   "1",
                                  "\"\"", "[]",   "{}",    "[1]", "\"x\""};
  for (int i = 0; i < count; ++i) {
    if (generator.one_in(10)) {
      values.push_back(generator.json_value(2));
    } else {
      values.push_back(tested.make(generator));
    }
  }
  return values;
}

bool starts_with_any(const std::string& type, std::initializer_list<const char*> beginnings) {
  for (const char* beginning : beginnings) {
    if (type.starts_with(beginning)) return true;
  }
  return false;
}

/// The differences that are documented in docs: each with its reason.
bool on_purpose(const std::string& type, const Compared& compared) {
  const bool we_refuse = is_error(compared.actual) && !is_error(compared.expected);
  // One dimension, whatever the elements are: this before the elements' own differences.
  if (type.ends_with("[]") && compared.actual == "error 0A000") return we_refuse;
  const bool number =
      compared.json.find_first_of("-0123456789") == (type.ends_with("[]") ? 1U : 0U);
  // Numbers in timestamp columns count from 1970; PostgreSQL reads 20240131 as a date.
  if (starts_with_any(type, {"timestamp", "date", "time"}) && number) return true;
  // Only ISO 8601 and PostgreSQL's own output are dates here: nothing depends on DateStyle.
  if (starts_with_any(type, {"timestamp", "date", "time"}) && we_refuse) {
    return compared.actual == "error 22007";
  }
  // A long name is refused, not cut.
  if (type == "name" && we_refuse) return compared.actual == "error 42622";
  // json keeps escapes as they were written; PostgreSQL writes strings anew or refuses them.
  if (type == "json" && compared.json.find('\\') != std::string::npos)
    return !is_error(compared.actual);
  return false;
}

void compare(Database& database, const Case& tested, bool as_text, std::uint64_t seed) {
  Generator generator(seed);
  INFO("type " << tested.type << (as_text ? " as text" : " as binary") << ", seed " << seed);
  const auto results = run(database, tested.type, values_for(tested, generator, 1500), as_text);
  std::size_t accepted = 0;
  for (const Compared& compared : results) {
    if (!is_error(compared.actual)) ++accepted;
    const bool same = is_error(compared.expected) ? is_error(compared.actual)
                                                  : compared.actual == compared.expected;
    if (same || on_purpose(tested.type, compared)) continue;
    FAIL_CHECK(compared.json << "\n  PostgreSQL: " << compared.expected
                             << "\n  semel:      " << compared.actual);
  }
  // A comparison of refusals only would prove little.
  CHECK(accepted > results.size() / 10);
}

std::string text(Generator& g) {
  return g.one_in(3) ? g.json_value(2) : g.json_string(g.text());
}

std::string json_array(Generator& g) {
  if (g.one_in(3)) return g.json_string(g.array_literal());
  std::string elements;
  for (auto count = g.between(0, 4); count > 0; --count) {
    elements += (elements.empty() ? "" : ",") +
                (g.one_in(5) ? std::string("null")
                             : g.pick<std::string>({"1", "-7", "\"5\"", "\"x\"", "2.5", "true",
                                                    "\"a\\\"b\\\\\"", "\" y \"", "\"\""}));
  }
  return "[" + elements + "]";
}

std::string integer_array(Generator& g) {
  std::string elements;
  for (auto count = g.between(0, 5); count > 0; --count) {
    elements += (elements.empty() ? "" : ", ") +
                (g.one_in(5) ? std::string("null") : std::to_string(g.between(-40'000, 40'000)));
  }
  return "[" + elements + "]";
}

const std::vector<Case> cases = {
    {"boolean", words},
    {"int2", some_integer},
    {"int4", some_integer},
    {"int8", some_integer},
    {"oid", some_integer},
    {"float4", quoted_number},
    {"float8", quoted_number},
    {"numeric", quoted_number},
    {"numeric(10,3)", quoted_number},
    {"numeric(5)", quoted_number},
    {"numeric(3,5)", quoted_number},
    {"numeric(4,-2)", quoted_number},
    {"price", quoted_number},
    {"text", text},
    {"varchar(5)", text},
    {"varchar", text},
    {"bpchar(5)", text},
    {"name", text},
    {"code", text},
    {"date", [](Generator& g) { return g.one_in(4) ? timestamp(g) : g.json_string(g.iso_date()); }},
    {"time", [](Generator& g) { return g.one_in(4) ? timestamp(g) : g.json_string(g.iso_time()); }},
    {"time(2)", [](Generator& g) { return g.json_string(g.iso_time()); }},
    {"timestamp", timestamp},
    {"timestamp(3)", timestamp},
    {"timestamptz", timestamp},
    {"timestamptz(0)", timestamp},
    {"uuid",
     [](Generator& g) {
       return g.json_string(g.one_in(4) ? g.mutate(g.uuid(), "-{}g0F ") : g.uuid());
     }},
    {"bytea",
     [](Generator& g) {
       return g.json_string(g.one_in(4) ? g.mutate(g.bytea(), "\\x 09agG") : g.bytea());
     }},
    {"json", [](Generator& g) { return g.json_value(3); }},
    {"jsonb", [](Generator& g) { return g.json_value(3); }},
    {"mood",
     [](Generator& g) {
       return g.json_string(g.pick<std::string>({"sad", "ok", "a b"}));
     }},
    {"text[]", json_array},
    {"varchar(2)[]", json_array},
    {"int4[]", integer_array},
    {"int2[]", integer_array},
    {"numeric(6,1)[]",
     [](Generator& g) {
       return "[" + g.json_number() + ",null," + g.json_string(g.number_text()) + "]";
     }},
    {"float8[]", integer_array},
    {"boolean[]", [](Generator& g) { return "[" + words(g) + "," + words(g) + "]"; }},
    {"timestamptz[]", [](Generator& g) { return "[" + timestamp(g) + ",null]"; }},
    {"jsonb[]",
     [](Generator& g) { return "[" + g.json_value(0) + ", {\"a\": " + g.json_value(2) + "}]"; }},
    {"small[]", integer_array},
    {"mood[]",
     [](Generator& g) {
       return g.one_in(2) ? std::string("[\"sad\",null,\"a b\"]") : std::string("\"{ok,a b}\"");
     }},
};

/// Labels of an enum are the server's to know: only good ones are tried here.
bool knows_only_server(const Case& tested) {
  return tested.type.starts_with("mood");
}

}  // namespace

TEST_CASE("every type becomes what json_populate_record makes of it, in binary and in text") {
  Database database;
  database.execute(kTypes);
  for (const Case& tested : cases) {
    if (knows_only_server(tested)) continue;
    // The second seed is the one that found an array of arrays of timestamps.
    for (const std::uint64_t seed : seeds({20'260'131, 2'709'725'592})) {
      compare(database, tested, false, seed);
      compare(database, tested, true, seed);
    }
  }
}

TEST_CASE("enums arrive by their labels") {
  Database database;
  database.execute(kTypes);
  for (const Case& tested : cases) {
    if (!knows_only_server(tested)) continue;
    Generator generator(1);
    std::vector<std::string> values{"null"};
    for (int i = 0; i < 20; ++i) values.push_back(tested.make(generator));
    for (const bool as_text : {false, true}) {
      for (const Compared& compared : run(database, tested.type, values, as_text)) {
        CHECK(compared.actual == compared.expected);
      }
    }
  }
}

TEST_CASE("ISO 8601 timestamps within range are never refused") {
  Generator generator(7);
  std::vector<std::string> values;
  for (int i = 0; i < 500; ++i) {
    values.push_back(fmt::format(
        "\"{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}.{}{}\"", generator.between(1, 9999),
        generator.between(1, 12), generator.between(1, 28), generator.one_in(2) ? "T" : " ",
        generator.between(0, 23), generator.between(0, 59), generator.between(0, 59),
        generator.digits(generator.between(1, 9)),
        generator.pick<std::string>({"Z", "+02", "-05:30", "+0545", ""})));
  }
  Database database;
  for (const char* type : {"timestamp", "timestamptz", "date"}) {
    for (const Compared& compared : run(database, type, values, false)) {
      INFO(type << ": " << compared.json);
      CHECK(compared.actual == compared.expected);
    }
  }
}
