// The reports of `semel bench latency`. docs/guides/measuring.md describes them.
#include <fmt/format.h>

#include "bench/semel/charts.hpp"
#include "bench/semel/json.hpp"
#include "bench/semel/latency/result.hpp"
#include "bench/semel/page.hpp"
#include "bench/semel/text_table.hpp"
#include "bench/semel/words.hpp"

namespace semel::bench {

namespace {

constexpr auto arrived_once = "every record arrived, once, as produced.";
constexpr auto not_once = "NOT EXACTLY ONCE. This is a bug: please report it.";

std::string in_ms(double value) {
  return fmt::format("{:.2f} ms", value);
}

std::string heading(const LatencyReport& report) {
  const auto& plan = report.plan;
  return fmt::format(
      "{} records of {} bytes, {:g} a second, {} partitions, batch.interval {} ms, after {} to "
      "warm "
      "up",
      grouped(plan.measured_records()), plan.setup.record_size, plan.rate, plan.setup.partitions,
      plan.interval_ms, grouped(plan.warm_up_records()));
}

Row row_of(const std::string& name, const std::vector<double>& values) {
  const auto spread = spread_of(values);
  if (!spread) return {name, "–", "–", "–", "–"};
  return {name, in_ms(spread->p50), in_ms(spread->p90), in_ms(spread->p99), in_ms(spread->max)};
}

std::vector<Row> latencies(const LatencyReport& report) {
  const auto& small = report.small;
  const auto of =
      fmt::format("{} × {} records: ", small.visible_ms.size(), report.plan.small_records());
  return {{"", "p50", "p90", "p99", "max"},
          row_of("produce to visible", report.steady.visible_ms),
          row_of(of + "produce to all visible", small.visible_ms),
          row_of(of + "acknowledged by Kafka", small.acknowledged_ms),
          row_of(of + "a bare INSERT of them", small.bare_ms)};
}

std::vector<Row> driver_costs(const LatencyReport& report) {
  std::vector<Row> rows{{"the driver's own cost of a batch", "batches", "median", "p99", "deciding",
                         "syncing the plan"}};
  const auto add = [&](const char* name, const DriverFigures& figures) {
    const auto ms = [](std::int64_t ns) { return in_ms(static_cast<double>(ns) / 1e6); };
    rows.push_back({name, grouped(static_cast<std::int64_t>(figures.batches)),
                    ms(figures.batch.median_ns), ms(figures.batch.p99_ns),
                    ms(figures.deciding.median_ns), ms(figures.syncing.median_ns)});
  };
  add("at the steady rate", report.steady.driver);
  add("a few records", report.small.driver);
  return rows;
}

/// What a reader has to know, a line each.
std::vector<std::string> remarks(const LatencyReport& report) {
  const auto& small = report.small;
  const auto& steady = report.steady;
  return {
      fmt::format("The bench's own error: p99 of {} between two answers of the reader ({} for the "
                  "few records), p99 of {} by which records were produced late. Both are in the "
                  "figures, against semel.",
                  in_ms(steady.poll_ms_p99), in_ms(small.poll_ms_p99), in_ms(steady.late_ms_p99)),
      fmt::format(
          "A few records cost {} beyond a bare transaction (medians), the wait for the next "
          "plan in it: batch.interval was {} ms for them.",
          in_ms(small.beyond_ms()), small.interval_ms),
      fmt::format("semel used {:.2f} of a core at the steady rate.", steady.cores),
      "The table has an index on (partition, id), for the reader: semel keeps it up to date as "
      "well."};
}

Json json_of(const std::vector<double>& values) {
  const auto spread = spread_of(values);
  if (!spread) return nullptr;
  return {{"p50", spread->p50}, {"p90", spread->p90}, {"p99", spread->p99}, {"max", spread->max}};
}

Json json_of(const DriverFigures& figures) {
  const auto of = [](const DriverFigures::Figure& figure) {
    return Json{{"median", static_cast<double>(figure.median_ns) / 1e6},
                {"p99", static_cast<double>(figure.p99_ns) / 1e6}};
  };
  return {{"batches", figures.batches},
          {"batch_ms", of(figures.batch)},
          {"deciding_ms", of(figures.deciding)},
          {"syncing_ms", of(figures.syncing)}};
}

std::string html_table(const std::vector<Row>& rows) {
  std::string html = "<div class=\"wide\"><table>\n";
  for (const auto& row : rows) {
    html += "<tr>";
    for (const auto& text : row) {
      html += &row == &rows.front() ? fmt::format("<th>{}</th>", escaped(text)) : cell(text);
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

}  // namespace

std::string text_report(const LatencyReport& report) {
  auto text = fmt::format("{}\n\n{}\n{}\n", heading(report), text_table(latencies(report)),
                          text_table(driver_costs(report)));
  for (const auto& line : remarks(report)) text += line + "\n";
  return text +
         fmt::format("semel: {}\n", report.comparison.exactly_once() ? arrived_once : not_once);
}

std::string json_report(const LatencyReport& report) {
  const auto& plan = report.plan;
  const auto& steady = report.steady;
  const auto& small = report.small;
  auto json = json_of(report.origin, "semel bench latency");
  json["rate"] = plan.rate;
  json["records"] = plan.measured_records();
  json["warm_up_records"] = plan.warm_up_records();
  json["record_size"] = plan.setup.record_size;
  json["partitions"] = plan.setup.partitions;
  json["interval_ms"] = plan.interval_ms;
  json.update(json_of(report.comparison));
  Json buckets = Json::array();
  for (const auto& bucket : histogram(steady.visible_ms)) {
    buckets.push_back({bucket.from, bucket.until, bucket.count});
  }
  json["steady"] = {{"records", steady.visible_ms.size()},
                    {"seconds", steady.seconds},
                    {"visible_ms", json_of(steady.visible_ms)},
                    {"histogram_ms", buckets},
                    {"poll_ms_p99", steady.poll_ms_p99},
                    {"produced_late_ms_p99", steady.late_ms_p99},
                    {"cores", steady.cores},
                    {"load_average_before", or_null(steady.load)},
                    {"driver", json_of(steady.driver)}};
  json["small_batches"] = {{"batches", small.visible_ms.size()},
                           {"records_each", plan.small_records()},
                           {"interval_ms", small.interval_ms},
                           {"visible_ms", json_of(small.visible_ms)},
                           {"acknowledged_ms", json_of(small.acknowledged_ms)},
                           {"bare_insert_ms", json_of(small.bare_ms)},
                           {"beyond_bare_insert_ms", small.beyond_ms()},
                           {"poll_ms_p99", small.poll_ms_p99},
                           {"driver", json_of(small.driver)}};
  return json.dump(2) + "\n";
}

std::string html_report(const LatencyReport& report) {
  auto html = fmt::format("<p>{}.</p>\n", escaped(heading(report)));
  html += verdict_line(report.comparison.exactly_once(),
                       report.comparison.exactly_once() ? arrived_once : not_once);
  html += "<h2>From produce to visible</h2>\n" + html_table(latencies(report));
  const auto chart = [&](const std::string& title, const std::vector<double>& values) {
    html += fmt::format("<h3>{}</h3>\n{}\n", escaped(title),
                        histogram_chart(histogram(values), "ms", title));
  };
  chart("Records at the steady rate", report.steady.visible_ms);
  chart("A few records at a time", report.small.visible_ms);
  html += "<h2>The driver</h2>\n" + html_table(driver_costs(report));
  for (const auto& line : remarks(report)) {
    html += fmt::format("<p class=\"soft\">{}</p>\n", escaped(line));
  }
  return page(
      "Latency", html,
      "A record's time begins just before the call that produces it and ends when an answer "
      "arrives that shows its row, on a connection that only reads. The last column of each "
      "chart holds everything beyond it. The driver's cost is the time in which it decided, "
      "made plans durable, handed out and ended, not what it waited; it is counted in "
      "buckets and at most a sixteenth too large.",
      {}, report.origin);
}

}  // namespace semel::bench
