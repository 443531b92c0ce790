#include "simulation/stream/simulation.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <memory>
#include <set>

#include "simulation/stream/process.hpp"
#include "simulation/stream/world.hpp"
#include "simulation/violation.hpp"
#include "state/store.hpp"

namespace semel::stream_simulation {

using simulation::Choices;
using simulation::demand;

namespace {

constexpr std::size_t machines = 2;
constexpr int drain_steps_max = 40'000;
constexpr int boots_max = 60;
constexpr int boots_in_drain_max = 8;

class Simulation {
 public:
  using Tell = std::function<void(const std::string&)>;

  Simulation(Choices& choices, const Tell& tell, bool at_home)
      : choices_(choices),
        world_{.choices = choices,
               .tell = tell ? Tell([this, tell](const std::string& what) {
                 tell(fmt::format("{:>8} {}", now_ms_, what));
               })
                            : Tell()} {
    auto& can = world_.faults;
    for (auto* fault : {&can.sink, &can.adrift, &can.crashes, &can.power, &can.zombies,
                        &can.failover, &can.moves, &can.partitions, &can.new_output}) {
      *fault = choices_.one_in(2);
    }
    can.sessions_stay = can.adrift && choices_.one_in(2);
    world_.with_state = !choices_.one_in(4);
    world_.ticks = choices_.one_in(3);
    for (std::size_t i = 0; i < machines; ++i) {
      world_.machines.push_back({.name = fmt::format("machine-{}", i + 1)});
    }
    const bool seen_first = choices_.one_in(2);
    const auto holds = [&](bool seen) {
      return world_.with_state && seen ? Holds::seen : Holds::records;
    };
    world_.databases.emplace_back("one", holds(seen_first), 0);
    world_.databases.emplace_back("two", holds(!seen_first), 1);
    world_.databases.emplace_back("three", Holds::records, 2);
    world_.outputs = can.new_output ? 2 : 3 - choices_.below(3);
    first_outputs_ = world_.outputs;
    if (at_home) {
      world_.with_state = true;
      world_.home =
          choices_.below(static_cast<std::uint32_t>(std::min<std::size_t>(first_outputs_, 2)));
    }
    for (auto partitions = 1 + choices_.below(2); partitions > 0; --partitions) add_partition();
  }

