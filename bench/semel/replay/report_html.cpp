// The report as one page that needs nothing from anywhere else.
#include <fmt/format.h>
#include <algorithm>

#include "bench/semel/charts.hpp"
#include "bench/semel/page.hpp"
#include "bench/semel/replay/progress_chart.hpp"
#include "bench/semel/replay/remarks.hpp"
#include "bench/semel/replay/result.hpp"
#include "bench/semel/statistics.hpp"
#include "bench/semel/words.hpp"

namespace semel::bench {

namespace {

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
  return row + counted(run.comparison.lost) + counted(run.comparison.duplicated) + "</tr>\n";
}

std::string main_table(const Report& report) {
  std::string html =
      "<div class=\"wide\"><table><tr><th></th><th>rows/s<br>without kills</th><th>rows/s<br>with "
      "kills</th><th>ratio</th><th>kills</th><th>restart →<br>first row,<br>median</th><th>p99</th>"
      "<th>last restart →<br>the end</th><th>records<br>read again</th><th>rows<br>rolled back</th>"
      "<th>lost</th><th>duplicated</th></tr>\n";
  for (const auto& contender : report.contenders) {
    html += table_row(contender, report.plan.setup.records);
  }
  return html + "</table></div>\n";
}

std::string progress_section(const Report& report) {
  std::string html =
      "<h2>Committed rows over time, with kills</h2>\n<p class=\"soft\">All ways in one picture: "
      "higher is faster, and a level stretch after a dot (a kill) is the time until the next "
      "process commits.</p>\n" +
      progress_chart(report) + "\n<ul class=\"legend\">\n";
  for (const auto& contender : report.contenders) {
    if (!contender.stormy) continue;
    html += fmt::format("<li><span class=\"key c{}\"></span><b>{}</b>: {}</li>\n",
                        static_cast<int>(contender.kind), escaped(to_string(contender.kind)),
                        escaped(description(contender.kind)));
  }
  return html + "</ul>\n";
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
    bar("lost", contender.stormy->comparison.lost);
    bar("duplicated", contender.stormy->comparison.duplicated);
  }
  return "<h2>Rows lost and duplicated</h2>\n" + bar_chart(bars, "rows lost and duplicated") + "\n";
}

}  // namespace

std::string html_report(const Report& report) {
  const auto& plan = report.plan;
  std::string html;
  html += verdict_line(report.exactly_once(), report.exactly_once()
                                                  ? "semel lost nothing and duplicated nothing."
                                                  : "semel was NOT exactly once. This is a bug.");
  html += "<ul>\n";
  for (const auto& line : conclusions(report)) html += "<li>" + escaped(line) + "</li>\n";
  html += fmt::format(
      "</ul>\n<p class=\"soft\">{} records of {} bytes in {} partitions; transactions of at most "
      "{} "
      "records; {}, {} times, started again at once.</p>\n",
      grouped(plan.setup.records), plan.setup.record_size, plan.setup.partitions,
      grouped(report.transaction_records), signal_name(plan.signal), plan.kills);
  html += "<h2>Every way, without kills and with them</h2>\n" + main_table(report);
  for (const auto& contender : report.contenders) {
    const auto text = remarks(contender, report);
    if (!text.empty()) html += "<p class=\"soft\">" + escaped(text) + "</p>\n";
  }
  if (plan.kills > 0) {
    html += progress_section(report) + restart_bars(report) + damage_bars(report);
  }
  return page(
      "Replay after crashes", html,
      "Lost and duplicated are counted in the table itself: every record carries an id and a "
      "proof. Read again: records that came from Kafka more than once, counted by the "
      "processes in shared memory up to their last instruction. Rolled back: rows that "
      "PostgreSQL had taken and threw away, by its own statistics.",
      {{"seed", std::to_string(plan.seed)}}, report.origin);
}

}  // namespace semel::bench
