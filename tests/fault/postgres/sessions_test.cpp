// Fewer sessions than executors and ledger want: by a role's limit, as by small servers and
// proxies.
#include <fmt/format.h>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

TEST_CASE("all partitions get their turn, however few sessions the role may have") {
  if (!kafka_available()) return;
  Rig rig(6);
  const auto role = unique_name("few");
  rig.sql(
      fmt::format("CREATE ROLE {0} LOGIN; GRANT ALL ON SCHEMA public TO {0}; "
                  "GRANT ALL ON events TO {0}",
                  role));
  rig.through_dsn(rig.dsn() + "?user=" + role);
  rig.configure(std::string(quick));
  for (const int limit : {3, 2, 1}) {
    INFO(limit);
    rig.sql(fmt::format("ALTER ROLE {} CONNECTION LIMIT {}", role, limit));
    rig.produce(3'000);
    rig.drain();
    CHECK(rig.rows() == rig.produced());
    const auto checked = rig.finish("check");
    CHECK(checked.code == 0);
    CHECK_THAT(checked.out, Catch::Contains(fmt::format("5 sessions are wanted, and {}", limit)));
  }
  // Under load, and with the ledger asked all the time.
  Load load(rig);
  auto semel = rig.start();
  REQUIRE(rig.grows(rig.rows() + 5'000));
  load.finish();
  finish_well(rig, semel);
}
