// The report for people at a terminal.
#include <fmt/format.h>
#include <algorithm>

#include "bench/result.hpp"
#include "bench/statistics.hpp"
#include "bench/words.hpp"

namespace semel::bench {

namespace {

using Row = std::vector<std::string>;

std::string optional_ms(const std::optional<double>& value) {
  return value ? fmt::format("{:.0f} ms", *value) : "–";
}

Row row_of(const Contender& contender, std::int64_t records) {
  const auto& calm = contender.calm;
  Row row{to_string(contender.kind), grouped(rows_per_second(calm, records))};
  if (!contender.stormy) {
    row.insert(row.end(), {"–", "–", "–", "–", "–", "–", "–", "–", grouped(calm.verdict.lost),
                           grouped(calm.verdict.duplicated)});
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
       stormy.rolled_back ? grouped(*stormy.rolled_back) : "–", grouped(stormy.verdict.lost),
       grouped(stormy.verdict.duplicated)});
  return row;
}

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width_of(row[i]), ' ');
      out += i == 0 ? row[i] + padding : "  " + padding + row[i];
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

}  // namespace

std::string text_report(const Report& report) {
  const auto& plan = report.plan;
  std::vector<Row> rows{
      {"", "rows/s", "with kills", "ratio", "kills", "restart →", "", "restart →", "", "", "", ""},
      {"", "no kills", "rows/s", "", "made", "first row", "p99", "the end", "read again",
       "rolled back", "lost", "duplicated"}};
  for (const auto& contender : report.contenders) rows.push_back(row_of(contender, plan.records));
  auto text = fmt::format(
      "{} records of {} bytes, {} partitions, transactions of at most {} records, {} {} "
      "times\n\n{}",
      grouped(plan.records), plan.record_size, plan.partitions, grouped(report.transaction_records),
      signal_name(plan.signal), plan.kills, table(rows));
  text += "\n";
  for (const auto& contender : report.contenders) text += remarks(contender, report);
  text += report.exactly_once()
              ? "semel: nothing lost, nothing duplicated, every row as produced.\n"
              : "semel: NOT EXACTLY ONCE. This is a bug: please report it.\n";
  return text;
}

}  // namespace semel::bench
