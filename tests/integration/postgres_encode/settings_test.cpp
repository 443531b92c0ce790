// Every setting that a role can have, at other values: what is stored stays the same.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "catalogue.hpp"
#include "postgres/table/catalog.hpp"
#include "postgres/table/defaults.hpp"
#include "postgres/table/guard.hpp"
#include "support/catch.hpp"

using namespace semel;
using namespace semel::postgres;
using namespace semel::postgres::test;

namespace {

/// Of settings that are text, by name in lower case: other values to try. None: it cannot change
/// what a value means, because it names who is at work, where files are, or code to load. A setting
/// that is not here fails the test: look whether an input function reads it.
const std::map<std::string, std::vector<std::string>>& other_texts() {
  static const std::map<std::string, std::vector<std::string>> all{
      {"application_name", {"x"}},
      {"backtrace_functions", {"x"}},
      {"client_encoding", {"LATIN1", "SQL_ASCII"}},
      {"createrole_self_grant", {"set"}},
      {"datestyle", {"German, DMY", "SQL, DMY", "Postgres, DMY", "ISO, YMD"}},
      {"default_table_access_method", {}},
      {"default_tablespace", {}},
      {"default_text_search_config", {"pg_catalog.simple", "pg_catalog.german"}},
      {"dynamic_library_path", {}},
      {"extension_control_path", {}},
      {"extension_destdir", {}},
      {"lc_messages", {"C.UTF-8"}},
      {"lc_monetary", {"C.UTF-8"}},
      {"lc_numeric", {"C.UTF-8"}},
      {"lc_time", {"C.UTF-8"}},
      {"local_preload_libraries", {}},
      {"plpgsql.extra_errors", {"all"}},
      {"plpgsql.extra_warnings", {"all"}},
      {"postgres_fdw.application_name", {"x"}},
      {"restrict_nonsystem_relation_kind", {"view"}},
      {"role", {}},
      {"search_path", {"pg_catalog", "information_schema, public"}},
      {"session_authorization", {}},
      {"session_preload_libraries", {}},
      {"temp_tablespaces", {}},
      {"timezone", {"Pacific/Auckland", "America/New_York"}},
      {"timezone_abbreviations", {"India", "Australia"}},
      {"wal_consistency_checking", {}},
  };
  return all;
}

/// At the smallest value these stop the server from storing anything: nothing is altered then.
bool may_refuse(const std::string& name) {
  static const std::set<std::string> limits{"temp_file_limit", "max_stack_depth", "lock_timeout",
                                            "transaction_timeout"};
  return limits.contains(name) || name.starts_with("idle");
}

std::vector<std::string> split(const std::string& labels) {
  std::vector<std::string> all{""};
  for (const char c : labels) {
    if (c == ',') {
      all.emplace_back();
    } else {
      all.back() += c;
    }
  }
  return all;
}

/// `row`: name, vartype, enumvals, min_val, max_val, setting.
std::vector<std::string> others_of(const std::vector<std::string>& row) {
  if (row[1] == "bool") return {row[5] == "on" ? "off" : "on"};
  if (row[1] == "enum") return split(row[2]);
  if (row[1] != "string") return {row[3], row[4]};
  const auto found = other_texts().find(row[0]);
  if (found != other_texts().end()) return found->second;
  FAIL_CHECK("an unknown setting: " << row[0] << ". May it change how a value is read?");
  return {};
}

/// A table with a column of every type, and rows that fill it; and one with defaults.
class Corpus {
 public:
  explicit Corpus(Database& database) : database_(database) {
    database.execute(
        "CREATE TABLE defaulted (n int, f float8 DEFAULT 0.1 + 0.2, i interval DEFAULT interval "
        "'-1 day -2:03', d date DEFAULT '2024-02-03', m money DEFAULT '12.34', b bytea DEFAULT "
        "'\\x00ff', s float8 DEFAULT 0.3 * length(current_user), x text DEFAULT E'a\\\\b''c', "
        "ip inet, t timestamptz DEFAULT '2024-02-03 04:05:06+07')");
    std::string columns = "n int";
    // Arrays of all types would take longest and show the same.
    const std::set<std::string> elements{"", "made_of_all", "xml", "money", "interval", "text"};
    std::map<std::string, std::vector<std::string>> good;  // by type
    for (const auto& type : all_types(database)) {
      if (!elements.contains(type.element)) continue;
      database.execute("DROP TABLE IF EXISTS target; CREATE TABLE target (n int, c " + type.name +
                       ")");
      const auto pool = type.element.empty() ? value_pool() : arrays_of(good[type.element]);
      add(pool, good[type.name], type.name, columns);
    }
    database.execute("DROP TABLE target; CREATE TABLE target (" + columns + ")");
    table_ = database.describe("target");
  }

