#include <semel/contract/catch2.hpp>

#include <nlohmann/json.hpp>
#include <sstream>

#include "contract/letters.hpp"
#include "contract/process.hpp"
#include "formats/formats.hpp"
#include "sqlite/options.hpp"
#include "sqlite/sqlite.hpp"
#include "support/catch.hpp"
#include "support/sqlite_file.hpp"

using namespace semel;

namespace {

class SqliteSubject final : public contract::Subject {
 public:
  std::unique_ptr<Sink> open(const Owner& owner) override {
    return contract::must(sqlite::connector().make_sink(options(), context(owner)));
  }
  std::unique_ptr<Ledger> ledger(const std::string& pipeline, const std::string& output) override {
    return contract::must(sqlite::connector().open_ledger(
        options(), context({.pipeline = pipeline, .output = output})));
  }
  std::string good_value(Offset offset) override {
    return "{\"id\": " + std::to_string(offset) + "}";
  }
  std::optional<std::string> bad_value() override { return "{\"id\": "; }
  std::vector<Offset> stored() override { return offsets("SELECT o FROM t ORDER BY o"); }
  std::vector<Offset> dead() override {
    return offsets("SELECT \"offset\" FROM semel_dead_letters ORDER BY 1");
  }
  std::optional<std::string> expected(const Record& record) override {
    // Of the value two members.
    const auto value = nlohmann::json::parse(record.value.value_or(""), nullptr, false);
    if (!value.is_object()) return std::nullopt;
    return contract::text_of(record.key, kept(value));
  }
  std::map<Offset, std::string> contents() override {
    std::map<Offset, std::string> all;
    std::istringstream lines(file_.value("SELECT json_array(o, k, id, text) FROM t"));
    for (std::string line; std::getline(lines, line);) {
      const auto row = nlohmann::json::parse(line);
      const auto key = row[1].is_null() ? std::nullopt : std::optional(row[1].get<std::string>());
      all[row[0]] = contract::text_of(key, kept({{"id", row[2]}, {"text", row[3]}}));
    }
    return all;
  }
  std::optional<std::string> expected_dead(const Record& record) override {
    return contract::letter_of(record);
  }
  std::map<Offset, std::string> dead_contents() override {
    std::map<Offset, std::string> all;
    std::istringstream lines(
        file_.value("SELECT json_object('offset', \"offset\", 'key', quote(\"key\"), 'value', "
                    "quote(value), 'headers', headers, 'timestamp_ms', timestamp_ms) "
                    "FROM semel_dead_letters"));
    for (std::string line; std::getline(lines, line);) {
      auto row = nlohmann::json::parse(line);
      for (const auto* part : {"key", "value"}) row[part] = bytes_of(row[part]);
      all[row["offset"]] = contract::letter_of(row);
    }
    return all;
  }
  std::map<Offset, std::string> dead_reasons() override {
    std::map<Offset, std::string> all;
    std::istringstream lines(
        file_.value("SELECT json_array(\"offset\", reason) FROM semel_dead_letters"));
    for (std::string line; std::getline(lines, line);) {
      const auto row = nlohmann::json::parse(line);
      all[row[0]] = row[1];
    }
    return all;
  }
  bool lose_positions() override {
    file_.sql("DELETE FROM semel_progress");
    return true;
  }
  std::shared_ptr<void> hold_up() override { return file_.locked(); }

 private:
  static std::string kept(const nlohmann::json& value) {
    return value.value("id", nlohmann::json()).dump() +
           value.value("text", nlohmann::json()).dump();
  }
  config::Part options() const {
    return config::Part::of(
        sqlite::Options{.file = file_.path(),
                        .rows = {.table = "t", .columns = {{"o", "@offset"}, {"k", "@key"}}}});
  }
  static SinkContext context(const Owner& owner) {
    return {.owner = owner, .format = formats::json()};
  }
  /// X'6162'
  static nlohmann::json bytes_of(const std::string& literal) {
    if (literal == "NULL") return nullptr;
    std::string bytes;
    constexpr int hexadecimal = 16;
    for (std::size_t i = 2; i + 1 < literal.size(); i += 2) {
      bytes += static_cast<char>(std::stoi(literal.substr(i, 2), nullptr, hexadecimal));
    }
    return {{"base64", record::base64(bytes)}};
  }
  std::vector<Offset> offsets(const std::string& query) const {
    std::istringstream lines(file_.value(query));
    std::vector<Offset> all;
    for (std::string line; std::getline(lines, line);) all.push_back(std::stoll(line));
    return all;
  }

  test::SqliteFile file_{"CREATE TABLE t (id INTEGER, text TEXT, o INTEGER, k TEXT) STRICT"};
};

}  // namespace

TEST_CASE("the SQLite sink keeps the contract of sinks") {
  contract::run_in_catch2([] { return std::make_unique<SqliteSubject>(); },
                          Guarantee::transactional, {.keeps_state = true, .forgets = true});
}
