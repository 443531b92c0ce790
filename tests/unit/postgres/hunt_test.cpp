// Which rows are bad: the decision, against tables that answer any code for any row.
#include "postgres/rows/hunt.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "support/catch.hpp"

using namespace semel::postgres;

namespace {

std::vector<std::size_t> rows_to(std::size_t count) {
  std::vector<std::size_t> rows(count);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return rows;
}

/// A table whose rows each have an answer of their own, if any.
struct FakeTable final : Experiments {
  std::map<std::size_t, std::string> poison;           ///< refused always, with this code
  std::map<std::size_t, int> passes_after;             ///< refused as often, then never again
  std::map<std::size_t, std::set<std::size_t>> needs;  ///< goes in with or after these
  std::string all;                                     ///< every row meets it
  std::string statement;                               ///< even no row meets it
  std::string for_defaults;
  std::size_t full_after = 10'000'000;  ///< rows, then 53100
  std::string raised_in;  ///< the function of the server's code where errors come from
  bool locked = false;    ///< what is cancelled waits for a lock
  bool of_value = false;  ///< errors come while a value is read
  bool names_lines = true;
  bool knows_among = true;

  std::set<std::size_t> stored;
  std::size_t experiments = 0;

  static Outcome refused(const std::string& code) {
    return {.fate = Outcome::Fate::refused, .error = {.sqlstate = code, .message = code}};
  }

  Outcome by_server(const std::string& code) const {
    auto outcome = refused(code);
    outcome.error.source_function = raised_in;
    return outcome;
  }

  Outcome rows(std::span<const std::size_t> rows) override {
    ++experiments;
    if (!statement.empty()) return by_server(statement);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto code = all;
      if (const auto bad = poison.find(rows[i]); bad != poison.end()) code = bad->second;
      if (const auto left = passes_after.find(rows[i]);
          left != passes_after.end() && left->second > 0) {
        --left->second;
        code = "40P01";
      }
      if (stored.size() + i >= full_after) code = "53100";
      if (code.empty()) continue;
      auto outcome = refused(code);
      outcome.error.source_function = raised_in;
      outcome.error.of_value = of_value;
      if (names_lines) outcome.line = i + 1;
      return outcome;
    }
    for (const auto row : rows) {
      for (const auto other : needs[row]) {
        if (!stored.contains(other) && std::ranges::find(rows, other) == rows.end()) {
          return refused("23503");
        }
      }
    }
    stored.insert(rows.begin(), rows.end());
    return {};
  }
  std::optional<Outcome> among(std::span<const std::size_t> asked,
                               std::span<const std::size_t> others) override {
    ++experiments;
    if (!knows_among) return std::nullopt;
    std::set<std::size_t> there(asked.begin(), asked.end());
    there.insert(others.begin(), others.end());
    for (const auto row : there) {
      if (poison.contains(row) || !all.empty()) return std::nullopt;
    }
    for (const auto row : asked) {
      for (const auto other : needs[row]) {
        if (!stored.contains(other) && !there.contains(other)) return refused("23503");
      }
    }
    return Outcome{};
  }
  Outcome nothing() override {
    ++experiments;
    return statement.empty() ? Outcome{} : by_server(statement);
  }
  Outcome defaults() override {
    ++experiments;
    if (!statement.empty()) return refused(statement);
    if (!all.empty()) return refused(all);
    if (stored.size() >= full_after) return refused("53100");
    return for_defaults.empty() ? Outcome{} : refused(for_defaults);
  }
  Outcome sooner(std::span<const std::size_t> rows) override {
    ++experiments;
    auto outcome = refused(locked ? "55P03" : "57014");
    outcome.error.source_function = raised_in;
    CHECK(rows.size() <= 1);
    return outcome;
  }
};

struct Found {
  std::map<std::size_t, std::string> bad;
  std::optional<Unhunted> stop;
};

Found hunt(FakeTable& table, std::size_t rows, bool together = false, bool last_resort = false,
           std::size_t at_once = 100'000) {
  Hunt hunt(last_resort);
  Found found;
  const auto all = rows_to(rows);
  const auto on_bad = [&](std::size_t row, const ServerError& error) {
    CHECK(found.bad.emplace(row, error.sqlstate).second);
  };
  for (std::size_t at = 0; !found.stop && at < rows; at += at_once) {
    const auto part = std::span(all).subspan(at, std::min(at_once, rows - at));
    found.stop = together ? hunt.together(part, table, on_bad) : hunt.in_order(part, table, on_bad);
  }
  if (!found.stop) found.stop = hunt.finish(table);
  return found;
}

const std::vector<std::string> codes_of_nobody{"42601", "42622", "42602", "42P01", "42704", "42883",
                                               "3F000", "42501", "XX001", "U1234", "0A000", "22P02",
                                               "23514", "P0001", "28000", "25P02", "2201X"};

}  // namespace

