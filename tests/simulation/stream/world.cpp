#include "simulation/stream/world.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "simulation/stream/fiber.hpp"
#include "simulation/stream/program.hpp"
#include "simulation/violation.hpp"

namespace semel::stream_simulation {

using simulation::demand;

void World::step() const {
  if (trouble && choices.one_in(3)) Fiber::pause();
}

CommitResult World::commit(Database& database, const Transaction& transaction) {
  auto result = database.commit(transaction);
  if (std::holds_alternative<Refused>(result)) return result;
  std::string ranges;
  for (const auto& task : transaction.tasks) {
    if (!is_batches(task.range.tp)) ranges += " " + to_string(task.range);
  }
  say(fmt::format("{}: {} has batch {}{}", transaction.owner, database.name(),
                  transaction.tasks.front().time.ms, ranges));
  check_commit(database, transaction);
  return result;
}

void World::check_commit(const Database& database, const Transaction& transaction) {
  check_rows(database, transaction);
  if (!with_state) return;
  const auto& last = transaction.tasks.back();
  demand(is_batches(last.range.tp), "counted", "a batch of a state does not move ~batches");
  Progress mark{.tp = last.range.tp,
                .until = last.range.until,
                .batch_time = last.time,
                .last = transaction.ends.back().last};
  const auto version = state::version_of(mark);
  check_fork(database, version);
  made_by.try_emplace(version.name, machine_of.at(transaction.owner));
}

/// Two outputs never stand at two versions of one time.
void World::check_fork(const Database& database, const state::Version& version) const {
  demand(version != state::Version(), "version", "rows of a state name no version of it");
  for (const auto& other : databases) {
    if (&other == &database) continue;
    const auto theirs = other.version();
    demand(theirs.time < version.time || theirs == version, "fork",
           fmt::format("{} is to be at batch {}, and {} is at batch {}, of another version",
                       database.name(), version.time.ms, other.name(), theirs.time.ms));
  }
}

/// What a batch computation of the log gives: nothing of what is checked is asked.
void World::check_rows(const Database& database, const Transaction& transaction) const {
  std::map<std::string, std::string> expected;  // by key, or by place
  std::map<std::string, std::string> found;
  std::map<TopicPartition, Offset> until;
  for (const auto& at : database.progress()) until[at.tp] = at.until;
  for (const auto& task : transaction.tasks) until[task.range.tp] = task.range.until;
  for (const auto& task : transaction.tasks) {
    if (is_batches(task.range.tp)) continue;
    const auto& log = kafka.logs.at(task.range.tp);
    for (auto offset = task.range.from; offset < task.range.until; ++offset) {
      const auto* entry = log.visible(offset);
      if (entry == nullptr) continue;
      if (database.holds() == Holds::records) {
        expected[fmt::format("{} {}", to_string(task.range.tp), offset)] = value_of(entry->id);
      } else {
        expected[key_of(entry->id)];
      }
    }
  }
  if (database.holds() == Holds::seen) {
    for (auto& [key, row] : expected) row = row_of(key, seen_in(kafka, key, until));
  }
  for (const auto& row : transaction.rows) {
    const auto& tp = transaction.tasks[row.task].range.tp;
    const auto place = database.holds() == Holds::records
                           ? fmt::format("{} {}", to_string(tp), row.offset)
                           : key_in(row.value);
    demand(found.emplace(place, row.value).second, "rows", "two rows for " + place);
  }
  for (const auto& [place, row] : expected) {
    demand(
        found[place] == row, "rows",
        fmt::format("{} of {} is to be {}, and is {}", place, database.name(), row, found[place]));
  }
  demand(found.size() == expected.size(), "rows", "a row too many in " + database.name());
}

}  // namespace semel::stream_simulation
