#include "bench/replay/remarks.hpp"

#include <fmt/format.h>

#include "bench/words.hpp"

namespace semel::bench {

std::string description(Kind kind) {
  switch (kind) {
    case Kind::direct:
      return "semel: offset ranges are planned; rows and offsets are committed in one transaction";
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

std::string remarks(const Contender& contender, const Report& report) {
  std::string text;
  const auto name = to_string(contender.kind);
  const auto check = [&](const Run& run, const char* when) {
    if (run.verdict.damaged > 0) {
      text += fmt::format("{}, {}: {} rows are not as produced.\n", name, when,
                          grouped(run.verdict.damaged));
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
