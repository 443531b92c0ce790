// A sink of one's own: keys with their newest values. Rows, dead letters and ledger are one
// document, and so one fact.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "own_store.hpp"

namespace own {

/// Why the document cannot hold the record, if it cannot. Found here: in commit() it is too late.
inline const char* flaw_of(const Record& record) {
  constexpr int depth_max = 100;  // dump() recurses
  if (!record.value || !json::accept(*record.value)) return "the value is no JSON";
  bool deep = false;
  const auto look = [&](int depth, json::parse_event_t, json&) {
    deep = deep || depth > depth_max;
    return !deep;
  };
  const auto kept = json::parse(*record.value, look, false);
  if (deep || kept.is_discarded()) return "the value is JSON that is nested too deep";
  const json key = std::string(record.key.value_or(""));
  const auto text = key.dump(-1, ' ', false, json::error_handler_t::ignore);
  return json::parse(text) == key ? nullptr : "the key is no UTF-8";
}

/// Bytes that are no UTF-8 are replaced: dump() throws.
inline json as_utf8(std::string_view text) {
  return json::parse(json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace));
}

struct Shared {
  Store store;
  Owner owner;
  std::atomic<bool> stop{false};
};

class Session : public SinkSession {
 public:
  explicit Session(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  void warm_up() noexcept override {}
  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    abort();
    if (shared_->stop) return fail(ErrorKind::unavailable, Cause::sink, "interrupted");
    for (const auto& task : tasks) parts_.emplace_back().task = task;
    return tasks.front().isolate ? refused(shared_->store.read()) : std::nullopt;
  }
  Result<void> write(std::size_t task, std::span<const Record> records) override {
    auto& [of, counts, rows, dead] = parts_.at(task);
    for (const auto& record : records) {
      const auto at = key_of(of.range.tp) + ":" + std::to_string(record.offset);
      const char* flaw = flaw_of(record);
      if (flaw == nullptr)
        rows[record.key ? std::string(*record.key) : at] = json::parse(*record.value);
      else
        dead[at] = flaw;
      ++(flaw == nullptr ? counts.rows : counts.dead_letters);
      behind_ = {task, record.offset + 1};
    }
    return {};
  }
  Result<void> set_aside(std::size_t task, const Record& record, const Objection& why) override {
    auto& [of, counts, rows, dead] = parts_.at(task);
    const auto& [tp, from, until] = of.range;
    if (std::pair(task, record.offset) < behind_ || record.offset < from || record.offset >= until)
      return fail(ErrorKind::fatal, Cause::program, "set_aside: another record's turn");
    dead[key_of(tp) + ":" + std::to_string(record.offset)] = as_utf8(why.reason.substr(0, 1'000));
    ++counts.dead_letters;
    ++counts.dead_letter_codes[std::string(why.code.substr(0, 20))];
    behind_ = {task, record.offset + 1};
    return {};
  }
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    return shared_->store.write<CommitResult>(
        shared_->stop, 10s, [&](json& output) -> CommitResult {
          if (auto no = refused(output)) return *no;
          std::vector<Committed> all;
          for (std::size_t i = 0; i < parts_.size(); ++i) {
            const auto& [task, counts, rows, dead] = parts_[i];
            output["rows"].update(rows);
            output["dead"].update(dead);
            const Progress to{task.range.tp, task.range.until, task.time, ends[i].last};
            const auto kind = task.kind == TaskKind::lost ? MoveKind::lost : MoveKind::commit;
            move(output, kind, task.epoch, task.range.from, to, counts);
            all.push_back(counts);
          }
          return all;
        });
  }
  void abort() noexcept override {
    parts_.clear();
    behind_ = {};
  }

 private:
  struct Part {
    Task task;
    Committed counts;
    json rows = json::object();
    json dead = json::object();
  };
  std::optional<Refused> refused(const json& output) const {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const auto& task = parts_[i].task;
      auto entry = entry_of(output, &task.range.tp);
      if (!allows(entry, task, shared_->owner)) return Refused{std::move(entry), i};
    }
    return std::nullopt;
  }
  std::shared_ptr<Shared> shared_;
  std::vector<Part> parts_;
  std::pair<std::size_t, Offset> behind_;  // task and offset where the next record may be
};

