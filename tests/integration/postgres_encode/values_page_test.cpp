// docs/guides/values.md, line by line: what it says is what happens.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "config/document.hpp"
#include "connector/column_settings.hpp"
#include "differential.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::postgres;
using namespace semel::postgres::test;

namespace {

struct Line {
  std::vector<std::string> cells;  ///< without their backquotes
  enum class Of : std::uint8_t { values, mappings, raw_values, keys, rules } table = Of::values;
};

/// "| `a` | `b` |" and the like; headers and rules are none.
std::vector<Line> lines_of_tables() {
  std::ifstream page(SEMEL_SOURCE_ROOT "/docs/guides/values.md");
  std::vector<Line> lines;
  auto table = Line::Of::values;
  for (std::string text; std::getline(page, text);) {
    if (text.starts_with("| type |")) table = Line::Of::values;
    if (text.starts_with("| mapping |")) table = Line::Of::mappings;
    if (text.starts_with("| raw value |")) table = Line::Of::raw_values;
    if (text.starts_with("| key |")) table = Line::Of::keys;
    if (text.starts_with("| rule |")) table = Line::Of::rules;
    if (!text.starts_with("| `") || table == Line::Of::keys) continue;
    Line line{.table = table};
    for (std::size_t at = 1; at < text.size();) {
      const auto end = text.find(" |", at);
      auto cell = text.substr(at, end - at);
      cell.erase(0, cell.find_first_not_of(' '));
      if (cell.size() > 1 && cell.front() == '`') cell = cell.substr(1, cell.size() - 2);
      line.cells.push_back(cell);
      at = end + 2;
    }
    REQUIRE(line.cells.size() == (table == Line::Of::rules ? 4 : 3));
    lines.push_back(line);
  }
  return lines;
}

/// "bytes 00 ff", or the text itself.
std::string bytes_of(const std::string& cell) {
  constexpr std::string_view mark = "bytes ";
  if (!cell.starts_with(mark)) return cell;
  std::string bytes;
  for (std::size_t i = mark.size(); i < cell.size(); i += 3) {
    bytes += static_cast<char>(std::stoi(cell.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

constexpr const char* kValue =
    R"({"user": {"name": "Ann", "tags": ["x", "y"], "a.b": 1}, "it's": null})";

Record page_record() {
  const auto headers = [](const void*, std::vector<Header>& into) {
    into = {{"trace", "t1"}, {"trace", "t2"}, {"n", "1"}};
  };
  Record record{.offset = 42, .timestamp_ms = 1'700'000'000'123, .key = "k1", .value = kValue};
  record.headers = {.message = nullptr, .read = headers};
  return record;
}

/// "unit = "days"" as the rule of column c.
Options options_of(const std::string& rule) {
  const auto read = config::parse_value("{ c = { " + rule + " } }", {});
  REQUIRE(read);
  auto part = config::Part::of(Options{});
  const auto wrong = column_rules(&Options::columns).assign(part, *read);
  INFO((wrong ? wrong->text : ""));
  REQUIRE_FALSE(wrong);
  return part.as<Options>();
}

/// Column c of table target after this record; "NULL" or "refused".
std::string stored(Database& database, const std::string& type, const Record& record,
                   const Options& options) {
  database.execute("DROP TABLE IF EXISTS target; CREATE TABLE target (n int DEFAULT 5, c " + type +
                   ")");
  if (options.columns.contains("c") && options.columns.at("c").is_path()) {
    database.execute("ALTER TABLE target DROP n");
  }
  const auto table = database.describe("target");
  auto encoder = RowEncoder::make(table, options);
  if (!encoder) return encoder.error().message;
  std::vector<DefaultValue> defaults;
  for (const auto column : encoder->defaults_needed(DefaultKind::constant)) {
    const auto& described = table.columns[column];
    const auto hex = database.value(
        fmt::format("SELECT {}({})", described.send_function, described.default_expression));
    std::string bytes;
    for (std::size_t i = 2; i < hex.size(); i += 2) {
      bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    defaults.push_back({column, bytes});
  }
  encoder->set_defaults(defaults);
  std::string rows(encoder->copy_begin());
  const auto encoded = encoder->encode({"clicks", 3}, record, rows);
  if (encoded.status == Fate::bad) return "refused";
  rows += encoder->copy_end();
  std::string columns;
  for (const auto& column : encoder->columns_of(encoded.column_set)) {
    columns += (columns.empty() ? "" : ",") + column;
  }
  const auto error =
      database.copy(fmt::format("COPY target ({}) FROM STDIN (FORMAT {})", columns,
                                encoder->format() == CopyFormat::binary ? "binary" : "text"),
                    rows);
  return error.empty()
             ? database.value(
                   "SELECT CASE WHEN c IS DISTINCT FROM NULL THEN format('%s', c) ELSE 'NULL' END "
                   "FROM target")
             : "refused";
}

}  // namespace

TEST_CASE("each line of the page about values is what happens") {
  Database database;
  database.execute(
      "SET lc_monetary = 'C'; CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE TYPE pair AS (a "
      "integer, b text)");
  const auto lines = lines_of_tables();
  CHECK(lines.size() > 100);
  const auto raw = [](const Line& line) { return line.table == Line::Of::raw_values; };
  CHECK(std::ranges::count_if(lines, raw) == 7);
  for (const auto& line : lines) {
    INFO(line.cells[0] << " | " << line.cells[1] << " | " << line.cells[2]);
    if (line.table == Line::Of::raw_values) {
      const auto value = bytes_of(line.cells[0]);
      Options options{.columns = {{"c", "$"}}, .format = formats::raw()};
      CHECK(stored(database, line.cells[1], {.value = value}, options) == line.cells[2]);
      continue;
    }
    if (line.table == Line::Of::mappings) {
      Options options;
      options.columns = {{"c", line.cells[0]}};
      CHECK(stored(database, line.cells[1], page_record(), options) == line.cells[2]);
      continue;
    }
    if (line.table == Line::Of::rules) {
      const auto document = line.cells[2].empty() ? std::string(R"({"n": 1})")
                                                  : "{\"n\": 1, \"c\": " + line.cells[2] + "}";
      CHECK(stored(database, line.cells[1], {.key = "k1", .value = document},
                   options_of(line.cells[0])) == line.cells[3]);
      continue;
    }
    const auto document = line.cells[1].empty() ? std::string(R"({"n": 1})")
                                                : "{\"n\": 1, \"c\": " + line.cells[1] + "}";
    CHECK(stored(database, line.cells[0], {.value = document}, {}) == line.cells[2]);
  }
}

TEST_CASE("the record that the page about values maps is the one that is tested") {
  std::ifstream page(SEMEL_SOURCE_ROOT "/docs/guides/values.md");
  const std::string text{std::istreambuf_iterator<char>(page), {}};
  CHECK(text.find(std::string("\n") + kValue + "\n") != std::string::npos);
}