  /// As a session does it, after `setting`; what is stored then, or the error.
  std::string store(const std::string& setting) {
    auto opened =
        Connection::open({.dsn = database_.dsn()}, "semel test", std::make_shared<Interrupter>());
    REQUIRE(opened);
    Connection& connection = **opened;
    if (!setting.empty() && !connection.exchange(setting).ok()) return "cannot be set";
    // Described by this session: expressions are written down under its settings.
    const auto table = describe_table(connection, "public.defaulted");
    if (!table) return table.error().message;
    auto defaulted = RowEncoder::make(*table, {});
    auto encoder = RowEncoder::make(table_, {});
    REQUIRE(defaulted);
    REQUIRE(encoder);
    auto needed = defaulted->defaults_needed(DefaultKind::constant);
    for (const auto index : defaulted->defaults_needed(DefaultKind::stable)) {
      needed.push_back(index);
    }
    REQUIRE(needed.size() == 8);
    const auto begun = connection.exchange(begin_message(shared_) + ";" +
                                           defaults_query(*table, needed, defaulted->format()));
    if (!begun.ok()) return to_error(begun, "beginning").message;
    defaulted->set_defaults(read_defaults(*(begun.results.end() - 1), needed, defaulted->format()));
    auto refused = copy(connection, *defaulted, "public.defaulted", {"{\"n\":1"});
    if (refused.empty()) refused = copy(connection, *encoder, "public.target", rows_);
    if (!refused.empty()) return refused;
    const auto committed = connection.exchange("COMMIT");
    if (!committed.ok()) return to_error(committed, "committing").message;
    auto stored = database_.value(
        "SELECT (SELECT whole::text FROM defaulted whole) || string_agg(t::text, E'\\n') FROM "
        "target t");
    database_.execute("TRUNCATE target; TRUNCATE defaulted");
    return stored;
  }

  std::size_t columns() const { return count_; }

 private:
  void add(const std::vector<std::string>& pool, std::vector<std::string>& good,
           const std::string& type, std::string& columns) {
    const auto results = expected(database_, pool);
    auto encoder = RowEncoder::make(database_.describe("target"), {});
    REQUIRE(encoder);
    for (std::size_t n = 0; n < pool.size(); ++n) {
      std::string row;
      const auto document = "{\"c\":" + pool[n] + "}";
      const auto encoded = encoder->encode({"t", 0}, {.offset = 0, .value = document}, row);
      if (encoded.status == Fate::row && !is_error(results[n]) && results[n] != "()") {
        good.push_back(pool[n]);
      }
    }
    if (good.empty()) return;
    const auto name = fmt::format("c{}", count_++);
    columns += fmt::format(", {} {}", name, type);
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      if (rows_[row].size() > 1) rows_[row] += ',';
      rows_[row] += fmt::format("\"{}\":{}", name, good[row * good.size() / rows_.size()]);
    }
  }

  /// What the server has against it; empty: nothing.
  std::string copy(Connection& connection, RowEncoder& encoder, const std::string& table,
                   const std::vector<std::string>& documents) {
    std::string rows(encoder.copy_begin());
    for (const auto& open : documents) {
      const auto document = open + "}";
      const auto encoded = encoder.encode({"t", 0}, {.offset = 0, .value = document}, rows);
      if (encoded.status != Fate::row) FAIL(encoder.bad().reason);
    }
    rows += encoder.copy_end();
    std::string columns;
    for (const auto& column : encoder.columns_of(0)) {
      columns += (columns.empty() ? "" : ",") + column;
    }
    const auto begun = connection.exchange("COPY " + table + " (" + columns + ") FROM STDIN");
    if (!begun.ok()) return to_error(begun, "copying").message;
    connection.put(rows, patience_);
    connection.put_end(nullptr, patience_);
    const auto copied = connection.receive(patience_);
    return copied.ok() ? "" : to_error(copied, "copying").message;
  }

  Database& database_;
  std::vector<std::string> rows_{"{", "{", "{"};
  std::size_t count_ = 0;
  Table table_;
  Shared shared_;
  std::chrono::milliseconds patience_ = std::chrono::seconds(30);
};

}  // namespace

TEST_CASE("no setting that a role can have changes what is stored") {
  Database database;
  create_all_types(database);
  Corpus corpus(database);
  REQUIRE(corpus.columns() > 80);
  const auto usual = corpus.store("");
  INFO(usual);
  REQUIRE(usual.starts_with("("));
  std::size_t tried = 0;
  for (const auto& row : database.rows(
           "SELECT lower(name), vartype, array_to_string(enumvals, ','), min_val, max_val, setting "
           "FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY 1")) {
    for (const auto& other : others_of(row)) {
      const bool list = row[0] == "search_path" || row[0] == "datestyle";
      const auto stored =
          corpus.store("SET " + row[0] + " = " + (list ? other : "'" + other + "'"));
      if (stored == "cannot be set") continue;
      ++tried;
      if (stored == usual || (may_refuse(row[0]) && !stored.starts_with("("))) continue;
      const auto same = std::ranges::mismatch(stored, usual).in1 - stored.begin();
      const auto from = static_cast<std::size_t>(std::max<std::ptrdiff_t>(same - 60, 0));
      FAIL_CHECK(row[0] << " = " << other
                        << "\n  usual: " << usual.substr(std::min(from, usual.size()), 120)
                        << "\n  then:  " << stored.substr(from, 120));
    }
  }
  CHECK(tried > 150);
}
