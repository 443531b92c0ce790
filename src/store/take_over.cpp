#include "store/take_over.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/ledger_names.hpp"
#include "store/entries.hpp"
#include "store/moment.hpp"

namespace semel::store {

namespace {

/// A reset forgets a position, and says so in the history: a move to where it stood.
bool forgotten(const Move& last) {
  return last.kind == MoveKind::set && last.from == last.until;
}

tl::unexpected<Error> torn(const Setup& setup, const Move& last, const Progress* stands) {
  const auto tp = to_string(last.tp);
  return not_whole(
      setup.place,
      fmt::format("the history of {} ends at {}, and {}", tp, last.until,
                  stands == nullptr ? std::string("its position is gone")
                                    : fmt::format("its position is {}", stands->until)),
      fmt::format("say where to go on: `semel offsets FILE set {}:{}={}` goes on where the history "
                  "ends, `semel offsets FILE reset` reads everything again",
                  last.tp.topic, last.tp.partition, last.until));
}

/// Each partition stands where its history ends: both move in one transaction.
Result<void> is_whole(const Setup& setup, const std::vector<Move>& moves,
                      const std::vector<Progress>& progress) {
  for (const auto& last : moves) {
    const auto stands = std::ranges::find(progress, last.tp, &Progress::tp);
    if (stands == progress.end()) {
      if (!forgotten(last)) return torn(setup, last, nullptr);
    } else if (stands->until != last.until) {
      return torn(setup, last, &*stands);
    }
  }
  return {};
}

/// A table, for people.
std::string name_of(const std::string& table) {
  return table.empty() ? "tables of a program's own" : "table " + table;
}

/// Whether what is there may be gone on from.
Result<void> goes_on(const Setup& setup, const std::optional<OwnerRow>& before, bool has_progress,
                     bool has_history) {
  const auto& owner = setup.context.owner;
  if (!before && (has_progress || has_history)) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("the ledger in {} has positions or a history of pipeline {}, and no "
                            "owner any more: restore its tables from one backup",
                            setup.place, owner.pipeline));
  }
  if (!has_progress || before->target == setup.options.table ||
      setup.context.accept_changed_table) {
    return {};
  }
  return fail(ErrorKind::fatal, Cause::configuration,
              fmt::format("pipeline {} has written into {} so far: into {} it would go on "
                          "from where that one ended. For that, run it once with "
                          "--accept-changed-table; for all records, choose another {} or {}",
                          owner.pipeline, name_of(before->target), name_of(setup.options.table),
                          setup.names("pipeline.name"), setup.names(setup.section + ".output")));
}

Result<std::int64_t> write_new_owner(Store& store, const Setup& setup,
                                     const std::string& cluster_id, std::int64_t epoch) {
  auto now = store.now_ms();
  if (!now) return now;
  const auto& owner = setup.context.owner;
  const auto moment = moment_text(*now);
  auto written = write_owner(store, owner,
                             {.epoch = epoch,
                              .id = owner.id,
                              .description = owner.description,
                              .since = moment,
                              .seen_at = moment,
                              .cluster_id = cluster_id,
                              .state = std::string(state_running),
                              .reason = "",
                              .heartbeat_ms = owner.heartbeat_ms,
                              .topics = owner.reads,
                              .target = setup.options.table});
  if (!written) return tl::unexpected(written.error());
  return epoch;
}

}  // namespace

Result<TakenOver> take_over(Store& store, const Setup& setup, const std::string& cluster_id) {
  const auto& owner = setup.context.owner;
  if (auto made = make_ledger(store, setup.place); !made) return tl::unexpected(made.error());
  auto before = read_owner(store, owner);
  if (!before) return tl::unexpected(before.error());
  auto progress = read_progress(store, owner);
  if (!progress) return tl::unexpected(progress.error());
  auto moves = last_moves(store, owner);
  if (!moves) return tl::unexpected(moves.error());
  TakenOver taken;
  if (*before) {
    taken.cluster_id = (*before)->cluster_id;
    if (!taken.cluster_id.empty() && taken.cluster_id != cluster_id) return taken;
    if ((*before)->id != owner.id && (*before)->state == state_running) {
      taken.previous_owner = (*before)->description;
    }
  }
  auto known = goes_on(setup, *before, !progress->empty(), !moves->empty());
  if (known) known = is_whole(setup, *moves, *progress);
  if (!known) return tl::unexpected(known.error());
  auto epoch = write_new_owner(store, setup, cluster_id, (*before ? (*before)->epoch : 0) + 1);
  if (!epoch) return tl::unexpected(epoch.error());
  taken.epoch = *epoch;
  for (const auto& move : *moves) {
    taken.highest_batch_time = std::max(taken.highest_batch_time, move.batch_time);
  }
  for (const auto& one : *progress) {
    taken.highest_batch_time = std::max(taken.highest_batch_time, one.batch_time);
  }
  taken.progress = *std::move(progress);
  return taken;
}

Result<Progress> enter(Store& store, const Setup& setup, const Progress& start,
                       std::int64_t epoch) {
  const auto& owner = setup.context.owner;
  auto known = find_progress(store, owner, start.tp);
  if (!known) return tl::unexpected(known.error());
  if (*known) return **std::move(known);
  auto last = last_move(store, owner, start.tp);
  if (!last) return tl::unexpected(last.error());
  if (*last && !forgotten(**last)) return torn(setup, **last, nullptr);
  auto at = start;
  if (*last) at.batch_time = std::max(at.batch_time, (*last)->batch_time);
  auto written = write_progress(store, owner, {.at = at, .epoch = epoch, .owner = owner.id});
  if (!written) return tl::unexpected(written.error());
  auto added = add_move(store, owner,
                        {.tp = at.tp,
                         .batch_time = at.batch_time,
                         .epoch = epoch,
                         .from = at.until,
                         .until = at.until,
                         .kind = MoveKind::start});
  if (!added) return tl::unexpected(added.error());
  return at;
}

}  // namespace semel::store
