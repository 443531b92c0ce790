// The report for people at a terminal.
#include <fmt/format.h>
#include <algorithm>

#include "bench/semel/replay/remarks.hpp"
#include "bench/semel/replay/result.hpp"
#include "bench/semel/statistics.hpp"
#include "bench/semel/text_table.hpp"
#include "bench/semel/words.hpp"

namespace semel::bench {

namespace {

std::string optional_ms(const std::optional<double>& value) {
  return value ? fmt::format("{:.0f} ms", *value) : "–";
}

Row row_of(const Contender& contender, std::int64_t records) {
  const auto& calm = contender.calm;
  Row row{to_string(contender.kind), grouped(rows_per_second(calm, records))};
  if (!contender.stormy) {
    row.insert(row.end(), {"–", "–", "–", "–", "–", "–", "–", "–", grouped(calm.comparison.lost),
                           grouped(calm.comparison.duplicated)});
    return row;
  }
  const auto& stormy = *contender.stormy;
  const auto restarts = first_commits_ms(stormy);
  const auto calm_rate = rows_per_second(calm, records);
  row.insert(
      row.end(),
      {grouped(rows_per_second(stormy, records)),
       fmt::format("{:.2f}", calm_rate > 0 ? rows_per_second(stormy, records) / calm_rate : 0),
       std::to_string(stormy.kills.size()), optional_ms(median(restarts)),
       optional_ms(percentile(restarts, 99)),
       fmt::format("{:.0f} ms", stormy.last_restart_to_end_ms),
       grouped(read_again(stormy, records)),
       stormy.rolled_back ? grouped(*stormy.rolled_back) : "–", grouped(stormy.comparison.lost),
       grouped(stormy.comparison.duplicated)});
  return row;
}

}  // namespace

std::string text_report(const Report& report) {
  const auto& plan = report.plan;
  std::vector<Row> rows{
      {"", "rows/s", "with kills", "ratio", "kills", "restart →", "", "restart →", "", "", "", ""},
      {"", "no kills", "rows/s", "", "made", "first row", "p99", "the end", "read again",
       "rolled back", "lost", "duplicated"}};
  for (const auto& contender : report.contenders)
    rows.push_back(row_of(contender, plan.setup.records));
  std::string text = report.exactly_once()
                         ? "semel: nothing lost, nothing duplicated, every row as produced.\n"
                         : "semel: NOT EXACTLY ONCE. This is a bug: please report it.\n";
  for (const auto& line : conclusions(report)) text += "  " + line + "\n";
  text += fmt::format(
      "\n{} records of {} bytes, {} partitions, transactions of at most {} records, {} {} "
      "times\n\n{}",
      grouped(plan.setup.records), plan.setup.record_size, plan.setup.partitions,
      grouped(report.transaction_records), signal_name(plan.signal), plan.kills, text_table(rows));
  text += "\n";
  for (const auto& contender : report.contenders) text += remarks(contender, report);
  return text;
}

}  // namespace semel::bench
