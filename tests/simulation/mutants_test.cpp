// Whether the simulation notices bugs in src/core.
#include "simulation/mutant.hpp"
#include "support/catch.hpp"

using semel::simulation::Mutant;

namespace {

const Mutant mutants[] = {
    {"the owner's UUID is not compared", "core/protocol.cpp",
     "if (entry.epoch > epoch || entry.owner != owner) return Verdict::fenced;",
     "if (entry.epoch > epoch) return Verdict::fenced;", 20'000},
    {"an idle pipeline does not notice that the ledger lacks its partition", "core/driver.cpp",
     "const auto until = found == stands.end() ? -1 : found->second;",
     "if (found == stands.end()) continue; const auto until = found->second;", 120'000},
    {"whatever the ledger says, a doubt was a commit", "core/protocol.cpp",
     "if (*entry.until == range.until && entry.batch_time == task.time) return",
     "if (*entry.until >= range.from) return", 2'000},
    {"the plan log is believed, not the ledger", "core/protocol.cpp",
     "planned.range.from == found->second.position &&", "", 2'000},
    {"batch times may repeat after a restart", "core/driver.cpp",
     "s_.last_time = std::max(s_.last_time, taken.highest_batch_time);", "", 5'000},
    {"the output is taken over again while tasks run", "core/driver.cpp",
     "s_.phase == Phase::draining && !any_running()", "s_.phase == Phase::draining", 5'000},
    {"an idle pipeline does not look where the ledger stands", "core/driver.cpp",
     "until < partition.committed && now_", "false && now_", 120'000},
    {"whoever is fenced takes over again", "core/driver_tasks.cpp", "return fenced(ledger);",
     "return went_back(\"fenced\");", 2'000},
    {"a commit in doubt counts as done", "core/driver_tasks.cpp", "    case ErrorKind::in_doubt:\n",
     "    case ErrorKind::in_doubt:\n"
     "      for (const auto& member : group) range_done(*member.partition);\n"
     "      return;\n",
     1'000},
    {"there is no last resort", "core/driver_tasks.cpp",
     "if (last_one) range->isolate = range->last_resort = true;", "", 2'000},
    {"the last resort comes early", "core/retry.cpp", "return failures + 1 >= policy",
     "return failures + 9 >= policy", 2'000},
    {"a loss skips what is still there", "core/driver_lost.cpp",
     "const auto until = bounds.earliest;", "const auto until = bounds.latest;", 5'000},
    {"a topic that is denied is taken for gone", "core/driver_offsets.cpp",
     "denial != event.denied.end()", "false", 10'000},
    {"a topic that is gone is skipped to its beginning", "core/driver_lost.cpp",
     "if (bounds.gone) return gone(tp, error.message);\n  if (!drop_queue", "if (!drop_queue",
     60'000},
    {"a batch is computed without what it has lost", "core/driver_lost.cpp",
     "if (s_.options.skip_batch && !partition.queue.empty()) return lost_in",
     "if (false) return lost_in", 5'000},
    {"that a batch is given up is not made durable", "core/driver_lost.cpp",
     "actions_.push_back(PersistPlan{std::move(batch)});", "", 5'000},
    {"after a restart the rest of what was given up is stored", "core/protocol.cpp",
     "const bool whole = given_up && batch.given_up;", "const bool whole = false;", 5'000},
    {"a batch is given up while a part of it is under way", "core/driver_lost.cpp",
     "if (batch.to_give_up && !under_way)", "if (batch.to_give_up)", 40'000},
    {"a batch that is given up moves ~batches", "core/driver_lost.cpp", "  leave_clock(time);\n",
     "", 5'000, "with_records"},
    {"whatever is out of range has aged out", "core/same_log.cpp", "if (mark && *mark < earliest)",
     "if (mark)", 20'000, "none", "--first=60000"},
    {"of a group, only the first range counts as committed", "core/driver_tasks.cpp",
     "for (std::size_t i = 0; i < group.size(); ++i) {\n    const auto& done",
     "for (std::size_t i = 0; i < 1 && !group.empty(); ++i) {\n    const auto& done", 2'000},
    {"a batch that is one fact does not wait for all of its ranges", "core/driver_groups.cpp",
     "if (!waits) start_group", "start_group", 2'000},
    {"a refused range takes those with it that shared its transaction", "core/driver_tasks.cpp",
     "for (const auto& member : group) released(*member.range);\n  by_verdict(",
     "for (const auto& member : group) range_done(*member.partition);\n  return;\n  "
     "by_verdict(",
     2'000},
    {"a batch is forgotten with its first range", "core/driver_tasks.cpp",
     "--found->second.open > 0) return;", "--found->second.open > 1'000'000) return;", 1'000},
    {"a commit does not move the driver's position", "core/driver_tasks.cpp",
     "  partition.committed = done.until;\n", "", 1'000},
    {"a range is handed out while the one before it runs", "core/driver_groups.cpp",
     "auto& range = partition.queue.front();\n    if (now_",
     "auto& range = partition.queue.back();\n    if (now_", 1'000},
    {"plans are not made durable", "core/driver_plan.cpp",
     "(load);\n  actions_.push_back(PersistPlan{std::move(batch)});", "(load);", 100},
    {"a range is planned where the last one was committed", "core/driver_plan.cpp",
     "free.push_back({tp, partition.position, end});",
     "free.push_back({tp, partition.committed, end});", 1'000},
    {"what appears later begins at its end", "core/driver_offsets.cpp",
     "!s_.discovered && begins_at_start(known_topics, tp.topic, s_.options.pattern);", "true;",
     5'000},
    {"a recovered batch is kept without its move of ~batches", "core/protocol.cpp",
     " || (counts && !moves_clock(batch, standings))", "", 1'000, "with_records"},
    {"~batches is in the ledger before all others", "core/driver_offsets.cpp",
     "counts() && !in_kafka(s_.partitions).empty() &&", "counts() &&", 100, "with_records"},
    {"a batch without records does not wait for others", "core/driver_plan.cpp",
     "return clock()->queue.empty() &&", "return", 100, "each_interval"},
    {"a mark of ~batches is taken for a record's", "core/driver_tasks.cpp",
     " && !is_batches(planned.range.tp)", "", 100, "with_records"},
    {"what another output has already is planned anew", "core/driver_plan.cpp",
     "if (taken.pending) return", "if (false) return", 4'000, "with_records"},
};

}  // namespace

TEST_CASE("a bug put into the real code is found by the simulation") {
  semel::simulation::find(mutants, SEMEL_SIMULATION_LIBS);
}