class OwnSink : public Sink {
 public:
  OwnSink(const std::string& file, const Owner& owner)
      : shared_(new Shared{{file, owner.pipeline + "/" + owner.output}, owner}) {}

  Guarantee guarantee() const override { return Guarantee::transactional; }
  std::int64_t patience_ms() const override { return wait / 1ms; }
  Result<TakenOver> take_over(const std::string& cluster) override {
    return write<TakenOver>([&](json& output) {
      auto& owner = output["owner"];
      TakenOver taken;
      taken.cluster_id = owner.value("cluster", "");
      if (!taken.cluster_id.empty() && taken.cluster_id != cluster) return taken;
      const bool running = owner["state"] == int(OwnerState::running);
      if (running && owner["id"] != me().id) taken.previous_owner = owner["who"];
      taken.epoch = epoch_ = owner["epoch"].get<std::int64_t>() + 1;
      owner = {
          {"epoch", taken.epoch}, {"id", me().id},      {"who", me().description},  {"reason", ""},
          {"since", now_text()},  {"cluster", cluster}, {"beat", me().heartbeat_ms}};
      alive(owner, OwnerState::running);
      taken.progress = positions(output);
      taken.highest_batch_time = latest(output);
      return taken;
    });
  }
  Result<EnterResult> enter(std::span<const Progress> starts) override {
    return write<EnterResult>([&](json& output) -> EnterResult {
      if (!owned(output)) return Refused{entry_of(output)};
      std::vector<Progress> all;
      for (auto start : starts) {
        start.batch_time = std::max(start.batch_time, latest(output, &start.tp));
        if (!output["progress"].contains(key_of(start.tp)))
          move(output, MoveKind::start, epoch_, start.until, start);
        all.push_back(progress_of(output["progress"][key_of(start.tp)]));
      }
      return all;
    });
  }
  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    // Under the lock of writers: what was on its way has come, or never will.
    return write<std::vector<LedgerEntry>>([&](json& output) {
      std::vector<LedgerEntry> all;
      for (const auto& task : tasks) all.push_back(entry_of(output, &task.range.tp));
      return all;
    });
  }
  Result<Alive> keep_alive() override {
    return write<Alive>([&](json& output) {
      if (owned(output)) alive(output["owner"], OwnerState::running);
      return Alive{entry_of(output), positions(output)};
    });
  }
  Result<bool> trim() override { return false; }  // a history of this size is kept
  Result<std::unique_ptr<SinkSession>> open_session() override {
    return std::make_unique<Session>(shared_);
  }
  void leave(const std::optional<std::string>& failure) noexcept override try {
    (void)shared_->store.write<bool>(false, 2s, [&](json& output) {  // though it was interrupted
      if (!owned(output)) return false;
      output["owner"]["reason"] = failure.value_or("");
      alive(output["owner"], failure ? OwnerState::failed : OwnerState::stopped);
      return true;
    });
  } catch (const std::exception&) {  // best effort
  }
  void interrupt() noexcept override { shared_->stop = true; }

 private:
  static constexpr std::chrono::milliseconds wait = 10s;
  const Owner& me() const { return shared_->owner; }
  bool owned(const json& output) const {
    return output["owner"]["epoch"] == epoch_.load() && output["owner"]["id"] == me().id;
  }
  static void alive(json& owner, OwnerState state) {
    owner["state"] = int(state);
    owner["seen"] = now_ms();
  }
  template <class T, class Action>
  Result<T> write(Action action) {
    return shared_->store.write<T>(shared_->stop, wait, action);
  }
  std::shared_ptr<Shared> shared_;
  std::atomic<std::int64_t> epoch_{-1};
};

}  // namespace own
