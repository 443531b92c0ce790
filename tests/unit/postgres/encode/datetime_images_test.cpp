// Dates and times: known images, counted from 2000-01-01.
#include "table_builder.hpp"

using namespace semel::postgres;

namespace {

std::string in_unit(Oid type, EpochUnit unit, std::string_view number) {
  return image(column("c", type, "the type"), number, {.epoch_unit = unit});
}

std::string micros(std::int64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xFF);
  return hex(bytes);
}

constexpr std::int64_t kDay = 86'400'000'000;

}  // namespace

TEST_CASE("dates are days from 2000-01-01") {
  CHECK(image(oid::date, R"("2000-01-01")") == "00000000");
  CHECK(image(oid::date, R"("1999-12-31")") == "ffffffff");
  CHECK(image(oid::date, R"("2024-02-29")") == "00002279");
  CHECK(image(oid::date, R"(" 2024-02-29T23:59:59Z ")") == "00002279");
  CHECK(image(oid::date, R"("4714-11-24 BC")") == "ffda97a7");
  CHECK(image(oid::date, R"("5874897-12-31")") == "7fda970c");
  CHECK(image(oid::date, R"("infinity")") == "7fffffff");
  CHECK(image(oid::date, R"("-Infinity")") == "80000000");
  CHECK(image(oid::date, R"("epoch")") == "ffffd533");

  for (const char* none :
       {R"("2023-02-29")", R"("2024-13-01")", R"("2024-00-01")", R"("2024-01-32")",
        R"("0000-01-01")", R"("5874898-01-01")", R"("4714-11-23 BC")"}) {
    CHECK(image(oid::date, none) == "22008");
  }
  for (const char* bad : {R"("24-01-01")", R"("2024/01/01")", R"("2024-01")", R"("yesterday")",
                          R"("")", "20240101", R"("2024-01-01x")", R"("infinitely")", "true"}) {
    CHECK(image(oid::date, bad) == "22007");
  }
}

TEST_CASE("timestamps are microseconds, with and without a time zone") {
  const std::string noon = micros(8797 * kDay + kDay / 2);  // 2024-02-01 12:00
  CHECK(image(oid::timestamptz, R"("2024-02-01T12:00:00Z")") == noon);
  CHECK(image(oid::timestamptz, R"("2024-02-01 14:00:00+02")") == noon);
  CHECK(image(oid::timestamptz, R"("2024-02-01t06:30:00.000-05:30")") == noon);
  CHECK(image(oid::timestamptz, R"("2024-02-01 12:15:30 +00:15:30")") == noon);
  CHECK(image(oid::timestamptz, R"("2024-02-01 14:00+0200")") == noon);
  CHECK(image(oid::timestamptz, R"("2024-02-01 12:00 UTC")") == noon);
  // Without an offset it is UTC.
  CHECK(image(oid::timestamptz, R"("2024-02-01 12:00")") == noon);
  // Without a time zone in the type an offset is left out of account, as PostgreSQL does.
  CHECK(image(oid::timestamp, R"("2024-02-01T12:00:00+02")") == noon);
  CHECK(image(oid::timestamp, R"("2024-01-31 24:00:00")") == micros(8797 * kDay));
  CHECK(image(oid::timestamp, R"("2024-02-01")") == micros(8797 * kDay));
  CHECK(image(oid::timestamp, R"("2000-01-01 00:00:60")") == micros(60'000'000));
  CHECK(image(oid::timestamptz, R"("infinity")") == "7fffffffffffffff");
  CHECK(image(oid::timestamptz, R"("-infinity")") == "8000000000000000");

  for (const char* none :
       {R"("2024-02-01 24:00:01")", R"("2024-02-01 12:60:00")", R"("2024-02-01 12:00:61")",
        R"("2024-02-30 12:00:00")", R"("294277-01-01 00:00:00")", R"("4714-11-23 23:59:59 BC")"}) {
    CHECK(image(oid::timestamp, none) == "22008");
  }
  CHECK(image(oid::timestamptz, R"("2024-02-01 12:00:00+16")") == "22009");
  for (const char* bad :
       {R"("12:00:00")", R"("2024-02-01T")", R"("2024-02-01T12")", R"("2024-02-01 12:00:00,5")",
        R"("2024-02-01 12:00:00.")", R"("2024-02-01 12:00:00+")", "[]", "false"}) {
    CHECK(image(oid::timestamptz, bad) == "22007");
  }
}

TEST_CASE("fractions of seconds round as PostgreSQL rounds them") {
  CHECK(image(oid::timestamp, R"("2000-01-01 00:00:00.5")") == micros(500'000));
  CHECK(image(oid::timestamp, R"("2000-01-01 00:00:00.1234564")") == micros(123'456));
  CHECK(image(oid::timestamp, R"("2000-01-01 00:00:00.1234565")") == micros(123'456));
  CHECK(image(oid::timestamp, R"("2000-01-01 00:00:00.1234567")") == micros(123'457));
  CHECK(image(oid::timestamp, R"("2000-01-01 00:00:59.9999999")") == micros(60'000'000));
}

TEST_CASE("times of day end at 24:00:00") {
  CHECK(image(oid::time, R"("10:20:30.000001")") == micros(37'230'000'001));
  CHECK(image(oid::time, R"("24:00:00")") == micros(kDay));
  CHECK(image(oid::time, R"("10:20+02")") == micros(37'200'000'000));
  CHECK(image(oid::time, R"("2024-02-01 10:20")") == "22007");
  CHECK(image(oid::time, R"("24:00:00.000001")") == "22008");
  CHECK(image(oid::time, R"("25:00")") == "22008");
  CHECK(image(oid::time, R"("2024-02-01")") == "22007");
  CHECK(image(oid::time, R"("infinity")") == "22007");
  CHECK(image(oid::time, "1200") == "22007");
}

TEST_CASE("numbers in timestamp columns count the configured unit from 1970") {
  const std::int64_t epoch = 10'957 * kDay;
  const auto at = [&](std::int64_t unix_micros) { return micros(unix_micros - epoch); };
  CHECK(in_unit(oid::timestamptz, EpochUnit::milliseconds, "1700000000123") ==
        at(1'700'000'000'123'000));
  CHECK(in_unit(oid::timestamptz, EpochUnit::seconds, "1700000000") == at(1'700'000'000'000'000));
  CHECK(in_unit(oid::timestamp, EpochUnit::microseconds, "1700000000123456") ==
        at(1'700'000'000'123'456));
  CHECK(in_unit(oid::timestamptz, EpochUnit::seconds, "1700000000.123456") ==
        at(1'700'000'000'123'456));
  CHECK(in_unit(oid::timestamptz, EpochUnit::seconds, "1.7e9") == at(1'700'000'000'000'000));
  CHECK(in_unit(oid::timestamptz, EpochUnit::milliseconds, "-1") == at(-1000));
  // Halves of a microsecond go to the even one.
  CHECK(in_unit(oid::timestamptz, EpochUnit::milliseconds, "0.0005") == at(0));
  CHECK(in_unit(oid::timestamptz, EpochUnit::milliseconds, "0.0015") == at(2));
  CHECK(in_unit(oid::timestamptz, EpochUnit::milliseconds, "0.00051") == at(1));
  CHECK(in_unit(oid::timestamptz, EpochUnit::seconds, "1e-30") == at(0));
  CHECK(in_unit(oid::timestamptz, EpochUnit::seconds, "9999999999999") == "22008");
  CHECK(in_unit(oid::timestamptz, EpochUnit::seconds, "1e300") == "22008");
}
