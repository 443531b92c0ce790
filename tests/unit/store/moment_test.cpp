// Expected: `date -u -d @SECONDS`.
#include "store/moment.hpp"

#include "support/catch.hpp"

using namespace semel::store;

TEST_CASE("moments are texts to the millisecond, and later ones are greater") {
  CHECK(moment_text(0) == "1970-01-01T00:00:00.000Z");
  CHECK(moment_text(1'706'696'430'500) == "2024-01-31T10:20:30.500Z");
  CHECK(moment_text(951'827'696'789) == "2000-02-29T12:34:56.789Z");
  CHECK(moment_text(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(moment_text(999) < moment_text(1'000));
}

TEST_CASE("a moment's text is read back, and other texts are none") {
  CHECK(moment_of("2024-01-31T10:20:30.500Z") == 1'706'696'430'500);
  CHECK(moment_of("2000-02-29T12:34:56Z") == 951'827'696'000);
  CHECK_FALSE(moment_of(""));
  CHECK_FALSE(moment_of("yesterday"));
  CHECK_FALSE(moment_of("2023-02-29T00:00:00.000Z"));
}
