// The reports of `semel bench throughput`. docs/guides/measuring.md describes them.
#include <fmt/format.h>
#include <algorithm>

#include "bench/semel/charts.hpp"
#include "bench/semel/json.hpp"
#include "bench/semel/page.hpp"
#include "bench/semel/text_table.hpp"
#include "bench/semel/throughput/result.hpp"
#include "bench/semel/words.hpp"

namespace semel::bench {

namespace {

constexpr auto good = "every run: nothing lost, nothing duplicated, every row as produced.";
constexpr auto bad = "NOT EXACTLY ONCE. This is a bug: please report it.";

std::string heading(const ThroughputReport& report) {
  const auto& setup = report.setup;
  return fmt::format("{} records of {} bytes, {} partitions, {} runs into a fresh table each",
                     grouped(setup.records), setup.record_size, setup.partitions,
                     report.runs.size());
}

/// Name, rows/s, rows/s in steady state, CPU, memory.
Row cells(const std::string& name, const ThroughputFigures& figures) {
  return {name, grouped(figures.rows_per_second), grouped(figures.steady_rows_per_second),
          fmt::format("{:.2f}", figures.cpu_seconds_per_million),
          figures.peak_memory_mib ? fmt::format("{:.0f} MiB", *figures.peak_memory_mib) : "–"};
}

std::vector<Row> rows_of(const ThroughputReport& report) {
  std::vector<Row> rows;
  int nth = 0;
  for (const auto& run : report.runs) {
    auto row = cells(fmt::format("run {}", ++nth), figures_of(run, report.setup.records));
    row.push_back(run.load ? fmt::format("{:.1f}", *run.load) : "–");
    row.push_back(grouped(run.comparison.lost));
    row.push_back(grouped(run.comparison.duplicated));
    rows.push_back(std::move(row));
  }
  auto row = cells("median", medians_of(report));
  row.insert(row.end(), 3, "");
  rows.push_back(std::move(row));
  return rows;
}

Json json_of(const ThroughputFigures& figures) {
  return {{"rows_per_second", figures.rows_per_second},
          {"steady_rows_per_second", figures.steady_rows_per_second},
          {"cpu_seconds_per_million_rows", figures.cpu_seconds_per_million},
          {"peak_memory_mib", or_null(figures.peak_memory_mib)}};
}

}  // namespace

std::string text_report(const ThroughputReport& report) {
  std::vector<Row> rows{
      {"", "rows/s", "rows/s", "CPU s per", "peak", "load", "", ""},
      {"", "start to exit", "steady", "M rows", "memory", "before", "lost", "duplicated"}};
  for (auto& row : rows_of(report)) rows.push_back(std::move(row));
  return fmt::format("{}\n\n{}\nsemel: {}\n", heading(report), text_table(rows),
                     report.exactly_once() ? good : bad);
}

std::string json_report(const ThroughputReport& report) {
  const auto& setup = report.setup;
  auto json = json_of(report.origin, "semel bench throughput");
  json["records"] = setup.records;
  json["record_size"] = setup.record_size;
  json["partitions"] = setup.partitions;
  json["exactly_once"] = report.exactly_once();
  json["median"] = json_of(medians_of(report));
  json["runs"] = Json::array();
  for (const auto& run : report.runs) {
    auto one = json_of(figures_of(run, setup.records));
    one["seconds"] = run.seconds;
    one["steady_seconds"] = run.steady_seconds;
    one["cpu_seconds"] = run.cpu_seconds;
    one["load_average_before"] = or_null(run.load);
    one.update(json_of(run.comparison));
    json["runs"].push_back(std::move(one));
  }
  return json.dump(2) + "\n";
}

std::string html_report(const ThroughputReport& report) {
  auto html = fmt::format("<p>{}.</p>\n", escaped(heading(report)));
  html += verdict_line(report.exactly_once(), report.exactly_once() ? good : bad);
  html +=
      "<div class=\"wide\"><table><tr><th></th><th>rows/s,<br>start to exit</th><th>rows/s,"
      "<br>steady state</th><th>CPU s per<br>M rows</th><th>peak memory</th><th>load average"
      "<br>before</th><th>lost</th><th>duplicated</th></tr>\n";
  for (const auto& row : rows_of(report)) {
    html += "<tr>";
    for (const auto& text : row) html += cell(text);
    html += "</tr>\n";
  }
  html += "</table></div>\n<h2>Rows per second</h2>\n";
  std::vector<Bar> bars;
  int nth = 0;
  for (const auto& run : report.runs) {
    const auto figures = figures_of(run, report.setup.records);
    const auto bar = [&](const char* what, double value) {
      bars.push_back({fmt::format("run {}, {}", nth, what), value, grouped(value), "plain"});
    };
    ++nth;
    bar("start to exit", figures.rows_per_second);
    bar("steady", figures.steady_rows_per_second);
  }
  html += bar_chart(bars, "rows per second") + "\n";
  return page("Throughput", html,
              "Start to exit: from just before fork() to the end of `semel run --once`. Steady "
              "state: from the first record that the sink was handed to the last commit. CPU and "
              "memory are those of the semel process alone, not of broker and database.",
              {}, report.origin);
}

}  // namespace semel::bench
