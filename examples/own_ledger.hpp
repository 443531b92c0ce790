// The ledger of own_sink.hpp, as its operators see and move it.
#pragma once

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "own_store.hpp"

namespace own {

inline Move move_of(const json& m) {
  return {.tp = {m[0], m[1]},
          .batch_time = {m[2]},
          .epoch = m[3],
          .from = m[4],
          .until = m[5],
          .kind = MoveKind(int(m[6])),
          .rows = m[7],
          .dead_letters = m[8],
          .committed_at = m[9]};
}

class OwnLedger : public Ledger {
 public:
  OwnLedger(const std::string& file, const std::string& pipeline, const std::string& output)
      : store_{file, pipeline + "/" + output} {}

  Result<std::optional<OwnerStatus>> owner() override {
    const auto output = store_.read();
    const auto& owner = output["owner"];
    if (owner["epoch"] == 0) return std::nullopt;
    constexpr double ms = 1'000;
    OwnerStatus status;
    status.epoch = owner["epoch"];
    status.id = owner["id"];
    status.description = owner["who"];
    status.since = owner["since"];
    status.seen_seconds_ago = double(now_ms() - std::int64_t(owner["seen"])) / ms;
    status.cluster_id = owner["cluster"];
    status.state = OwnerState(int(owner["state"]));
    status.reason = owner["reason"];
    status.heartbeat_ms = owner["beat"];
    const bool silent = status.seen_seconds_ago * ms > 5.0 * double(status.heartbeat_ms);
    if (status.state == OwnerState::running && silent) status.state = OwnerState::silent;
    return status;
  }
  Result<std::vector<Progress>> progress() override { return positions(store_.read()); }
  Result<std::vector<Progress>> history(
      const std::function<void(std::span<const Move>)>& see) override {
    const auto output = store_.read();
    std::vector<Move> all;
    for (const auto& m : output["history"]) all.push_back(move_of(m));
    std::ranges::stable_sort(all, {},
                             [](const Move& m) { return std::tuple(m.tp, m.batch_time, m.epoch); });
    see(all);  // of a copy: nobody waits for it
    return positions(output);
  }
  Result<Counts> counts() override {
    Counts counts;
    const auto output = store_.read();
    for (const auto& m : output["history"]) {
      const auto one = move_of(m);
      if (one.kind != MoveKind::commit) continue;
      if (counts.commits++ == 0) counts.since = one.committed_at;
      counts.rows += one.rows;
      counts.dead_letters += one.dead_letters;
    }
    return counts;
  }
  Result<std::uint64_t> dead_letters() override { return store_.read()["dead"].size(); }
  Result<void> set(std::span<const Progress> to, bool force) override {
    return as_operator(force, [&](json& output) {
      for (auto one : to) jump(output, std::move(one));
    });
  }
  Result<void> reset(bool force) override {
    return as_operator(force, [&](json& output) {
      for (auto& one : positions(output)) jump(output, std::move(one));
      output["progress"].clear();
      output["owner"]["cluster"] = "";
    });
  }

 private:
  /// With a new epoch, which fences whoever runs.
  template <class Action>
  Result<void> as_operator(bool force, Action action) {
    const auto before = owner();
    if (*before && !force && (*before)->state == OwnerState::running) {
      return fail(ErrorKind::fatal, Cause::sink, (*before)->description + " is running: stop it");
    }
    auto done = store_.write<bool>(false, 10s, [&](json& output) {
      auto& owner = output["owner"];
      owner["epoch"] = owner["epoch"].get<std::int64_t>() + 1;
      owner["id"] = owner["who"] = "an operator";
      owner["state"] = int(OwnerState::stopped);
      action(output);
      return true;
    });
    return done ? Result<void>() : tl::unexpected(done.error());
  }
  static void jump(json& output, Progress to) {
    const auto entry = entry_of(output, &to.tp);
    to.batch_time = latest(output, &to.tp);
    move(output, MoveKind::set, entry.epoch, entry.until.value_or(to.until), to);
  }
  Store store_;
};

}  // namespace own
