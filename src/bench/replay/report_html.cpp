// The report as one page that needs nothing from anywhere else.
#include <fmt/format.h>
#include <algorithm>

#include "bench/charts.hpp"
#include "bench/result.hpp"
#include "bench/statistics.hpp"
#include "bench/words.hpp"

namespace semel::bench {

namespace {

constexpr auto style = R"(
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5d6675; --paper: #ffffff; --line: #dfe3e8;
  --curve: #2563eb; --good: #15803d; --bad: #c2410c; --plain: #64748b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa4b2; --paper: #12161d;
  --line: #2b323d; --curve: #7aa2ff; --good: #4ade80; --bad: #fb923c; --plain: #94a3b8; } }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; } p { margin: .3rem 0; }
.soft, footer { color: var(--soft); } .verdict { font-weight: 600; }
.verdict.good { color: var(--good); } .verdict.bad { color: var(--bad); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; } th { font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
td.good { color: var(--good); } td.bad { color: var(--bad); font-weight: 600; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--line); } .curve { fill: none; stroke: var(--curve); stroke-width: 2; }
.kill line { stroke: var(--bad); stroke-dasharray: 2 4; opacity: .6; }
.kill circle { fill: var(--bad); stroke: var(--paper); stroke-width: 1.5; }
rect.good { fill: var(--good); } rect.bad { fill: var(--bad); } rect.plain { fill: var(--plain); }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .8rem; font-size: .85rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0; }
dd { margin: 0; overflow-wrap: anywhere; } code { overflow-wrap: anywhere; }
)";

std::string cell(const std::string& text, const char* style = "") {
  return *style != '\0' ? fmt::format("<td class=\"{}\">{}</td>", style, escaped(text))
                        : fmt::format("<td>{}</td>", escaped(text));
}

std::string counted(std::int64_t number) {
  return cell(grouped(number), number == 0 ? "good" : "bad");
}

std::string in_ms(const std::optional<double>& value) {
  return value ? fmt::format("{:.0f} ms", *value) : "–";
}

std::string table_row(const Contender& contender, std::int64_t records) {
  const auto calm = rows_per_second(contender.calm, records);
  auto row = "<tr>" + cell(to_string(contender.kind)) + cell(grouped(calm));
  const auto& run = contender.stormy ? *contender.stormy : contender.calm;
  if (contender.stormy) {
    const auto restarts = first_commits_ms(run);
    row += cell(grouped(rows_per_second(run, records)));
    row += cell(fmt::format("{:.2f}", calm > 0 ? rows_per_second(run, records) / calm : 0));
    row += cell(std::to_string(run.kills.size())) + cell(in_ms(median(restarts)));
    row += cell(in_ms(percentile(restarts, 99))) + cell(in_ms(run.last_restart_to_end_ms));
    row += cell(grouped(read_again(run, records)));
    row += cell(run.rolled_back ? grouped(*run.rolled_back) : "–");
  } else {
    for (int i = 0; i < 8; ++i) row += cell("–");
  }
  return row + counted(run.verdict.lost) + counted(run.verdict.duplicated) + "</tr>\n";
}

std::string main_table(const Report& report) {
  std::string html =
      "<div class=\"wide\"><table><tr><th></th><th>rows/s<br>without kills</th><th>rows/s<br>with "
      "kills</th><th>ratio</th><th>kills</th><th>restart →<br>first row,<br>median</th><th>p99</th>"
      "<th>last restart →<br>the end</th><th>records<br>read again</th><th>rows<br>rolled back</th>"
      "<th>lost</th><th>duplicated</th></tr>\n";
  for (const auto& contender : report.contenders) {
    html += table_row(contender, report.plan.records);
  }
  return html + "</table></div>\n";
}

std::string progress_charts(const Report& report) {
  double seconds = 0;
  for (const auto& contender : report.contenders) {
    if (contender.stormy) seconds = std::max(seconds, contender.stormy->seconds);
  }
  std::string html =
      "<h2>Committed rows over time</h2>\n<p class=\"soft\">Each dot is a kill. All "
      "curves have the same scale.</p>\n";
  for (const auto& contender : report.contenders) {
    if (!contender.stormy) continue;
    html += fmt::format("<h3>{}</h3><p class=\"soft\">{}</p>\n{}\n",
                        escaped(to_string(contender.kind)), escaped(description(contender.kind)),
                        progress_chart(*contender.stormy, report.plan.records, seconds));
  }
  return html;
}

std::string restart_bars(const Report& report) {
  std::vector<Bar> bars;
  for (const auto& contender : report.contenders) {
    if (!contender.stormy) continue;
    const auto restarts = first_commits_ms(*contender.stormy);
    const auto name = to_string(contender.kind);
    if (const auto value = median(restarts)) {
      bars.push_back({name + ", median", *value, in_ms(value), "plain"});
      const auto worst = percentile(restarts, 99);
      bars.push_back({name + ", p99", *worst, in_ms(worst), "plain"});
    }
  }
  return "<h2>From the restart to the first new committed row</h2>\n" +
         bar_chart(bars, "restart to first row") + "\n";
}

std::string damage_bars(const Report& report) {
  std::vector<Bar> bars;
  for (const auto& contender : report.contenders) {
    if (!contender.stormy) continue;
    const auto name = to_string(contender.kind);
    const auto bar = [&](const char* what, std::int64_t count) {
      bars.push_back({fmt::format("{}, {}", name, what), static_cast<double>(count), grouped(count),
                      count == 0 ? "good" : "bad"});
    };
    bar("lost", contender.stormy->verdict.lost);
    bar("duplicated", contender.stormy->verdict.duplicated);
  }
  return "<h2>Rows lost and duplicated</h2>\n" + bar_chart(bars, "rows lost and duplicated") + "\n";
}

}  // namespace

std::string html_report(const Report& report) {
  const auto& plan = report.plan;
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>semel: replay after crashes</title>"
      "<style>{}</style></head><body>\n<h1>Replay after crashes</h1>\n",
      style);
  html += fmt::format(
      "<p>{} records of {} bytes in {} partitions; transactions of at most {} "
      "records; {}, {} times, started again at once.</p>\n",
      grouped(plan.records), plan.record_size, plan.partitions, grouped(report.transaction_records),
      signal_name(plan.signal), plan.kills);
  html += report.exactly_once()
              ? "<p class=\"verdict good\">semel lost nothing and duplicated nothing.</p>\n"
              : "<p class=\"verdict bad\">semel was NOT exactly once. This is a bug.</p>\n";
  html += "<h2>Every way, without kills and with them</h2>\n" + main_table(report);
  for (const auto& contender : report.contenders) {
    const auto text = remarks(contender, report);
    if (!text.empty()) html += "<p class=\"soft\">" + escaped(text) + "</p>\n";
  }
  if (plan.kills > 0) {
    html += progress_charts(report) + restart_bars(report) + damage_bars(report);
  }
  html +=
      "<footer>\n<p>Lost and duplicated are counted in the table itself: every record carries "
      "an id and a proof. Read again: records that came from Kafka more than once, counted by "
      "the processes in shared memory up to their last instruction. Rolled back: rows that "
      "PostgreSQL had taken and threw away, by its own statistics.</p>\n<dl>\n";
  const auto fact = [&](const std::string& name, const std::string& value) {
    html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value));
  };
  fact("date", report.date);
  fact("command", report.command);
  fact("seed", std::to_string(plan.seed));
  for (const auto& [name, value] : report.machine) fact(name, value);
  return html + "</dl>\n</footer>\n</body></html>\n";
}

}  // namespace semel::bench
