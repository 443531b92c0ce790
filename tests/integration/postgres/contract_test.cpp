#include <semel/contract/catch2.hpp>

#include <fmt/format.h>
#include <pqxx/pqxx>

#include "contract/letters.hpp"
#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

class PostgresSubject final : public contract::Subject {
 public:
  PostgresSubject(Delivery delivery, postgres::Write write) : delivery_(delivery), write_(write) {
    database_.sql("CREATE TABLE t (id bigint, text text, o bigint, k text, topic text, p int)");
    if (write == postgres::Write::upsert) database_.sql("CREATE UNIQUE INDEX ON t (topic, p, o)");
  }

  std::unique_ptr<Sink> open(const Owner& owner) override {
    auto options = database_.options();
    options.columns = {{"o", "@offset"}, {"k", "@key"}, {"topic", "@topic"}, {"p", "@partition"}};
    options.write = write_;
    if (write_ == postgres::Write::upsert) options.key = {"topic", "p", "o"};
    options.delivery = delivery_;
    return must(postgres::make_sink(options, owner));
  }
  std::unique_ptr<Ledger> ledger(const std::string& pipeline, const std::string& output) override {
    return must(postgres::open_ledger(database_.options(), pipeline, output));
  }
  std::string good_value(Offset offset) override { return id_only(offset); }
  std::optional<std::string> bad_value() override { return R"({"id": "not a number"})"; }
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
    pqxx::connection connection(database_.dsn);
    pqxx::nontransaction transaction(connection);
    std::map<Offset, std::string> all;
    for (const auto row : transaction.exec("SELECT o, k, json_build_object('id', id, 'text', text) "
                                           "FROM t")) {
      all[row[0].as<Offset>()] = contract::text_of(
          row[1].is_null() ? std::nullopt : std::optional(row[1].as<std::string>()),
          kept(nlohmann::json::parse(row[2].as<std::string>())));
    }
    return all;
  }
  std::optional<std::string> expected_dead(const Record& record) override {
    return contract::letter_of(record);
  }
  std::map<Offset, std::string> dead_contents() override {
    pqxx::connection connection(database_.dsn);
    pqxx::nontransaction transaction(connection);
    const auto rows = transaction.exec(
        "SELECT \"offset\", json_build_object('key_base64', translate(encode(key, 'base64'), "
        "E'\\n', "
        "''), 'value_base64', translate(encode(value, 'base64'), E'\\n', ''), 'headers', "
        "convert_from(headers, 'UTF8')::json, 'timestamp_ms', timestamp_ms) FROM "
        "semel_dead_letters");
    std::map<Offset, std::string> all;
    for (const auto row : rows) {
      all[row[0].as<Offset>()] =
          contract::letter_of(nlohmann::json::parse(row[1].as<std::string>()));
    }
    return all;
  }
  std::map<Offset, std::string> dead_reasons() override {
    pqxx::connection connection(database_.dsn);
    pqxx::nontransaction transaction(connection);
    std::map<Offset, std::string> all;
    for (const auto row : transaction.exec("SELECT \"offset\", reason FROM semel_dead_letters")) {
      all[row[0].as<Offset>()] = row[1].as<std::string>();
    }
    return all;
  }
  bool lose_positions() override {
    database_.sql("DELETE FROM semel_progress");
    return true;
  }
  std::shared_ptr<void> hold_up() override {
    struct Lock {
      pqxx::connection connection;
      pqxx::work transaction{connection};
      explicit Lock(const std::string& dsn) : connection(dsn) {
        transaction.exec0("LOCK TABLE semel_owners, semel_progress IN ACCESS EXCLUSIVE MODE");
      }
    };
    return std::make_shared<Lock>(database_.dsn);
  }

 private:
  static std::string kept(const nlohmann::json& value) {
    return value.value("id", nlohmann::json()).dump() +
           value.value("text", nlohmann::json()).dump();
  }
  std::vector<Offset> offsets(const std::string& query) const {
    pqxx::connection connection(database_.dsn);
    pqxx::nontransaction transaction(connection);
    std::vector<Offset> all;
    for (const auto row : transaction.exec(query)) all.push_back(row[0].as<Offset>());
    return all;
  }

  Database database_;
  Delivery delivery_;
  postgres::Write write_;
};

contract::MakeSubject subjects(Delivery delivery, postgres::Write write = postgres::Write::append) {
  return [=] { return std::make_unique<PostgresSubject>(delivery, write); };
}

}  // namespace

TEST_CASE("the PostgreSQL sink keeps the contract of sinks") {
  contract::run_in_catch2(subjects(Delivery::exactly_once), Guarantee::transactional,
                          {.keeps_state = true, .forgets = true});
}

TEST_CASE("the PostgreSQL sink keeps the contract where its rows are merged by their key") {
  contract::run_in_catch2(subjects(Delivery::exactly_once, postgres::Write::upsert),
                          Guarantee::transactional, {.keeps_state = true, .forgets = true});
}

TEST_CASE("with a weaker delivery, the PostgreSQL sink keeps what is left of the contract") {
  const auto delivery = GENERATE(Delivery::at_least_once, Delivery::at_most_once);
  contract::run_in_catch2(subjects(delivery), Guarantee::none);
}
