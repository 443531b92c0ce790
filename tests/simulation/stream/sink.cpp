#include "simulation/stream/sink.hpp"

#include <fmt/format.h>
#include <utility>

namespace semel::stream_simulation {

namespace {

tl::unexpected<Error> failed(ErrorKind kind, const Database& database, const char* what) {
  return fail(kind, Cause::sink, fmt::format("{}: {}", database.name(), what));
}

class SimulatedSession final : public SinkSession {
 public:
  SimulatedSession(World& world, Database& database, std::string owner)
      : world_(world), database_(database), owner_(std::move(owner)) {}

  void warm_up() noexcept override {}

  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    world_.step();
    if (world_.one_in(world_.faults.sink, 20)) return unavailable("no connection");
    incarnation_ = database_.incarnation();
    now_ = {owner_, {tasks.begin(), tasks.end()}, {}, {}};
    return std::optional<Refused>();
  }

  Result<void> write(std::size_t task, std::span<const Record> records) override {
    for (const auto& record : records) {
      now_.rows.push_back({task, record.offset, std::string(record.value.value_or(""))});
    }
    return {};
  }

  Result<void> set_aside(std::size_t, const Record&, const Objection&) override {
    return failed(ErrorKind::fatal, database_, "no record is bad");
  }

  Result<void> change_state(const StateChange& change) override {
    world_.step();
    if (world_.one_in(world_.faults.sink, 20)) return unavailable("the connection was lost");
    now_.state.emplace(change);
    return {};
  }

  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    world_.step();
    if (incarnation_ != database_.incarnation()) return unavailable("the connection is gone");
    now_.ends.assign(ends.begin(), ends.end());
    if (world_.one_in(world_.faults.adrift, 12)) {
      world_.say(fmt::format("{}: {} is under way when its client goes", owner_, database_.name()));
      database_.leave(std::exchange(now_, {}));
      return doubt();
    }
    switch (world_.trouble && world_.faults.sink ? world_.choices.below(16) : 0) {
      case 15:
        return failed(ErrorKind::retriable, database_, "a statement failed");
      case 14:
        return unavailable("the connection was lost");
      case 13:
        return doubt();
      case 12:
        execute();
        world_.step();
        return doubt();
      default:
        break;
    }
    auto result = execute();
    world_.step();
    return result;
  }

  void abort() noexcept override { now_ = {}; }

 private:
  tl::unexpected<Error> unavailable(const char* what) {
    now_ = {};
    return failed(ErrorKind::unavailable, database_, what);
  }
  tl::unexpected<Error> doubt() {
    return failed(ErrorKind::in_doubt, database_, "the reply was lost");
  }
  CommitResult execute() { return world_.commit(database_, std::exchange(now_, {})); }

  World& world_;
  Database& database_;
  std::string owner_;
  Transaction now_;
  int incarnation_ = -1;
};

class SimulatedSink final : public Sink {
 public:
  SimulatedSink(World& world, Database& database, std::string owner)
      : world_(world), database_(database), owner_(std::move(owner)) {}

  Guarantee guarantee() const override { return Guarantee::transactional; }
  std::int64_t patience_ms() const override { return 1'000; }

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    if (!reached()) return unavailable();
    const auto incarnation = database_.incarnation();
    const auto epoch = database_.fence(owner_);
    if (!world_.faults.sessions_stay) database_.end_sessions(owner_, true);
    world_.say(fmt::format("{}: takes over {}, epoch {}", owner_, database_.name(), epoch));
    if (!reached() || incarnation != database_.incarnation()) return unavailable();
    epoch_ = epoch;
    return TakenOver{.epoch = epoch,
                     .progress = database_.progress(),
                     .highest_batch_time = database_.highest(),
                     .cluster_id = cluster_id,
                     .previous_owner = {},
                     .notes = {}};
  }

  Result<EnterResult> enter(std::span<const Progress> starts) override {
    if (!reached()) return unavailable();
    if (!database_.enter(owner_, epoch_, {starts.begin(), starts.end()})) {
      return Refused{database_.entry(starts.front().tp), 0};
    }
    std::vector<Progress> all;
    for (const auto& start : starts) all.push_back(*database_.progress(start.tp));
    if (!reached()) return unavailable();
    return all;
  }

  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    if (!reached()) return unavailable();
    if (!world_.faults.sessions_stay) database_.end_sessions(owner_, false);
    std::vector<LedgerEntry> entries;
    for (const auto& task : tasks) entries.push_back(database_.entry(task.range.tp));
    world_.step();
    return entries;
  }

  Result<Alive> keep_alive() override {
    if (!reached()) return unavailable();
    Alive alive{database_.entry({}), database_.progress()};
    world_.step();
    return alive;
  }

  Result<bool> trim() override { return false; }
  Result<std::unique_ptr<SinkSession>> open_session() override {
    return std::make_unique<SimulatedSession>(world_, database_, owner_);
  }
  bool become_home() noexcept override { return world_.home == database_.number(); }
  Result<StateRead> read_state(const StateVersion& since, const SeeState& see) override {
    if (!reached()) return unavailable();
    const auto snapshot = database_.remembered();
    auto read = snapshot.read(since, see);
    if (!reached()) return unavailable();
    return read;
  }
  void leave(const std::optional<std::string>&) noexcept override {}
  void interrupt() noexcept override {}

 private:
  bool reached() {
    world_.step();
    return !world_.one_in(world_.faults.sink, 20);
  }
  tl::unexpected<Error> unavailable() const {
    return failed(ErrorKind::unavailable, database_, "no answer");
  }

  World& world_;
  Database& database_;
  std::string owner_;
  std::int64_t epoch_ = 0;
};

}  // namespace

std::unique_ptr<Sink> make_sink(World& world, Database& database, const std::string& owner) {
  return std::make_unique<SimulatedSink>(world, database, owner);
}

}  // namespace semel::stream_simulation
