// Quoting, names, and what people get to read.
#include <libpq-fe.h>
#include <algorithm>

#include "postgres/bad_tally.hpp"
#include "postgres/dead_letters.hpp"
#include "postgres/postgres.hpp"
#include "postgres/quoting.hpp"
#include "postgres/shared.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::postgres;

TEST_CASE("the script that makes the ledger is ASCII: a database may have any encoding") {
  Options options;
  options.table = "clicks";
  const auto ddl = ledger_ddl(options);
  CHECK(std::ranges::all_of(ddl, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }));
}

TEST_CASE("identifiers and literals are quoted, never folded") {
  CHECK(quote_identifier("Order") == "\"Order\"");
  CHECK(quote_identifier("a\"b") == "\"a\"\"b\"");
  CHECK(quote_literal("it's") == "'it''s'");
  CHECK(quote_literal("a\\b'c") == "E'a\\\\b''c'");
  CHECK(split_name("sales.Orders.2026").quoted() == "\"sales\".\"Orders.2026\"");
  CHECK(split_name("orders").quoted() == "\"orders\"");
}

TEST_CASE("texts for the server are valid UTF-8 without NUL, and cut at a character") {
  CHECK(sanitise("gr\xC3\xBC\xC3\x9F", 100) == "gr\xC3\xBC\xC3\x9F");
  CHECK(sanitise(std::string_view("a\0b", 3), 100) ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(sanitise("a\xC3", 100) == "a\xEF\xBF\xBD");
  CHECK(sanitise("\xED\xA0\x80", 100) == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  CHECK(sanitise("\xC0\xAF", 100) == "\xEF\xBF\xBD\xEF\xBF\xBD");                  // overlong
  CHECK(sanitise("gr\xC3\xBC\xC3\x9F", 3) == "gr");
  CHECK(sanitise("gr\xC3\xBC", 100, true) == "gr\\xC3\\xBC");
}

TEST_CASE("no message holds a password") {
  const auto masked = [](const std::string& dsn, const std::string& message) {
    return without_secrets(message, dsn);
  };
  CHECK(masked("postgresql://me:hunter2@h/d", "hunter2 is wrong") == "*** is wrong");
  CHECK(masked("host=h password='hun ter2'", "see hun ter2") == "see ***");
  CHECK(masked("postgresql://me:hunt%65r2@h/d", "hunter2 is wrong") == "*** is wrong");
  // What libpq says of what it cannot parse quotes the thing itself.
  for (const auto* dsn : {"postgresql://me:hunter2@h:port:x/d?=", "password=hunter2 oops",
                          "postgresql://me:hunter2%zz@h/d"}) {
    char* why = nullptr;
    auto* parsed = PQconninfoParse(dsn, &why);
    CHECK(parsed == nullptr);
    const std::string said = why == nullptr ? "" : why;
    PQfreemem(why);
    PQconninfoFree(parsed);
    INFO(said);
    CHECK(masked(dsn, said).find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a session's name is one the server neither cuts nor changes, and an output's own") {
  const Options options;
  const auto name = [&](const std::string& pipeline, const std::string& id) {
    return application_name(options, {pipeline, "main", id, ""});
  };
  CHECK(name("clicks", "0123456789ab").full == "semel/clicks/main/01234567");
  CHECK(name("clicks", "a").prefix == name("clicks", "b").prefix);
  CHECK(name("clicks", "aaaaaaaa1").full != name("clicks", "bbbbbbbb1").full);
  const auto long_name = name(std::string(200, 'x'), "0123456789ab").full;
  CHECK(long_name.size() <= 63);
  CHECK(long_name != name(std::string(201, 'x'), "0123456789ab").full);
  CHECK(name("gr\xC3\xBC\xC3\x9F", "01234567").full.find('\xC3') == std::string::npos);
  Options elsewhere;
  elsewhere.ledger_schema = "other";
  CHECK(application_name(elsewhere, {"clicks", "main", "x", ""}).prefix !=
        name("clicks", "x").prefix);
}

TEST_CASE("headers become JSON without loss") {
  CHECK(headers_as_json({}).empty());
  CHECK(headers_as_json({{"a", "x\"y\n"}, {"a", std::nullopt}}) ==
        R"([{"name": "a", "value": "x\"y\u000a"}, {"name": "a", "value": null}])");
  CHECK(headers_as_json({{"raw", std::string_view("\x00\x01\xFF\xFE", 4)}}) ==
        R"([{"name": "raw", "base64": "AAH//g=="}])");
  CHECK(headers_as_json({{"e", "\xFF"}}) == R"([{"name": "e", "base64": "/w=="}])");
  CHECK(headers_as_json({{"e", ""}}) == R"([{"name": "e", "value": ""}])");
}

TEST_CASE("a range stops the pipeline when it is bad from end to end, counted over ranges") {
  Options options;
  options.bad_share_min_records = 10;
  const BadRecord bad{.column = "id", .sqlstate = "22P02", .reason = "not a number"};
  BadTally tally;
  const auto range = [&](int good, int count) {
    tally.start();
    for (int i = 0; i < good; ++i) tally.good();
    for (int i = 0; i < count; ++i) tally.bad(bad);
    return tally.stops(options);
  };
  CHECK_FALSE(range(0, 9));
  tally.settled();
  CHECK(range(0, 1));  // the tenth in a row
  CHECK(tally.commonest() == "column \"id\": not a number (SQLSTATE 22P02), 1 of 1 times");
  // The range is tried again: its record is not counted twice.
  CHECK(range(0, 1));
  CHECK_FALSE(range(1, 100));  // one good record is enough at a share of 1
  options.bad_share_max = 0.5;
  CHECK(range(100, 100));
  CHECK_FALSE(range(101, 100));
}
