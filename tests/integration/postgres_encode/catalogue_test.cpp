// Every type that a database has, with all the extensions there are: not a list of ours. Values are
// tried on all of them; what a type takes, it takes from us as from json_populate_record.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "catalogue.hpp"
#include "differential.hpp"
#include "support/catch.hpp"

using namespace semel::postgres;
using namespace semel::postgres::test;

namespace {

/// Rows for one table: what was refused before anything was sent, and what goes.
struct EncodedValue {
  std::map<std::size_t, std::string> refused;
  std::vector<std::pair<std::size_t, std::string>> rows;
};

EncodedValue encode(RowEncoder& encoder, const std::vector<std::string>& values) {
  EncodedValue result;
  for (std::size_t n = 0; n < values.size(); ++n) {
    std::string row;
    const std::string document = fmt::format("{{\"n\":{},\"c\":{}}}", n, values[n]);
    const auto encoded = encoder.encode({"t", 0}, {.offset = 0, .value = document}, row);
    if (encoded.status == Fate::bad) {
      result.refused[n] = "error " + encoder.bad().code;
    } else {
      result.rows.emplace_back(n, std::move(row));
    }
  }
  return result;
}

std::string load(Database& database, const RowEncoder& encoder, const std::string& rows) {
  return database.copy(fmt::format("COPY target FROM STDIN (FORMAT {})",
                                   encoder.format() == CopyFormat::binary ? "binary" : "text"),
                       std::string(encoder.copy_begin()) + rows + std::string(encoder.copy_end()));
}

/// What differs on purpose: docs/guides/values.md has the list.
bool on_purpose(const std::string& type, const std::string& json, const std::string& actual) {
  const auto has = [&](const char* part) { return type.find(part) != std::string::npos; };
  // Numbers in timestamps are epochs; dates and times are ISO 8601.
  if (has("date") || has("time") || has("ts") || has("made_of")) {
    if (actual == "error 22007") return true;
    if (json.find_first_of("0123456789") <= 1) return true;
  }
  // A name that is too long is refused, not cut.
  if (actual == "error 42622") return true;
  // json keeps escapes as they are written.
  return type.starts_with("json") && json.find('\\') != std::string::npos;
}

/// `refusals`: how many of the values that PostgreSQL refuses are sent to it, one by one.
void compare(Database& database, const std::string& type, const std::vector<std::string>& values,
             const std::vector<std::string>& wanted, std::size_t refusals) {
  auto made = RowEncoder::make(database.describe("target"), {});
  REQUIRE(made);
  RowEncoder& encoder = *made;
  auto encoded = encode(encoder, values);
  std::map<std::size_t, std::string> actual = encoded.refused;

  std::string together;
  for (const auto& [n, row] : encoded.rows) {
    if (!is_error(wanted[n])) together += row;
  }
  if (!load(database, encoder, together).empty()) {
    for (const auto& [n, row] : encoded.rows) {
      if (is_error(wanted[n])) continue;
      if (const auto error = load(database, encoder, row); !error.empty()) {
        FAIL_CHECK(type << " " << values[n] << "\n  PostgreSQL: " << wanted[n]
                        << "\n  semel:      " << error);
      }
    }
  }
  for (const auto& [n, row] : encoded.rows) {
    if (!is_error(wanted[n]) || refusals == 0) continue;
    --refusals;
    if (!load(database, encoder, row).empty()) actual[n] = "error of the server";
  }
  for (const auto& row : database.rows("SELECT n, row(c)::text FROM target")) {
    actual[std::stoul(row[0])] = row[1];
  }
  for (const auto& [n, compared] : actual) {
    const bool same = is_error(wanted[n]) ? is_error(compared) : compared == wanted[n];
    if (same || on_purpose(type, values[n], compared)) continue;
    FAIL_CHECK(type << " " << values[n] << "\n  PostgreSQL: " << wanted[n]
                    << "\n  semel:      " << compared);
  }
}

}  // namespace

TEST_CASE("every type that a database has becomes what json_populate_record makes of it") {
  Database database;
  create_all_types(database);
  std::size_t with_values = 0;
  std::map<std::string, std::vector<std::string>> accepted;  // by type
  for (const auto& [type, element] : all_types(database)) {
    INFO("type " << type);
    auto values = element.empty() ? value_pool() : arrays_of(accepted[element]);
    database.execute("DROP TABLE IF EXISTS target; CREATE TABLE target (n int, c " + type + ")");
    const auto spelled = own_spelling(database, values);
    values.insert(values.end(), spelled.begin(), spelled.end());
    const auto wanted = expected(database, values);
    auto& good = accepted[type];
    for (std::size_t n = 0; n < values.size(); ++n) {
      if (!is_error(wanted[n]) && values[n] != "null") good.push_back(values[n]);
    }
    if (!good.empty()) ++with_values;
    compare(database, type, values, wanted, 5);
    // The same beside a column that only text can serve.
    database.execute("TRUNCATE target; ALTER TABLE target ADD forces_text inet");
    compare(database, type, values, wanted, 0);
  }
  // Otherwise little was compared.
  CHECK(with_values > 150);
}
