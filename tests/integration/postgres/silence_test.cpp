// What is told while PostgreSQL does not answer.
#include <fmt/format.h>
#include <future>
#include <memory>
#include <pqxx/pqxx>

#include "integration/postgres/rig.hpp"
#include "support/told.hpp"

using namespace semel;
using namespace semel::test;

TEST_CASE("a row that waits for a lock is told of, and so is who holds it, wherever it waits") {
  Database database;
  const bool at_commit = GENERATE(true, false);
  const bool isolate = GENERATE(true, false);
  INFO("at COMMIT: " << at_commit << ", isolate: " << isolate);
  database.sql(fmt::format("CREATE TABLE t (id bigint UNIQUE {})",
                           at_commit ? "DEFERRABLE INITIALLY DEFERRED" : ""));
  auto options = database.options();
  options.told_after_ms = 100;
  Told told;
  options.log = told.log();
  Writer writer(options, "a");
  writer.start();
  auto task = writer.task(0, 5);
  task.isolate = isolate;
  pqxx::connection other(database.dsn);
  auto locks = std::make_unique<pqxx::work>(other);
  const auto pid = locks->exec("SELECT pg_backend_pid()")[0][0].as<int>();
  locks->exec("SET LOCAL application_name = 'by hand'; INSERT INTO t VALUES (3)");
  auto stored = std::async(std::launch::async, [&] { return writer.run(task, id_only); });
  const auto holder = fmt::format("session {} (user postgres, application by hand)", pid);
  CHECK(eventually([&] {
    const auto lines = told.all();
    const auto first = lines.find(holder);
    return first != std::string::npos && lines.find(holder, first + 1) != std::string::npos;
  }));
  CHECK_THAT(told.all(), Catch::Contains("clicks[0] [0, 5)") && Catch::Contains("\"t\""));
  locks.reset();
  CHECK(committed(stored.get()).rows == 5);
}
