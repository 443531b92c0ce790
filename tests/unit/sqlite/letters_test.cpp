// Dead letters in a file of SQLite: looked at, brought back, dropped.
#include <fmt/format.h>

#include "support/catch.hpp"
#include "unit/sqlite/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

std::unique_ptr<DeadLetterBox> open(const SqliteRig& rig) {
  return contract::must(sqlite::connector().open_dead_letters(rig.part(), rig.context));
}

/// Ids 0 to 9 of which 3 and 7 are texts, and one value that is no JSON.
void fill(SqliteRig& rig) {
  std::vector<std::string> values;
  for (int i = 0; i < 10; ++i) {
    const bool text = i == 3 || i == 7;
    values.push_back(fmt::format(R"({{"id": {0}{1}{0}, "n": "n{1}"}})", text ? "\"x" : "", i));
    if (text) values.back() = fmt::format(R"({{"id": "x{0}", "n": "n{0}"}})", i);
  }
  values.emplace_back("no JSON");
  contract::must(rig.store(values));
}

const std::string strict = "CREATE TABLE t (id INTEGER UNIQUE, n TEXT, at TEXT) STRICT";
/// As its file's owner would widen it.
const std::string widen =
    "ALTER TABLE t RENAME TO old; CREATE TABLE t (id ANY UNIQUE, n TEXT, at TEXT) STRICT; INSERT "
    "INTO t SELECT * FROM old; DROP TABLE old";

long long left(SqliteRig& rig) {
  return rig.file.number("SELECT count(*) FROM semel_dead_letters");
}

}  // namespace

TEST_CASE("dead letters in SQLite are grouped and chosen by what is known of them") {
  SqliteRig rig(strict);
  fill(rig);
  const auto box = open(rig);
  const auto groups = contract::must(box->groups({}));
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].count == 2);
  CHECK(groups[0].column == "id");
  CHECK(groups[0].topic == contract::tp.topic);
  CHECK(groups[1].count == 1);
  CHECK(groups[1].column.empty());
  CHECK(groups[0].first <= groups[0].last);

  const auto offsets = [&](const LetterFilter& filter, std::size_t limit = 10) {
    std::vector<Offset> found;
    for (const auto& letter : contract::must(box->letters(filter, limit))) {
      found.push_back(letter.offset);
    }
    return found;
  };
  using Offsets = std::vector<Offset>;
  CHECK(offsets({}) == Offsets{3, 7, 10});
  CHECK(offsets({}, 2) == Offsets{3, 7});
  CHECK(offsets({.topic = contract::tp.topic, .partition = contract::tp.partition}) ==
        Offsets{3, 7, 10});
  CHECK(offsets({.topic = "another"}).empty());
  CHECK(offsets({.partition = contract::tp.partition + 1}).empty());
  CHECK(offsets({.from = 4, .until = 10}) == Offsets{7});
  CHECK(offsets({.column = ""}) == Offsets{10});
  CHECK(offsets({.code = groups[0].code}) == Offsets{3, 7});
  CHECK(offsets({.reason = "x7"}).empty());  // a reason has nothing of the value
  CHECK(offsets({.since = "2026-01-01"}) == Offsets{3, 7, 10});
  CHECK(offsets({.before = "2026-01-01T00:00:00Z"}).empty());
  const auto letter = contract::must(box->letters({.from = 3}, 1)).front();
  CHECK(letter.key == "k");
  CHECK(letter.value == R"({"id": "x3", "n": "n3"})");
  CHECK(letter.timestamp_ms == 1'706'696'430'500);

  for (const auto* wrong : {"yesterday", "2026-01-01T00:00:00+01:00", "2026-13-01", ""}) {
    const auto refused = box->groups({.since = wrong});
    INFO(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("--since takes a day or a time in UTC") !=
          std::string::npos);
  }
}

