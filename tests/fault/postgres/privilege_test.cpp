// Privileges that are taken away while a pipeline runs: a clear end, no dead letters, and nothing
// missing once they are given back.
#include <fmt/format.h>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

struct Revocation {
  std::string what;   ///< "INSERT ON events"
  std::string named;  ///< must be in the message
};

void revoke_and_grant(const Revocation& revocation) {
  INFO(revocation.what);
  Rig rig(2);
  // The ledger is made by an administrator, the role may only do what it needs.
  rig.produce(100);
  rig.configure(std::string(quick));
  rig.drain();
  const auto role = unique_name("writer");
  rig.sql(fmt::format(
      "CREATE ROLE {0} LOGIN; GRANT USAGE ON SCHEMA public TO {0}; GRANT {1} ON events TO {0}; "
      "GRANT SELECT, INSERT, UPDATE, DELETE ON semel_owners, semel_progress, semel_commits, "
      "semel_dead_letters TO {0}",
      role, rig.privileges()));
  rig.through_dsn(rig.dsn() + "?user=" + role);
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(100));
  rig.sql("REVOKE " + revocation.what + " FROM " + role);
  expect_end(semel, 4, {"42501", "permission denied", revocation.named, "Grant"});
  load.finish();
  expect_no_dead_letters(rig);
  // Not a byte further while it is missing: neither rows nor ledger.
  const auto before = rig.rows();
  const auto again = rig.finish("run", {"--once"});
  CHECK(again.code == 4);
  CHECK(rig.rows() == before);
  rig.sql("GRANT " + revocation.what + " TO " + role);
  rig.drain();
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}

}  // namespace

TEST_CASE("a privilege revoked while running ends the run with a remedy, and no record suffers") {
  if (!kafka_available()) return;
  revoke_and_grant({"INSERT ON events", "events"});
  revoke_and_grant({"UPDATE ON semel_progress", "semel_progress"});
  revoke_and_grant({"INSERT ON semel_commits", "semel_commits"});
}

TEST_CASE("a privilege on the dead letters is needed only by a dead letter") {
  if (!kafka_available()) return;
  Rig rig(1);
  rig.configure(std::string(quick));
  rig.produce(100);
  rig.drain();
  const auto role = unique_name("writer");
  rig.sql(fmt::format(
      "CREATE ROLE {0} LOGIN; GRANT USAGE ON SCHEMA public TO {0}; GRANT {1} ON events TO {0}; "
      "GRANT SELECT, INSERT, UPDATE, DELETE ON semel_owners, semel_progress, semel_commits TO {0}",
      role, rig.privileges()));
  rig.through_dsn(rig.dsn() + "?user=" + role);
  rig.configure(std::string(quick));
  rig.produce(100);
  rig.drain();
  rig.produce_value("not json");
  const auto refused = rig.finish("run", {"--once"});
  CHECK(refused.code == 4);
  CHECK_THAT(refused.err, Catch::Contains("42501") && Catch::Contains("semel_dead_letters"));
  rig.sql("GRANT INSERT ON semel_dead_letters TO " + role);
  rig.drain();
  CHECK(rig.number("SELECT count(*) FROM semel_dead_letters") == 1);
  rig.expect_exactly_once();
}

TEST_CASE("a role that may not log in any more ends the run by name, and goes on when it may") {
  if (!kafka_available()) return;
  Rig rig(1);
  const auto role = unique_name("writer");
  rig.sql(fmt::format("CREATE ROLE {} LOGIN SUPERUSER", role));
  rig.through_dsn(rig.dsn() + "?user=" + role);
  rig.configure(std::string(quick));
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(0));
  rig.sql(fmt::format("ALTER ROLE {} NOLOGIN", role));
  // Again and again: one that was just being let in goes on with all the work otherwise.
  CHECK(eventually([&] {
    rig.sql(fmt::format(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{}'", role));
    return !semel.running();
  }));
  expect_end(semel, 4, {"28000", role, "sink.postgres.dsn"});
  load.finish();
  rig.sql(fmt::format("ALTER ROLE {} LOGIN", role));
  rig.drain();
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}