TEST_CASE("a row that alone is refused is bad whatever its code, and no other") {
  std::mt19937_64 random(20261125);
  for (int i = 0; i < 300; ++i) {
    INFO("case " << i);
    FakeTable table;
    const std::size_t rows = 1 + random() % 3'000;
    table.names_lines = random() % 2 == 0;
    table.for_defaults = random() % 2 == 0 ? "" : "23502";
    const auto share = 1 + random() % 100;
    for (std::size_t row = 0; row < rows; ++row) {
      if (random() % 100 >= share && random() % 20 != 0) continue;
      table.poison[row] = codes_of_nobody[random() % codes_of_nobody.size()];
    }
    if (table.poison.size() == rows) table.poison.erase(rows / 2);
    const bool together = random() % 2 == 0;
    // Pieces: each call has its own rows.
    const auto found = hunt(table, rows, together, random() % 2 == 0, 1 + random() % 3'000);
    REQUIRE_FALSE(found.stop);
    CHECK(found.bad == table.poison);
    CHECK(table.stored.size() + table.poison.size() == rows);
    // Bounded: twice the rows of an even tree, once more alone, and the rounds of those together.
    CHECK(table.experiments <= (together ? 40 * rows + 200 : 4 * rows + 20));
  }
}

TEST_CASE("a range of one record has no neighbours: the table is asked without it") {
  FakeTable table;
  table.poison[0] = "42601";
  SECTION("it is the record") {
    table.for_defaults = GENERATE("", "23502", "22P02");
    const auto found = hunt(table, 1);
    REQUIRE_FALSE(found.stop);
    CHECK(found.bad == table.poison);
  }
  SECTION("no row at all is refused as well: rights, a trigger of the statement") {
    table.statement = GENERATE("42501", "P0001", "42601");
    const auto found = hunt(table, 1);
    REQUIRE(found.stop);
    CHECK(found.stop->why == Unhunted::Why::table);
    CHECK(found.stop->error.sqlstate == table.statement);
    CHECK(found.bad.empty());
  }
  SECTION("a row of defaults meets the same: a function that is missing for all") {
    table.for_defaults = "42601";
    const auto found = hunt(table, 1);
    REQUIRE(found.stop);
    CHECK(found.stop->why == Unhunted::Why::table);
  }
}

TEST_CASE("what all rows meet is the table's own, and found out soon") {
  FakeTable table;
  table.all = "42883";
  table.names_lines = GENERATE(true, false);
  const auto found = hunt(table, 100'000);
  REQUIRE(found.stop);
  CHECK(found.stop->why == Unhunted::Why::table);
  CHECK(found.stop->error.sqlstate == "42883");
  CHECK(table.experiments < 500);
}

TEST_CASE("all rows that are bad data each are bad: whether to stop then is counted elsewhere") {
  FakeTable table;
  table.all = "23514";
  const auto found = hunt(table, 300);
  REQUIRE_FALSE(found.stop);
  CHECK(found.bad.size() == 300);
}

TEST_CASE("what may pass by itself convicts nobody before the last resort") {
  FakeTable table;
  const bool last_resort = GENERATE(false, true);
  SECTION("it passes") {
    table.passes_after = {{3, 1}, {500, 2}, {501, 2}};
    const auto found = hunt(table, 1'000, false, last_resort);
    CHECK_FALSE(found.stop);
    CHECK(found.bad.empty());
    CHECK(table.stored.size() == 1'000);
  }
  SECTION("one row meets it each time") {
    table.poison[700] = GENERATE("40001", "40P01", "53100", "57014", "55P03", "XX000", "25006");
    const auto found = hunt(table, 1'000, false, last_resort);
    if (last_resort) {
      REQUIRE_FALSE(found.stop);
      CHECK(found.bad == table.poison);
    } else {
      REQUIRE(found.stop);
      CHECK(found.stop->why == Unhunted::Why::passing);
      CHECK(found.stop->row == 700U);
      CHECK(found.bad.empty());
    }
  }
  SECTION("the only row meets it each time") {
    table.poison[0] = "40001";
    const auto found = hunt(table, 1, false, last_resort);
    CHECK(found.bad.size() == (last_resort ? 1U : 0U));
  }
  SECTION("a disk that fills up while rows go in is no row's fault") {
    table.full_after = GENERATE(0U, 1U, 400U, 999U);
    const auto found = hunt(table, 1'000, false, last_resort);
    REQUIRE(found.stop);
    CHECK(found.stop->error.sqlstate == "53100");
    CHECK(found.bad.empty());
  }
}

TEST_CASE("who speaks of what may pass decides whether the last resort convicts a row") {
  FakeTable table;
  const bool last_resort = GENERATE(false, true);
  SECTION("one row meets it each time, and the server speaks of itself") {
    table.raised_in = "ProcessInterrupts";
    table.poison[700] =
        GENERATE("40001", "40P01", "53100", "53200", "55P03", "25006", "08001", "57P01", "58030");
    const auto found = hunt(table, 1'000, false, last_resort);
    REQUIRE(found.stop);
    CHECK(found.stop->why == Unhunted::Why::passing);
    CHECK(found.bad.empty());
  }
  SECTION("one row takes too long each time, in another server") {
    table.raised_in = "pgfdw_report_error";
    table.poison[700] = "57014";
    const auto found = hunt(table, 1'000, false, last_resort);
    REQUIRE(found.stop);
    CHECK(found.stop->why == Unhunted::Why::passing);
  }
  SECTION("one row takes too long each time") {
    table.raised_in = "ProcessInterrupts";
    table.locked = GENERATE(false, true);
    table.poison[700] = "57014";
    const auto found = hunt(table, 1'000, false, last_resort);
    CHECK(found.bad.size() == (last_resort && !table.locked ? 1U : 0U));
    if (last_resort && table.locked) CHECK(found.stop->error.sqlstate == "55P03");
  }
  SECTION("no row at all goes in before the statement takes too long: the table is locked") {
    table.raised_in = "ProcessInterrupts";
    table.statement = "57014";
    table.locked = true;
    const auto found = hunt(table, 1'000, false, last_resort);
    REQUIRE(found.stop);
    CHECK(found.stop->error.sqlstate == "55P03");
    CHECK(found.bad.empty());
  }
  SECTION("one row meets a code each time that a function chose, or one that says nothing") {
    table.raised_in = "exec_stmt_raise";
    table.poison[700] = GENERATE("40001", "53100", "57014", "55P03");
    if (GENERATE(false, true)) {
      table.raised_in = "lwerror";
      table.poison[700] = "XX000";
    }
    const auto found = hunt(table, 1'000, false, last_resort);
    CHECK(found.bad.size() == (last_resort ? 1U : 0U));
  }
  SECTION("one row meets an internal error each time, and it is its value that is read then") {
    table.of_value = true;
    table.poison[700] = "XX000";
    const auto found = hunt(table, 1'000, false, last_resort);
    CHECK_FALSE(found.stop);
    CHECK(found.bad == table.poison);
  }
}

TEST_CASE("rows that need each other are never blamed for another's fault") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; ++i) {
    INFO("case " << i);
    FakeTable table;
    const std::size_t rows = 2 + random() % 800;
    // Each needs some other row, which may come before or after it, and needs another itself. In
    // circles only where somebody can ask for one in presence of all.
    table.knows_among = random() % 2 == 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const auto other = random() % rows;
      if (random() % 3 == 0 && (table.knows_among || other > row)) table.needs[row].insert(other);
    }
    // Bad, and with them whatever needs them.
    std::set<std::size_t> bad;
    for (auto count = random() % 5; count > 0; --count) bad.insert(random() % rows);
    for (const auto row : bad) table.needs[row].insert(rows);  // which is never there
    for (bool more = true; more;) {
      more = false;
      for (const auto& [row, others] : table.needs) {
        const bool hopeless = std::ranges::any_of(others, [&](auto o) { return bad.contains(o); });
        if (hopeless && bad.insert(row).second) more = true;
      }
    }
    const auto found = hunt(table, rows, true);
    REQUIRE_FALSE(found.stop);
    std::set<std::size_t> blamed;
    for (const auto& [row, code] : found.bad) blamed.insert(row);
    CHECK(blamed == bad);
  }
}

TEST_CASE("rows that only go in together, far apart, are kept beside those that are bad") {
  FakeTable table;
  constexpr std::size_t rows = 3'000;
  for (std::size_t row = 0; row < rows; ++row) table.needs[row].insert(rows - 1 - row);
  std::set<std::size_t> bad{1'234};
  if (GENERATE(true, false)) bad.insert({0, 77, 78, 79, 1'499});
  for (const auto row : std::set(bad)) {
    table.needs[row].insert(rows);
    bad.insert(rows - 1 - row);
  }
  const auto found = hunt(table, rows, true);
  REQUIRE_FALSE(found.stop);
  std::set<std::size_t> blamed;
  for (const auto& [row, code] : found.bad) blamed.insert(row);
  CHECK(blamed == bad);
  CHECK(table.experiments < 7 * rows);
}

TEST_CASE("a lost session ends the hunt") {
  struct Lost final : Experiments {
    Outcome rows(std::span<const std::size_t>) override { return {.fate = Outcome::Fate::lost}; }
    std::optional<Outcome> among(std::span<const std::size_t>,
                                 std::span<const std::size_t>) override {
      return std::nullopt;
    }
    Outcome nothing() override { return {}; }
    Outcome defaults() override { return {}; }
    Outcome sooner(std::span<const std::size_t>) override { return {}; }
  } table;
  Hunt hunt(true);
  const auto rows = rows_to(5);
  const auto stop = hunt.in_order(rows, table, [](auto, const auto&) { FAIL("blamed"); });
  REQUIRE(stop);
  CHECK(stop->why == Unhunted::Why::lost);
}