TEST_CASE("what fits today becomes rows as the records were, and the other letters stay") {
  SqliteRig rig(strict, {{"at", "@timestamp"}});
  fill(rig);
  const auto none = contract::must(open(rig)->redrive({}, {}));
  CHECK(none.rows == 0);
  CHECK(none.bad == 3);
  REQUIRE(none.still_bad.size() == 3);
  CHECK(none.still_bad[0].column == "id");
  CHECK(left(rig) == 3);

  // One of them would be there twice.
  rig.file.value(widen + "; INSERT INTO t (id, n) VALUES ('x7', 'by hand')");
  const auto tried = contract::must(open(rig)->redrive({}, {.preview = true}));
  CHECK(tried.rows == 1);
  CHECK(tried.bad == 2);
  CHECK(left(rig) == 3);
  CHECK(rig.file.value("SELECT count(*) FROM t WHERE id = 'x3'") == "0");

  const auto done = contract::must(open(rig)->redrive({.from = 0, .until = 8}, {}));
  CHECK(done.rows == 1);
  REQUIRE(done.still_bad.size() == 1);
  CHECK(done.still_bad[0].offset == 7);
  CHECK(done.still_bad[0].reason.find("UNIQUE constraint failed") != std::string::npos);
  CHECK(rig.file.value("SELECT n, at FROM t WHERE id = 'x3'") == "n3|2024-01-31T10:20:30.5Z");
  CHECK(rig.file.value("SELECT group_concat(\"offset\") FROM semel_dead_letters") == "7,10");
  // The pipeline sees that the table is another one, and goes on.
  CHECK_FALSE(rig.store({R"({"id": "x11", "n": "n11"})"}));
  contract::must(rig.store({R"({"id": "x11", "n": "n11"})"}));
  CHECK(rig.file.value("SELECT n FROM t WHERE id = 'x11'") == "n11");
}

TEST_CASE("more letters than one transaction takes come back once, and none is looked at twice") {
  SqliteRig rig(strict);
  std::vector<std::string> values;
  for (int i = 0; i < 2'500; ++i) {
    values.push_back(i % 5 == 0 ? "no JSON" : fmt::format(R"({{"id": "x{}"}})", i));
    if (i % 7 == 0) values.push_back(fmt::format(R"({{"id": {}}})", i));
  }
  contract::must(rig.store(values));
  REQUIRE(left(rig) == 2'500);
  rig.file.value(widen);
  const auto done = contract::must(open(rig)->redrive({}, {}));
  CHECK(done.rows == 2'000);
  CHECK(done.bad == 500);
  CHECK(done.still_bad.size() == 20);
  CHECK(left(rig) == 500);
  CHECK(rig.file.value("SELECT count(*), count(DISTINCT id) FROM t WHERE id LIKE 'x%'") ==
        "2000|2000");
  CHECK(contract::must(open(rig)->redrive({}, {})).rows == 0);
}

TEST_CASE("letters are dropped by what is known of them") {
  SqliteRig rig(strict);
  fill(rig);
  const auto box = open(rig);
  CHECK(contract::must(box->drop({.column = "n"})) == 0);
  CHECK(contract::must(box->drop({.column = "id"})) == 2);
  CHECK(rig.file.value("SELECT group_concat(\"offset\") FROM semel_dead_letters") == "10");
}

TEST_CASE("letters of a pipeline that went into another table stay, and can be looked at") {
  SqliteRig rig(strict + "; CREATE TABLE u (id ANY)");
  fill(rig);
  rig.options.rows.table = "u";
  const auto box = open(rig);
  CHECK(contract::must(box->letters({}, 10)).size() == 3);
  const auto refused = box->redrive({}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("written into table t so far") != std::string::npos);
  CHECK(left(rig) == 3);
}

TEST_CASE("a file that knows nothing of the pipeline has no letters of it") {
  SqliteRig rig(strict);
  const auto unknown = sqlite::connector().open_dead_letters(rig.part(), rig.context);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message.find("was it ever started?") != std::string::npos);
}
