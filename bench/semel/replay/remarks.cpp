#include "bench/semel/replay/remarks.hpp"

#include <fmt/format.h>

#include "bench/semel/statistics.hpp"
#include "bench/semel/words.hpp"

namespace semel::bench {

std::string description(Kind kind) {
  switch (kind) {
    case Kind::semel:
      return "offset ranges are planned; rows and offsets are committed in one transaction";
    case Kind::receiver:
      return "a receiver with a write-ahead log, as Spark's receiver-based stream: each block is "
             "synced to the log, acknowledged to Kafka, written to PostgreSQL, and marked done";
    case Kind::at_least_once:
      return "a consumer that commits the rows first, and then its position to Kafka";
    case Kind::at_most_once:
      return "a consumer that commits its position to Kafka first, and then the rows";
  }
  return "";
}

namespace {

/// "3 rows are missing and 5 rows are too many"
std::string harm(const Comparison& comparison) {
  if (comparison.lost == 0 && comparison.duplicated == 0 && comparison.sums_agree) {
    return "every record is in the table once";
  }
  std::string text;
  const auto add = [&](std::int64_t count, const char* what) {
    if (count == 0) return;
    if (!text.empty()) text += " and ";
    text += fmt::format("{} rows {}", grouped(count), what);
  };
  add(comparison.lost, "are missing");
  add(comparison.duplicated, "are too many");
  return text.empty() ? "rows are not as produced" : text;
}

}  // namespace

std::vector<std::string> conclusions(const Report& report) {
  std::vector<std::string> lines;
  for (const auto& contender : report.contenders) {
    const auto name = to_string(contender.kind);
    if (!contender.stormy) {
      lines.push_back(
          fmt::format("{}: {}; no process was killed.", name, harm(contender.calm.comparison)));
      continue;
    }
    const auto& run = *contender.stormy;
    auto line = fmt::format("{}: after {} kill{}, {}.", name, run.kills.size(),
                            run.kills.size() == 1 ? "" : "s", harm(run.comparison));
    if (const auto restart = median(first_commits_ms(run))) {
      line += fmt::format(" A new row came {:.0f} ms after a restart (median).", *restart);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string remarks(const Contender& contender, const Report& report) {
  std::string text;
  const auto name = to_string(contender.kind);
  const auto check = [&](const Run& run, const char* when) {
    if (run.comparison.damaged > 0) {
      text += fmt::format("{}, {}: {} rows are not as produced.\n", name, when,
                          grouped(run.comparison.damaged));
    }
  };
  check(contender.calm, "without kills");
  if (!contender.stormy) return text;
  const auto& run = *contender.stormy;
  check(run, "with kills");
  if (run.interval_s < report.plan.kill_every_s * 0.999) {
    text += fmt::format(
        "{}: killed up to {:.0f} ms after the first new row, so that all kills fit "
        "into the work (--records makes it longer).\n",
        name, run.interval_s * 1e3);
  }
  if (static_cast<int>(run.kills.size()) < report.plan.kills) {
    text += fmt::format("{}: only {} of {} kills were made: all records were there before.\n", name,
                        run.kills.size(), report.plan.kills);
  }
  if (run.fenced > 0) {
    text += fmt::format("{}: {} frozen processes woke up, were fenced and wrote nothing.\n", name,
                        run.fenced);
  }
  return text;
}

}  // namespace semel::bench