  void run() {
    const auto steps = 200 + choices_.below(1'500);
    for (std::uint32_t i = 0; i < steps && !given_up_; ++i) anything();
    if (!given_up_) drain();
    check_end();
  }

 private:
  void add_partition() {
    const TopicPartition tp{"t", static_cast<std::int32_t>(world_.kafka.logs.size())};
    world_.kafka.produce(world_.kafka.logs[tp], static_cast<int>(choices_.below(8)));
    world_.say(fmt::format("{} appears", to_string(tp)));
  }

  // -- What may happen ---------------------------------------------------------------------------

  void anything() {
    const auto choice = choices_.below(40);
    if (choice < 30) return advance();
    if (choice < 33) {
      now_ms_ += choices_.below(30);
      return;
    }
    if (choice < 35) return produce();
    switch (choice) {
      case 35:
      case 36:
        return trouble_process();
      case 37:
        return trouble_database();
      case 38:
        return execute_adrift();
      default:
        return grow();
    }
  }

  void advance() {
    std::vector<Process*> able;
    for (const auto& process : processes_) {
      if (!process->over() && !process->paused) able.push_back(process.get());
    }
    if (able.empty()) return boot();
    const auto count = static_cast<std::uint32_t>(able.size());
    auto& process = *able[world_.trouble ? choices_.below(count) : turn_++ % count];
    process.advance(now_ms_);
    if (process.over()) ended(process);
  }

  /// On the machine where it was, as a rule; without faults, on each in turn.
  void boot() {
    if (boots_ == boots_max) return;
    auto machine = last_machine_;
    if (!world_.trouble) {
      machine = turn_of_machines_++ % machines;
      ++boots_in_drain_;
    } else if (world_.faults.moves && choices_.one_in(3)) {
      machine = 1 - machine;
    }
    boot_on(machine);
  }

  void boot_on(std::size_t machine) {
    if (!world_.machines[machine].plans.holder.empty()) return;
    last_machine_ = machine;
    processes_.push_back(
        std::make_unique<Process>(world_, fmt::format("owner-{}", ++boots_), machine));
    world_.say(
        fmt::format("{} starts on {}", processes_.back()->id(), world_.machines[machine].name));
  }

  void produce() {
    const auto count = static_cast<std::uint32_t>(world_.kafka.logs.size());
    auto& log = world_.kafka.logs.at({"t", static_cast<std::int32_t>(choices_.below(count))});
    if (choices_.one_in(4)) {
      world_.kafka.produce_marker(log);
    } else {
      world_.kafka.produce(log, static_cast<int>(1 + choices_.below(4)));
    }
  }

  void trouble_process() {
    if (processes_.empty()) return;
    auto& process = *processes_[choices_.below(static_cast<std::uint32_t>(processes_.size()))];
    switch (choices_.below(5)) {
      case 1:
        if (!world_.faults.crashes || process.over()) return;
        world_.say(process.id() + " is killed");
        return process.kill();
      case 2:
        if (world_.faults.zombies) process.paused = !process.paused;
        return;
      case 3:
        if (world_.faults.zombies && world_.faults.moves && boots_ < boots_max) {
          boot_on(choices_.below(machines));
        }
        return;
      case 4:
        if (world_.faults.power) lose_power(choices_.below(machines));
        return;
      default:
        return;
    }
  }

  void lose_power(std::size_t number) {
    auto& machine = world_.machines[number];
    world_.say(machine.name + " loses power");
    for (const auto& process : processes_) {
      if (process->machine() == number) process->kill();
    }
    const auto some = [this](std::size_t of) {
      return choices_.below(static_cast<std::uint32_t>(of) + 1);
    };
    machine.plans.lose_power(some(machine.plans.unsynced()));
    machine.state.lose_power(some(machine.state.unsynced.size()));
  }

  void trouble_database() {
    if (!world_.faults.failover) return;
    const auto which = choices_.below(4);
    const bool remember = !choices_.one_in(4);
    for (auto& database : world_.databases) {
      if (which != 3 && database.number() != which) continue;
      if (remember) {
        database.remember();
        continue;
      }
      if (!database.go_back()) continue;
      world_.say(database.name() + " fails over to a replica");
      world_.went_back = true;
      if (database.number() == 0) first_went_back_ = true;
    }
  }

  void execute_adrift() {
    for (auto& database : world_.databases) {
      if (!database.anything_adrift()) continue;
      world_.say("what was under way arrives at " + database.name());
      world_.commit(database, database.take_adrift());
      return;
    }
  }

  void grow() {
    if (choices_.one_in(3) && world_.faults.partitions && world_.kafka.logs.size() < 4) {
      return add_partition();
    }
    if (!world_.faults.new_output || world_.outputs != 2 || !choices_.one_in(6)) return;
    world_.say("there is a third output from now on");
    world_.outputs = 3;
    for (const auto& process : processes_) process->kill();
  }

  // -- What must hold ----------------------------------------------------------------------------

  void ended(const Process& process) {
    demand(process.error().has_value(), "end", process.id() + " ended without a reason");
    const auto& error = *process.error();
    world_.say(fmt::format("{} ends: {}", process.id(), error.message));
    switch (error.cause) {
      case Cause::fenced:
        return check_fenced(process);
      case Cause::state:
        return check_refusal(process, error.message);
      case Cause::sink:
        demand(world_.went_back, "end", "no ledger went back, and still: " + error.message);
        return;
      default:
        throw simulation::Violation("end", error.message);
    }
  }

  void check_fenced(const Process& process) const {
    const bool any = std::ranges::any_of(
        world_.databases, [&](const auto& database) { return database.was_fenced(process.id()); });
    demand(any, "fenced", process.id() + " says so, and nobody has taken over");
    demand(first_went_back_ || world_.databases.front().owner() != process.id(), "nobody is left",
           process.id() + " has the first output, and stops for another");
  }

  /// Who refuses has seen a version that another machine made, or a ledger that went back further
  /// than the state can.
  void check_refusal(const Process& process, const std::string& why) {
    bool foreign = false;
    bool alone = true;
    for (std::size_t i = 0; i < world_.outputs; ++i) {
      const auto& database = world_.databases[i];
      const auto made = world_.made_by.find(database.version().name);
      foreign = foreign || (made != world_.made_by.end() && made->second != process.machine());
      alone = alone && database.owner() == process.id();
    }
    // While others go on, what it saw may be over.
    if (!alone) return;
    if (world_.home) return demand(world_.went_back, "refusal", why);
    demand(foreign || world_.went_back, "refusal", why);
    demand(!fits(process.machine()), "refusal", why);
  }

  /// Whether decision 15 goes on where the outputs and the machine's state are now.
  bool fits(std::size_t machine) {
    const auto store = state::Store::open(disk_of(world_.machines[machine].state, [] {}));
    const auto stored = (*store)->stored();
    const auto all_at = [&](const state::Version& other) {
      for (std::size_t i = 0; i < world_.outputs; ++i) {
        const auto& version = world_.databases[i].version();
        if (version != stored.base && version != other) return false;
      }
      return true;
    };
    const auto& prepared = stored.prepared;
    const auto& undo = stored.undo;
    return all_at(stored.base) ||
           (prepared && prepared->parent == stored.base && all_at(prepared->version)) ||
           (undo && undo->version == stored.base && all_at(undo->parent));
  }

  /// No more faults: then all must be committed to all, and every old owner notices.
  void drain() {
    world_.say("-- no more faults");
    world_.trouble = false;
    for (const auto& process : processes_) process->paused = false;
    for (auto& database : world_.databases) {
      while (database.anything_adrift()) world_.commit(database, database.take_adrift());
    }
    settle();
    // One more of each key: their rows show all of the state.
    if (given_up_) return;
    auto& log = world_.kafka.logs.begin()->second;
    world_.kafka.produce(log, 3);
    settle();
  }

  void settle() {
    for (int i = 0; i < drain_steps_max; ++i) {
      if (i % 8 == 0) now_ms_ += 20;
      if (i % 64 == 0) now_ms_ += 500;
      if (boots_in_drain_ > boots_in_drain_max || boots_ == boots_max) {
        // A state that went on, and ledgers that went back: people must decide.
        demand(world_.went_back || boots_ == boots_max, "liveness",
               "no machine has the state that belongs to the outputs");
        given_up_ = true;
        return;
      }
      advance();
      if (done()) return;
    }
    std::string where;
    for (const auto& database : world_.databases) {
      for (const auto& at : database.progress()) {
        where += fmt::format("; {}: {} at {}", database.name(), to_string(at.tp), at.until);
      }
    }
    throw simulation::Violation("liveness", "the last record was never committed" + where);
  }

  bool done() const {
    std::size_t alive = 0;
    for (const auto& process : processes_) {
      if (!process->over()) ++alive;
    }
    if (alive != 1) return false;
    for (std::size_t i = 0; i < world_.outputs; ++i) {
      for (const auto& [tp, log] : world_.kafka.logs) {
        const auto* at = world_.databases[i].progress(tp);
        if (at == nullptr || at->until != log.last_stable()) return false;
      }
    }
    return true;
  }

  void check_end() const {
    if (given_up_) return;
    for (std::size_t i = 0; i < world_.outputs; ++i) {
      const auto& database = world_.databases[i];
      if (world_.with_state) {
        demand(database.version() == world_.databases.front().version(), "agreement",
               database.name() + " is at another version than the first output");
      }
      if (database.holds() != Holds::records || i >= first_outputs_) continue;
      for (const auto& [tp, log] : world_.kafka.logs) {
        for (Offset offset = 0; offset < log.last_stable(); ++offset) {
          demand((log.visible(offset) != nullptr) == database.rows(tp).contains(offset),
                 "exactly once",
                 fmt::format("{}[{}] is not once in {}", to_string(tp), offset, database.name()));
        }
      }
    }
  }

  Choices& choices_;
  World world_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::int64_t now_ms_ = 1'000'000;
  std::uint32_t turn_ = 0;
  std::size_t turn_of_machines_ = 0;
  std::size_t last_machine_ = 0;
  std::size_t first_outputs_ = 2;
  int boots_ = 0;
  int boots_in_drain_ = 0;
  bool first_went_back_ = false;
  bool given_up_ = false;
};

}  // namespace

void run(Choices& choices, const std::function<void(const std::string&)>& tell) {
  Simulation(choices, tell, false).run();
}

void run_at_home(Choices& choices, const std::function<void(const std::string&)>& tell) {
  Simulation(choices, tell, true).run();
}

}  // namespace semel::stream_simulation
