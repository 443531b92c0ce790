// What the bench takes from a process's metrics.
#include "bench/semel/told.hpp"

#include <cmath>

#include "http/server.hpp"
#include "metrics/file.hpp"
#include "metrics/pipeline.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using namespace semel;
using namespace std::chrono_literals;

namespace {

std::string page_of(const metrics::PipelineMetrics& pipeline) {
  metrics::Page page;
  pipeline.collect(page, 0);
  return page.text();
}

}  // namespace

TEST_CASE("figures are read from a page as a process writes it") {
  metrics::PipelineMetrics pipeline("clicks", {"default"});
  auto& output = pipeline.output("default");
  CHECK(bench::figures_in(page_of(pipeline)).first_read == 0);
  output.read(7, 70);
  output.committed(7, 70, {.rows = 7});
  output.driver_cost.add({.deciding = 1ms, .obeying = 3ms, .planned = {{{1}, 2ms}}, .done = {{1}}});
  const auto figures = bench::figures_in(page_of(pipeline));
  CHECK(figures.read == 7);
  // A page has them to the microsecond.
  CHECK(std::abs(figures.first_read - output.first_read_seconds.Value()) < 1e-6);
  CHECK(std::abs(figures.last_commit - output.last_progress_seconds.Value()) < 1e-6);
  CHECK(figures.driver.batches == 1);
  const auto about = [](std::int64_t measured, std::int64_t expected) {
    return measured >= expected && measured - expected <= expected / 16;
  };
  CHECK(about(figures.driver.batch.median_ns, 4'000'000));
  CHECK(about(figures.driver.deciding.p99_ns, 1'000'000));
  CHECK(about(figures.driver.syncing.median_ns, 2'000'000));
}

TEST_CASE("what a killed process told last is kept, what one wrote at its end is more") {
  const test::TempDir dir;
  metrics::PipelineMetrics pipeline("clicks", {"default"});
  // As at its start.
  REQUIRE(metrics::write_file(dir / "prom", page_of(pipeline)));
  pipeline.output("default").read(5, 0);
  bench::Told told;
  {
    const auto server =
        http::Server::start({.listen = *http::parse_address(":0"), .names = {}},
                            {{"/metrics", [&] { return http::Page{.text = page_of(pipeline)}; }}});
    REQUIRE(server);
    told = bench::Told((*server)->address(), dir / "prom");
    told.ask();
  }
  CHECK(told.figures().read == 5);
  told.ask();  // it is gone
  told.look_into_file();
  CHECK(told.figures().read == 5);
  pipeline.output("default").read(1, 0);
  REQUIRE(metrics::write_file(dir / "prom", page_of(pipeline)));
  told.look_into_file();
  CHECK(told.figures().read == 6);
}
