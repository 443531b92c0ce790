// The reports are made from values: complete, well formed, and in need of nothing from elsewhere.
#include <nlohmann/json.hpp>

#include "bench/semel/charts.hpp"
#include "bench/semel/latency/result.hpp"
#include "bench/semel/replay/progress_chart.hpp"
#include "bench/semel/replay/result.hpp"
#include "bench/semel/throughput/result.hpp"
#include "bench/semel/words.hpp"
#include "support/catch.hpp"

using namespace semel::bench;

namespace {

Run run_of(std::int64_t lost, std::int64_t duplicated) {
  Run run;
  run.seconds = 2;
  run.working_seconds = 1.5;
  run.samples = {{0.5, 400}, {2, 1'000}};
  run.kills = {{1, 400, 20.0, 150.0}, {1.5, 700, std::nullopt, 250.0}};
  run.interval_s = 0.1;
  run.read = 1'300;
  run.rolled_back = 200;
  run.comparison = {lost, duplicated, 0, lost == 0 && duplicated == 0};
  return run;
}

Report report_of() {
  Report report;
  report.plan.setup.records = 1'000;
  report.plan.kills = 3;
  report.plan.kinds = {Kind::semel, Kind::at_least_once};
  report.origin.command = "semel bench replay --set a=<b>";
  report.origin.date = "2026-11-21 12:00 UTC";
  report.origin.machine = {{"machine", "2 × \"fast\" & <quiet>"}};
  report.contenders = {{Kind::semel, run_of(0, 0), run_of(0, 0)},
                       {Kind::at_least_once, run_of(0, 0), run_of(0, 300)}};
  return report;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the page refers to nothing outside itself") {
  const auto html = html_report(report_of());
  for (const auto* outside : {"http:", "https:", "src=", "href=", "url(", "@import", "<link",
                              "<script", "<iframe", "<img"}) {
    CAPTURE(outside);
    CHECK_FALSE(has(html, outside));
  }
  for (const auto* part : {"<svg", "prefers-color-scheme: dark", "2026-11-21 12:00 UTC",
                           "semel lost nothing", "at-least-once, duplicated"}) {
    CAPTURE(part);
    CHECK(has(html, part));
  }
}

TEST_CASE("what comes from outside is text in the page, not markup") {
  const auto html = html_report(report_of());
  CHECK(has(html, "--set a=&lt;b&gt;"));
  CHECK(has(html, "2 × &quot;fast&quot; &amp; &lt;quiet&gt;"));
  CHECK_FALSE(has(html, "<quiet>"));
}

TEST_CASE("JSON holds every number") {
  const auto json = nlohmann::json::parse(json_report(report_of()));
  CHECK(json["exactly_once"] == true);
  CHECK(json["machine"]["machine"] == "2 × \"fast\" & <quiet>");
  REQUIRE(json["pipelines"].size() == 2);
  const auto& kills = json["pipelines"][1]["with_kills"];
  CHECK(kills["duplicated"] == 300);
  CHECK(kills["lost"] == 0);
  CHECK(kills["rows_per_second"] == 500.0);
  CHECK(kills["records_read_again"] == 300);
  CHECK(kills["rows_rolled_back"] == 200);
  CHECK(kills["restart_to_first_commit_ms"]["median"] == 200.0);
  CHECK(kills["restart_to_first_commit_ms"]["p99"] == 250.0);
  CHECK(kills["kills"][1]["restart_to_first_read_ms"].is_null());
  CHECK(kills["committed"].size() == 2);
}

TEST_CASE("the table has a line for each way, and says what a reader must know") {
  const auto text = text_report(report_of());
  CHECK(has(text, "at-least-once"));
  CHECK(has(text, "300"));
  CHECK(has(text, "only 2 of 3 kills were made"));
  CHECK(has(text, "nothing lost, nothing duplicated"));
}

TEST_CASE("the throughput of several runs is their median, run by run beside it") {
  ThroughputReport report{
      .setup = {.records = 1'000'000, .partitions = 4}, .origin = {}, .runs = {}};
  const Comparison whole{.sums_agree = true};
  report.runs = {{.seconds = 4, .steady_seconds = 2, .cpu_seconds = 1, .comparison = whole},
                 {.seconds = 1, .steady_seconds = 0.5, .cpu_seconds = 3, .comparison = whole},
                 {.seconds = 2, .steady_seconds = 1, .cpu_seconds = 2, .comparison = whole}};
  report.runs[1].peak_memory_kib = 100 * 1'024;
  const auto medians = medians_of(report);
  CHECK(medians.rows_per_second == 500'000);
  CHECK(medians.steady_rows_per_second == 1'000'000);
  CHECK(medians.cpu_seconds_per_million == 2);
  CHECK(medians.peak_memory_mib == 100.0);
  CHECK(has(text_report(report), "nothing lost, nothing duplicated"));
  const auto json = nlohmann::json::parse(json_report(report));
  CHECK(json["runs"][0]["rows_per_second"] == 250'000.0);
  CHECK(json["runs"][0]["peak_memory_mib"].is_null());
  CHECK(json["median"]["cpu_seconds_per_million_rows"] == 2.0);
  CHECK(has(html_report(report), "<svg"));

  report.runs[2].comparison.lost = 1;
  CHECK_FALSE(report.exactly_once());
  CHECK(has(text_report(report), "NOT EXACTLY ONCE"));
  CHECK(has(html_report(report), "NOT EXACTLY ONCE"));
}

TEST_CASE("the report on latency holds percentiles, the difference and the bench's own error") {
  LatencyReport report;
  report.plan.setup.partitions = 2;
  for (int i = 1; i <= 100; ++i) report.steady.visible_ms.push_back(i);
  report.steady.poll_ms_p99 = 1.25;
  report.steady.driver.batches = 7;
  report.steady.driver.batch = {.median_ns = 500'000, .p99_ns = 2'000'000};
  report.small.visible_ms = {5, 6, 7};
  report.small.bare_ms = {1, 2, 3};
  report.comparison.sums_agree = true;
  const auto text = text_report(report);
  for (const auto* part : {"99.00 ms", "100.00 ms", "1.25 ms", "0.50 ms", "4.00 ms beyond",
                           "every record arrived", "an index on (partition, id)"}) {
    CAPTURE(part);
    CHECK(has(text, part));
  }
  const auto json = nlohmann::json::parse(json_report(report));
  CHECK(json["steady"]["visible_ms"]["p99"] == 99.0);
  CHECK(json["steady"]["driver"]["batch_ms"]["median"] == 0.5);
  CHECK(json["small_batches"]["beyond_bare_insert_ms"] == 4.0);
  CHECK(json["small_batches"]["acknowledged_ms"].is_null());
  CHECK(has(html_report(report), "Records at the steady rate"));
  report.comparison.duplicated = 1;
  CHECK(has(text_report(report), "NOT EXACTLY ONCE"));
}

TEST_CASE("the report begins with what a reader should conclude of each way") {
  const auto text = text_report(report_of());
  const auto html = html_report(report_of());
  for (const auto* line : {"semel: after 2 kills, every record is in the table once.",
                           "at-least-once: after 2 kills, 300 rows are too many.",
                           "A new row came 200 ms after a restart (median)."}) {
    CAPTURE(line);
    CHECK(text.find(line) < text.find("rows/s"));
    CHECK(html.find(line) < html.find("<table"));
  }
  CHECK_FALSE(has(text + html, "direct"));
}

TEST_CASE("the curves of all ways are in one drawing, and the legend names them") {
  const auto html = html_report(report_of());
  const auto from = html.find("committed rows over time");
  const auto until = html.find("</svg>", from);
  REQUIRE(until != std::string::npos);
  const auto drawing = html.substr(from, until - from);
  CHECK(has(drawing, "class=\"way c0\""));
  CHECK(has(drawing, "class=\"way c2\""));
  const auto legend = html.substr(html.find("class=\"legend\""));
  CHECK(has(legend, "key c0\"></span><b>semel</b>"));
  CHECK(has(legend, "key c2\"></span><b>at-least-once</b>"));
}

TEST_CASE("only semel decides whether it was exactly once") {
  auto report = report_of();
  CHECK(report.exactly_once());
  report.contenders[0].stormy = run_of(0, 1);
  CHECK_FALSE(report.exactly_once());
  CHECK(has(text_report(report), "NOT EXACTLY ONCE"));
  CHECK(has(html_report(report), "NOT exactly once"));
  report = report_of();
  report.contenders[0].calm = run_of(1, 0);
  CHECK_FALSE(report.exactly_once());
}

TEST_CASE("runs without kills and without rows can be reported as well") {
  auto report = report_of();
  report.plan.kills = 0;
  for (auto& contender : report.contenders) contender.stormy.reset();
  report.contenders[0].calm.samples.clear();
  CHECK_FALSE(text_report(report).empty());
  CHECK_FALSE(html_report(report).empty());
  CHECK(nlohmann::json::parse(json_report(report))["pipelines"][0]["with_kills"].is_null());
  CHECK_FALSE(progress_chart(Report{}).empty());
  CHECK_FALSE(bar_chart({}, "nothing").empty());
}

TEST_CASE("numbers are grouped by thousands") {
  CHECK(grouped(std::int64_t{0}) == "0");
  CHECK(grouped(std::int64_t{-1234567}) == "-1,234,567");
  CHECK(grouped(999.6) == "1,000");
}
