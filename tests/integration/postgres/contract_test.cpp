#include "contract/sink_contract.hpp"

#include <fmt/format.h>
#include <pqxx/pqxx>

#include "integration/postgres/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

class PostgresSubject final : public contract::Subject {
 public:
  PostgresSubject() { database_.sql("CREATE TABLE t (id bigint NOT NULL, o bigint)"); }

  std::unique_ptr<Sink> open(const Owner& owner) override {
    auto options = database_.options();
    options.columns = {{"o", "@offset"}};
    return must(postgres::make_sink(options, owner));
  }
  std::unique_ptr<Ledger> ledger(const std::string& pipeline, const std::string& output) override {
    return must(postgres::open_ledger(database_.options(), pipeline, output));
  }
  std::string good_value(Offset offset) override { return id_only(offset); }
  std::string bad_value() override { return R"({"id": "not a number"})"; }
  std::vector<Offset> stored() override { return offsets("SELECT o FROM t ORDER BY o"); }
  std::vector<Offset> dead() override {
    return offsets("SELECT \"offset\" FROM semel_dead_letters ORDER BY 1");
  }
  void lose_positions() override { database_.sql("DELETE FROM semel_progress"); }

 private:
  std::vector<Offset> offsets(const std::string& query) const {
    pqxx::connection connection(database_.dsn);
    pqxx::nontransaction transaction(connection);
    std::vector<Offset> all;
    for (const auto row : transaction.exec(query)) all.push_back(row[0].as<Offset>());
    return all;
  }

  Database database_;
};

}  // namespace

TEST_CASE("the PostgreSQL sink keeps the contract of sinks") {
  contract::sink_contract([] { return std::make_unique<PostgresSubject>(); });
}

TEST_CASE("the PostgreSQL sink keeps the contract of batches") {
  contract::batch_contract([] { return std::make_unique<PostgresSubject>(); });
}
