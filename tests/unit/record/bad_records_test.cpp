// Bad records: what is said of them, when they are too many, and when people are told.
#include <semel/sink.hpp>

#include "base/clean_text.hpp"
#include "record/bad_record.hpp"
#include "record/bad_tally.hpp"
#include "record/dead_letter_notice.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::record;

TEST_CASE("texts for others are valid UTF-8 without NUL, and cut at a character") {
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

TEST_CASE("a log names the column once, the sink's code where it has one, and no value") {
  CHECK(for_log({.column = "id", .reason = "column \"id\" (INTEGER): null"}) ==
        "column \"id\" (INTEGER): null");
  CHECK(
      for_log({.column = "id", .reason = "\"x\" is no number", .told = "its value is no number"}) ==
      "column \"id\": its value is no number");
  CHECK(for_log({.code = "19", .reason = "two\nlines\x1b"}, "SQLite") == "two lines  (SQLite 19)");
}

TEST_CASE("an objection is told without its reason, and its code is nobody's but its own") {
  const auto bad =
      bad_record_of({.reason = "its amount is -5", .told = "stage prices", .code = "E1"});
  CHECK(bad.reason == "its amount is -5");
  CHECK(bad.code == "E1");
  CHECK(for_log(bad, "SQLSTATE") == "stage prices (code E1)");
  CHECK(for_log(bad_record_of({.reason = "its amount is -5"}), "SQLSTATE") ==
        "an objection of whoever read it before the sink");
}

TEST_CASE("of an objection as much is kept as of what a sink says, and as text") {
  const std::string odd("a\0\xff", 3);
  const auto bad = bad_record_of({odd, odd, odd});
  CHECK(bad.reason == "a\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(bad.told == "a \xEF\xBF\xBD");
  CHECK(bad.code == "a \\xFF");
  const std::string long_text(5'000, 'x');
  const auto cut = bad_record_of({long_text, long_text, long_text});
  CHECK(cut.reason == std::string(1'000, 'x'));
  CHECK(cut.told == std::string(300, 'x'));
  CHECK(cut.code == std::string(20, 'x'));
}

TEST_CASE("bad records are told by code, and of more reasons than are kept the first are") {
  BadTally tally("SQLSTATE");
  tally.start(0);
  CHECK(tally.codes().empty());
  tally.bad(0, {.column = "id", .code = "22P02", .reason = "not a number"});
  tally.bad(1, {.column = "n", .code = "22P02", .reason = "not a number"});
  tally.good();
  tally.bad(3, {.fault = Fault::duplicate, .code = "23505", .reason = "is there already"});
  CHECK(tally.codes() == std::map<std::string, std::uint64_t>{{"22P02", 2}, {"23505", 1}});
  for (int i = 0; i < 500; ++i) tally.bad(4 + i, {.code = std::to_string(i), .reason = "odd"});
  CHECK(tally.count() == 503);
  CHECK(tally.codes().size() < 200);
  CHECK(tally.codes().at("22P02") == 2);
  // The next range is another one.
  tally.start(0);
  CHECK(tally.codes().empty());
}

TEST_CASE("a range stops the pipeline when it is bad from end to end, counted over ranges") {
  Policy policy;
  policy.bad_share_min_records = 10;
  const BadRecord bad{.column = "id", .code = "22P02", .reason = "not a number"};
  BadStreaks streaks;
  BadTally tally("SQLSTATE");
  const auto range = [&](int good, int count, const char* topic = "a") {
    tally.start(streaks.of(topic));
    for (int i = 0; i < good; ++i) tally.good();
    for (int i = 0; i < count; ++i) tally.bad(i, bad);
    return tally.stops(policy);
  };
  CHECK_FALSE(range(0, 9));
  streaks.set("a", tally.in_a_row());
  // Another topic's records say nothing of this one, good or bad.
  CHECK_FALSE(range(0, 9, "b"));
  CHECK_FALSE(range(5, 0, "b"));
  streaks.set("b", tally.in_a_row());
  CHECK(range(0, 1));  // the tenth in a row
  CHECK(tally.commonest() == "column \"id\": not a number (SQLSTATE 22P02), 1 of 1 times");
  // The range is tried again: its record is not counted twice.
  CHECK(range(0, 1));
  CHECK_FALSE(range(1, 100));  // one good record is enough at a share of 1
  policy.bad_share_max = 0.5;
  CHECK(range(100, 100));
  CHECK_FALSE(range(101, 100));
  CHECK_FALSE(tally.mostly_duplicates());
  for (int i = 0; i < 101; ++i)
    tally.bad(i, {.fault = Fault::duplicate, .reason = "is there already"});
  CHECK(tally.mostly_duplicates());
}

TEST_CASE("a range that does not fit is told with its commonest reason and what to do") {
  const OffsetRange range{{"clicks", 3}, 10, 14};
  BadTally tally;
  tally.start(0);
  tally.good();
  tally.bad(11, {.fault = Fault::unfit, .column = "id", .reason = "is no number"});
  tally.bad(12, {.fault = Fault::malformed, .reason = "is not JSON"});
  tally.bad(13, {.fault = Fault::unfit, .column = "id", .reason = "is no number"});
  CHECK(tally.first()->offset == 11);
  const auto error = does_not_fit(range, tally, "clicks.db");
  CHECK(error.kind == ErrorKind::fatal);
  CHECK(error.cause == Cause::bad_record);
  CHECK_THAT(error.message, Catch::StartsWith("3 of 4 records of " + to_string(range) +
                                              " cannot be stored in clicks.db, most often because "
                                              "of column \"id\": is no number, 2 of 3 times. "));
  CHECK_THAT(error.message, Catch::EndsWith("raise bad_share_min_records"));
}

TEST_CASE("people are told of dead letters at once, and then not of each") {
  DeadLetterNotice notice;
  const DeadLetterNotice::Clock::time_point start{};
  const OffsetRange range{{"clicks", 3}, 10, 20};
  const BadTally::First first{12, "column \"n\": … (SQLSTATE 22P02)"};
  CHECK(notice.of(range, 1, first, "SELECT", start) ==
        "clicks[3] offset 12 was set aside as a dead letter: column \"n\": … (SQLSTATE 22P02). To "
        "see "
        "them: SELECT");
  CHECK_FALSE(notice.of(range, 4, first, "SELECT", start + std::chrono::seconds(29)));
  CHECK_THAT(*notice.of(range, 2, first, "SELECT", start + std::chrono::seconds(30)),
             Catch::Contains("; so were 5 others"));
}
