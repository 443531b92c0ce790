// Databases that are not UTF-8.
#include <fmt/format.h>
#include <pqxx/pqxx>

#include "integration/postgres/rig.hpp"
#include "support/process.hpp"

using namespace semel;
using namespace semel::test;

TEST_CASE("a database of any encoding takes what it can store, and sets the rest aside") {
  struct Case {
    const char* encoding;
    const char* text;   ///< that it has
    bool takes_smiley;  ///< a character that is in no old encoding
  };
  const auto [encoding, text, takes_smiley] =
      GENERATE(Case{"LATIN1", "caf\xC3\xA9", false},
               Case{"EUC_JP", "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", false},
               Case{"SQL_ASCII", "\xE6\x97\xA5", true});
  const Database server;
  const auto name = unique_name("encoded");
  server.sql(
      fmt::format("CREATE DATABASE {} ENCODING '{}' TEMPLATE template0 LC_COLLATE 'C' "
                  "LC_CTYPE 'C'",
                  name, encoding));
  Database database = server;
  database.dsn = PostgresServer::shared().dsn(name);
  database.sql("CREATE TABLE t (id bigint, v text)");
  const std::string good = text;
  const auto values = [&](Offset offset) {
    return fmt::format(R"({{"id": {}, "v": "{}"}})", offset,
                       offset == 3   ? "\xF0\x9F\x98\x80"
                       : offset == 4 ? "caf\\u0000"
                                     : good);
  };
  {
    Writer writer(database.options(), "a");
    writer.start();
    const auto counts = committed(writer.run_isolating(writer.task(0, 10), values));
    CHECK(counts.rows == (takes_smiley ? 9 : 8));
    CHECK(counts.dead_letters == (takes_smiley ? 1 : 2));
    writer.sink->leave("a reason with caf\xC3\xA9 and \xF0\x9F\x98\x80");
  }
  pqxx::connection utf8(database.dsn);
  if (std::string(encoding) != "SQL_ASCII") utf8.set_client_encoding("UTF8");
  pqxx::nontransaction reader(utf8);
  CHECK(reader.exec("SELECT v FROM t WHERE id = 0")[0][0].as<std::string>() == good);
  for (const auto row : reader.exec("SELECT reason, value FROM semel_dead_letters")) {
    CHECK_FALSE(row[0].as<std::string>().empty());
    CHECK_FALSE(row[1].is_null());
  }
  const auto ledger = must(postgres::open_ledger(database.options(), "pipe", "out"));
  CHECK(must(ledger->owner())->state == OwnerState::failed);
  CHECK_THAT(must(ledger->owner())->reason, Catch::Contains("a reason with caf"));
  for (const auto& finding : postgres::check(database.options())) CHECK(finding.ok);
  server.sql("DROP DATABASE " + name + " WITH (FORCE)");
}
