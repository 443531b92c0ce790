// What sinks and ledgers of mistaken_sink.hpp work on.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "contract/mistaken_sink.hpp"

namespace semel::contract {

using std::chrono::milliseconds;

/// What a home has.
struct HomeState {
  struct Row {
    std::optional<std::string> value;
    BatchTime time;
  };
  std::map<std::string, Row> rows;
  std::vector<StateVersion> versions;
};

/// A change that owns what it has.
struct HomeChange {
  StateVersion version;
  bool all = false;
  std::map<std::string, std::optional<std::string>> rows;
};

struct Pipeline {
  LedgerEntry owner;  // `until` is absent
  std::string cluster;
  OwnerState state = OwnerState::running;
  std::string reason;
  std::string since;
  std::int64_t heartbeat_ms = 0;
  std::chrono::steady_clock::time_point seen;
  std::map<TopicPartition, Progress> progress;
  std::vector<Move> history;
  std::uint64_t dead_letters = 0;
};

/// All of a record, as text.
std::string whole(const Record& record);
/// Now, ISO 8601, UTC.
std::string now_text();
/// Long, or of bytes that not each store can hold.
bool is_odd(std::optional<std::string_view> text);

struct World {
  const Mistake mistake;
  const Guarantee guarantee;
  const Manner manner;
  std::timed_mutex one_at_a_time;  // guards what is below
  std::map<std::string, Pipeline> pipelines;
  std::map<std::string, HomeState> states;
  std::multiset<Offset> rows;
  std::multiset<Offset> dead;
  std::map<Offset, std::string> texts;    // of rows and dead letters, as far as they are there
  std::map<Offset, std::string> reasons;  // of what was set aside, likewise

  static inline std::atomic<bool> released{false};  // hung calls go on
  static inline std::atomic<int> count{0};

  World(Mistake m, Guarantee g, Manner how) : mistake(m), guarantee(g), manner(how) { ++count; }
  ~World() { --count; }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  bool is(Mistake one) const { return mistake == one; }
  /// Others are bad.
  bool is_row(const Record& record) const {
    const bool fits =
        manner != Manner::sets_odd_aside || (!is_odd(record.key) && !is_odd(record.value));
    return fits && (!record.value || record.value->starts_with('{'));
  }
  void put_row(Offset offset) {
    if (guarantee != Guarantee::idempotent || !rows.contains(offset)) rows.insert(offset);
  }
};

using Lock = std::unique_lock<std::timed_mutex>;

/// What one sink and its sessions have in common.
struct Shared {
  std::shared_ptr<World> world;
  Owner owner;
  std::atomic<bool> stop{false};
  std::map<TopicPartition, LedgerEntry> resolved{};

  bool is(Mistake one) const { return world->is(one); }
  Pipeline& pipeline() const { return world->pipelines[name()]; }
  HomeState& state() const {
    return world->states[is(Mistake::state_is_of_all_outputs) ? owner.pipeline : name()];
  }
  void change(const HomeChange& change) const {
    auto& home = state();
    if (change.all && !is(Mistake::replaced_state_keeps_its_rows)) home.rows.clear();
    if (change.all && !is(Mistake::replaced_state_keeps_its_history)) home.versions.clear();
    constexpr std::size_t buffer = 10'000;
    std::size_t count = 0;
    for (const auto& [key, value] : change.rows) {
      if (is(Mistake::state_is_cut) && ++count > buffer) break;
      const bool whole = !is(Mistake::state_keys_are_cut);
      home.rows[whole ? key : key.substr(0, 1'000)] = {value, change.version.time};
    }
    if (change.rows.empty() && is(Mistake::state_has_no_version_without_rows)) return;
    home.versions.push_back(change.version);
  }
  std::string name() const {
    if (is(Mistake::outputs_share_positions)) return owner.pipeline;
    return is(Mistake::pipelines_share_positions) ? "all" : owner.pipeline + "/" + owner.output;
  }
  /// Where the position of a partition is.
  TopicPartition key(const TopicPartition& tp) const {
    return {is(Mistake::topics_share_positions) ? "" : tp.topic, tp.partition};
  }

  /// Empty where it was interrupted.
  Lock lock(bool though_interrupted = false) const {
    while (stop && is(Mistake::interrupted_call_hangs) && !World::released) {
      std::this_thread::sleep_for(milliseconds(5));
    }
    Lock lock(world->one_at_a_time, std::defer_lock);
    const auto goes_on = [&] {
      return !stop || though_interrupted || is(Mistake::waits_through_an_interrupt);
    };
    while (goes_on() && !lock.try_lock_for(milliseconds(5))) {
    }
    return lock;
  }

  LedgerEntry entry(const TopicPartition& tp) const {
    auto entry = pipeline().owner;
    const auto at = pipeline().progress.find(key(tp));
    if (at == pipeline().progress.end()) return entry;
    entry.until = at->second.until;
    entry.batch_time = at->second.batch_time;
    return entry;
  }

  bool guard(const Task& task) const {
    const auto found = entry(task.range.tp);
    const bool owned = found.owner == owner.id || is(Mistake::owner_is_not_compared);
    const bool in_time = found.epoch == task.epoch || is(Mistake::epoch_is_not_compared) ||
                         (is(Mistake::later_epoch_is_good_enough) && task.epoch > found.epoch);
    const bool same_history = !task.moved_by || found.batch_time == *task.moved_by ||
                              is(Mistake::batch_time_is_not_compared);
    if (!owned || !in_time || !same_history) return false;
    if (!found.until) return is(Mistake::unknown_position_is_good_enough);
    if (is(Mistake::later_position_is_good_enough)) return *found.until >= task.range.from;
    if (is(Mistake::earlier_position_is_good_enough)) return *found.until <= task.range.from;
    return *found.until == task.range.from;
  }
};

inline tl::unexpected<Error> interrupted() {
  return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
}

std::unique_ptr<SinkSession> mistaken_session(std::shared_ptr<Shared> shared);
std::unique_ptr<Sink> mistaken_sink(std::shared_ptr<World> world, const Owner& owner);
std::unique_ptr<Ledger> mistaken_ledger(std::shared_ptr<World> world, const Owner& owner);

}  // namespace semel::contract
