// Prometheus's own tool reads what a real run wrote.
#include <cstdlib>
#include <iostream>

#include "support/catch.hpp"
#include "support/pipeline_rig.hpp"
#include "support/servers.hpp"

using namespace semel::test;

namespace {

bool promtool_available() {
  if (!std::string(SEMEL_PROMTOOL).empty()) return true;
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string(ci) == "true") {
    FAIL("promtool is missing, and with CI=true nothing may be skipped");
  }
  std::cout << "skipped: " << Catch::getResultCapture().getCurrentTestName()
            << ": promtool is missing (scripts/install-packages --test)\n";
  return false;
}

}  // namespace

TEST_CASE("promtool finds nothing to complain about") {
  if (!promtool_available()) return;
  if (!kafka_available()) return;
  Rig rig(2);
  rig.produce(1'000);
  rig.produce_value("no JSON");
  const TempDir dir;
  const auto file = dir / "clicks.prom";
  rig.finish("run", {"--once", "--metrics-file", file});
  const auto checked =
      run({.argv = {SEMEL_PROMTOOL, "check", "metrics"}, .input = read_file(file)});
  INFO(checked.out + checked.err);
  CHECK(checked.code == 0);
  CHECK((checked.out + checked.err).empty());
}
