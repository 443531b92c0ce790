#include "simulation/simulation.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <memory>
#include <set>

#include "core/history.hpp"
#include "simulation/choices.hpp"
#include "simulation/process.hpp"
#include "simulation/settings.hpp"
#include "simulation/violation.hpp"

namespace semel::simulation {

namespace {

constexpr std::size_t processes_max = 3;
constexpr int drain_steps_max = 60'000;

class Simulation {
 public:
  using Tell = std::function<void(const std::string&)>;

  Simulation(Choices& choices, const Variant& variant, const Tell& tell)
      : choices_(choices),
        tell_(tell),
        settings_(choose_settings(choices, variant)),
        sink_(variant.bugs) {
    const auto partitions = 1 + choices_.below(3);
    for (std::uint32_t p = 0; p < partitions; ++p) add_partition(choices_.below(40));
    directories_.emplace_back();
    // A range that is lost, or a partition that is gone, leaves its batch; ~batches does not.
    const auto& can = settings_.faults;
    const bool counts = settings_.driver.clock != core::BatchClock::none;
    if (counts ||
        (settings_.driver.commit == core::CommitUnit::batch && !can.log_lost && !can.log_changes)) {
      sink_.demand_whole_batches();
    }
    if (counts) sink_.demand_counted_batches();
  }

  void run() {
    const auto steps = 60 + choices_.below(400);
    for (std::uint32_t i = 0; i < steps; ++i) anything();
    drain();
    check_rows();
  }

 private:
  void say(const std::string& what) const {
    if (tell_) tell_(fmt::format("{:>8} {}", now_ms_, what));
  }

  TopicPartition any_partition() {
    return {"t", static_cast<std::int32_t>(
                     choices_.below(static_cast<std::uint32_t>(kafka_.logs.size())))};
  }

  void add_partition(std::uint32_t records) {
    const TopicPartition tp{"t", static_cast<std::int32_t>(kafka_.logs.size())};
    kafka_.produce(kafka_.logs[tp], static_cast<int>(records));
    say(fmt::format("{} appears with {} records", to_string(tp), records));
  }

  // -- What may happen ---------------------------------------------------------------------------

  void anything() {
    const auto choice = choices_.below(40);
    if (choice < 26) return advance(true);
    if (choice < 30) return tick();
    if (choice < 34) return produce();
    const auto& can = settings_.faults;
    switch (choice) {
      case 34:
      case 35:
        return change_log();
      case 36:
        return fault_process();
      case 37:
        return fault_sink();
      case 38:
        if (can.log_lost && choices_.one_in(4)) return lose_log();
        return;
      default:
        if (!sink_.anything_adrift()) return;
        say("a final message whose client is gone is executed");
        return sink_.execute_adrift(0);
    }
  }

  void tick() {
    now_ms_ += choices_.below(40);
    if (settings_.faults.clocks && choices_.one_in(10)) now_ms_ += choices_.below(20'000);
  }

  void advance(bool faults) {
    std::vector<Process*> able;
    for (const auto& process : processes_) {
      if (!process->over() && !process->paused) able.push_back(process.get());
    }
    if (able.empty()) {
      if (processes_.size() < 100) boot();
      return;
    }
    const auto count = static_cast<std::uint32_t>(able.size());
    auto& process = *able[faults ? choices_.below(count) : turn_++ % count];
    process.advance(now_ms_, faults);
    if (process.finished()) finished(process);
  }

  void boot() {
    const auto offset =
        settings_.faults.clocks ? static_cast<std::int64_t>(choices_.below(10'000)) - 5'000 : 0;
    processes_.push_back(std::make_unique<Process>(
        World{kafka_, sink_, directories_, evidence_, choices_,
              tell_ ? Tell([this](const std::string& what) { say(what); }) : Tell()},
        settings_, fmt::format("owner-{}", ++boots_), offset));
    say(fmt::format("{} starts", processes_.back()->id()));
  }

  void produce() {
    auto& log = kafka_.logs.at(any_partition());
    if (!log.exists) return;
    const auto count = static_cast<int>(1 + choices_.below(log.fills_up ? 40 : 12));
    switch (choices_.below(6)) {
      case 3:
        return kafka_.begin_transaction(log, count);
      case 4:
        return kafka_.end_transaction(log, choices_.one_in(2));
      case 5:
        return kafka_.produce_marker(log);
      default:
        return kafka_.produce(log, count);
    }
  }

  void change_log() {
    const auto tp = any_partition();
    auto& log = kafka_.logs.at(tp);
    const auto choice = choices_.below(6);
    if (choice == 5) {
      if (!settings_.faults.tp && !kafka_.denied) return;
      kafka_.denied = !kafka_.denied && choices_.one_in(2);
      return say(kafka_.denied ? "the topic is denied" : "the topic is allowed");
    }
    if (choice < 2) {
      if (!log.leader) {
        log.leader = true;
        ++log.disturbances;
      } else if (choice == 1 && settings_.faults.tp) {
        log.leader = false;
      }
      return;
    }
    if (!settings_.faults.log_changes) return;
    if (choice == 2) return kafka_.compact(log, 2 + static_cast<int>(choices_.below(3)));
    if (choice == 3 && kafka_.logs.size() < 5) return add_partition(choices_.below(20));
    // Retention that takes only what is committed harms nobody.
    if (const auto* progress = sink_.progress(tp); progress != nullptr) {
      if (safe_to_delete(tp)) kafka_.retain_from(log, progress->until);
    }
  }

  /// Nothing that a failover could bring back to life is deleted, except by lose_log().
  bool safe_to_delete(const TopicPartition&) const { return !settings_.faults.failover; }

  void lose_log() {
    const auto tp = any_partition();
    auto& log = kafka_.logs.at(tp);
    any_loss_ = true;
    if (choices_.one_in(8)) {
      kafka_.another_cluster = !kafka_.another_cluster;
      return say(kafka_.another_cluster ? "another cluster answers" : "the cluster is back");
    }
    if (!log.exists && choices_.one_in(2)) {
      log.exists = true;
      return say(fmt::format("{} is back", to_string(tp)));
    }
    if (!log.exists || choices_.one_in(2)) {
      const auto records = static_cast<int>(choices_.below(60));
      kafka_.recreate(tp, records);
      say(fmt::format("{} is created anew with {} records", to_string(tp), records));
    } else if (choices_.one_in(3)) {
      log.exists = false;
      evidence_.deleted.insert(tp);
      ++log.disturbances;
      say(fmt::format("{} is deleted", to_string(tp)));
    } else {
      kafka_.retain_from(log, log.earliest + choices_.below(40));
      say(fmt::format("{} begins at {} now", to_string(tp), log.earliest));
    }
  }

  void fault_process() {
    const auto& can = settings_.faults;
    const auto alive =
        std::ranges::count_if(processes_, [](const auto& process) { return !process->over(); });
    if (processes_.empty()) return;
    auto& process = *processes_[choices_.below(static_cast<std::uint32_t>(processes_.size()))];
    switch (choices_.below(6)) {
      case 1:
        if (can.crashes && !process.over()) {
          say(process.id() + " is killed");
          process.kill();
        }
        return;
      case 2:
        if (can.zombies) process.paused = !process.paused;
        return;
      case 3:
        if (can.zombies && alive < static_cast<long>(processes_max)) boot();
        return;
      case 4:
        if (can.power && choices_.one_in(3)) lose_power();
        return;
      case 5:
        if (can.state_lost && choices_.one_in(3)) {
          const bool held = std::ranges::any_of(
              directories_, [](const auto& directory) { return !directory.holder.empty(); });
          if (!held) directories_.assign(1, {});
          taken_away_ = taken_away_ || !held;
        } else if (!process.over() && choices_.one_in(4)) {
          process.request_stop();
        }
        return;
      default:
        return;
    }
  }

  void lose_power() {
    say("the machine loses power");
    for (const auto& process : processes_) {
      if (!process->over()) process->kill();
    }
    for (auto& directory : directories_) {
      directory.lose_power(choices_.below(static_cast<std::uint32_t>(directory.unsynced()) + 1));
    }
  }

  void fault_sink() {
    if (!settings_.faults.failover) return;
    if (!choices_.one_in(3)) return sink_.replicate();
    say("the sink fails over to its replica");
    sink_.fail_over();
    taken_away_ = true;
  }

  // -- What must hold ----------------------------------------------------------------------------

  void finished(const Process& process) {
    say(process.describe());
    if (!process.error()) {
      demand(process.stop_requested() || settings_.driver.once, "end",
             process.id() + " ended without a reason");
      if (!process.stop_requested()) check_once(process);
      return;
    }
    const auto& error = *process.error();
    switch (error.cause) {
      case Cause::fenced:
        return demand(sink_.was_fenced(process.id()), "P7",
                      process.id() + " says that it was fenced, and nobody has taken over");
      case Cause::data_loss:
        demand(any_loss_, "end", "nothing was lost, and still: " + error.message);
        return correct_positions();
      case Cause::sink:
        return demand(settings_.driver.retry.max_failures < tries_for_ever, "end", error.message);
      case Cause::source:
        return demand(any_loss_ || settings_.faults.tp, "end",
                      "Kafka was there, and still: " + error.message);
      default:
        throw Violation("end", error.message);
    }
  }

  void check_once(const Process& process) const {
    if (any_loss_ || settings_.faults.failover) return;
    for (const auto& [tp, end] : process.ends_at_start()) {
      const auto* progress = sink_.progress(tp);
      demand(progress != nullptr && progress->until >= end, "once",
             fmt::format("{} ended with {} at {}, and saw {} at its start", process.id(),
                         to_string(tp), progress == nullptr ? -1 : progress->until, end));
    }
  }

  /// What an operator does when told that records are gone: set the positions to what there is.
  void correct_positions() {
    sink_.forget_ahead();
    for (const auto& progress : sink_.all_progress()) {
      if (is_batches(progress.tp)) continue;
      const auto& log = kafka_.logs.at(progress.tp);
      if (!log.exists) continue;
      const auto known = sink_.generation(progress.tp);
      const auto* marked = progress.last ? log.visible(progress.last->offset) : nullptr;
      const bool another = marked != nullptr && marked->id != progress.last->checksum;
      if (known == log.generation && !another && progress.until >= log.earliest &&
          progress.until <= log.last_stable()) {
        continue;
      }
      say(fmt::format("{} is set from {} to {} by hand", to_string(progress.tp), progress.until,
                      log.earliest));
      sink_.set(progress.tp, log.earliest, log.generation);
      taken_away_ = true;
    }
  }

  /// No more faults: then the last record must be committed, and every old owner notices.
  void drain() {
    say("-- no more faults");
    no_faults_since_ms_ = now_ms_;
    kafka_.another_cluster = false;
    kafka_.denied = false;
    for (auto& [tp, log] : kafka_.logs) {
      if (!log.exists) kafka_.recreate(tp, 5);
      if (!log.leader) ++log.disturbances;
      log.leader = true;
      kafka_.end_transaction(log, true);
      // An idle pipeline has to notice, too, that its ledger went back.
      if (choices_.one_in(2)) kafka_.produce(log, 1);
    }
    for (const auto& process : processes_) process->paused = false;
    for (int i = 0; i < drain_steps_max; ++i) {
      if (i % 8 == 0) now_ms_ += 20;
      if (i % 64 == 0) now_ms_ += 500;
      if (done()) return;
      advance(false);
    }
    std::string who;
    for (const auto& process : processes_) {
      if (!process->over()) who += " " + process->describe();
    }
    for (const auto& [tp, log] : kafka_.logs) {
      const auto* progress = sink_.progress(tp);
      who += fmt::format("; {} at {} of {}", to_string(tp),
                         progress == nullptr ? -1 : progress->until, log.last_stable());
    }
    throw Violation("liveness", "the last record was never committed:" + who);
  }

  bool done() const {
    // All but one are over, and that one has nothing left to do.
    const auto alive =
        std::ranges::count_if(processes_, [](const auto& process) { return !process->over(); });
    return alive <= 1 && time_goes_on() && std::ranges::all_of(kafka_.logs, [&](const auto& entry) {
             const auto* progress = sink_.progress(entry.first);
             return progress != nullptr && progress->until == entry.second.last_stable();
           });
  }

  /// A clock that is to go on by itself has come to the end of the faults.
  bool time_goes_on() const {
    if (settings_.driver.clock != core::BatchClock::each_interval || settings_.driver.once) {
      return true;
    }
    const auto* progress = sink_.progress(core::batches_partition());
    return progress != nullptr && progress->batch_time.ms >= no_faults_since_ms_;
  }

  void check_rows() const {
    const auto progress = sink_.all_progress();
    core::HistoryCheck check;
    for (const auto& move : sink_.history()) check.add(move);
    check_given_up();
    for (const auto& history : check.finish(progress)) {
      demand(history.broken.empty(), "P1", history.broken.empty() ? "" : history.broken.front());
    }
    for (const auto& [tp, log] : kafka_.logs) {
      const auto from = must_be_stored_from(tp, log);
      for (Offset offset = from; offset < log.last_stable(); ++offset) {
        const auto stored = sink_.stored({tp, log.generation, offset});
        const bool visible = log.visible(offset) != nullptr;
        if (visible && !evidence_.is_left_out({tp, log.generation}, offset)) {
          demand(stored == 1, "exactly once",
                 fmt::format("{} offset {} was never stored", to_string(tp), offset));
        }
      }
    }
  }

  /// Where the batches' log and the ledger are not taken away, and nobody else goes on in between,
  /// all that was to be recorded of a batch that was given up is.
  void check_given_up() const {
    if (taken_away_ || directories_.size() > 1) return;
    for (const auto& [time, ranges] : evidence_.given_up) {
      // Of a log that is another one since, what it holds is planned anew.
      const bool same = std::ranges::all_of(ranges, [&](const auto& one) {
        return kafka_.logs.at(one.range.tp).generation == one.generation;
      });
      if (!same) continue;
      std::set<TopicPartition> lost;
      bool stored = false;
      for (const auto& move : sink_.history()) {
        if (move.batch_time != time) continue;
        if (move.kind == MoveKind::lost) lost.insert(move.tp);
        stored = stored || move.kind == MoveKind::commit;
      }
      const bool all =
          std::ranges::all_of(ranges, [&](const auto& one) { return lost.contains(one.range.tp); });
      demand(lost.empty() || all, "given up",
             fmt::format("of {} ranges of batch {}, {} are on record", ranges.size(), time.ms,
                         lost.size()));
      demand(lost.empty() || !stored || settings_.driver.commit != core::CommitUnit::batch,
             "given up", fmt::format("batch {} is stored, and given up", time.ms));
    }
  }

  Offset must_be_stored_from(const TopicPartition& tp, const Log& log) const {
    auto from = log.earliest;
    if (const auto excused = evidence_.excused.find({tp, log.generation});
        excused != evidence_.excused.end()) {
      from = std::max(from, excused->second);
    }
    // Another log that ends exactly where the position is: it is noticed with its next record.
    if (sink_.generation(tp) != log.generation) {
      from = std::max(from, sink_.progress(tp)->until);
    }
    if (const auto begun = evidence_.begun.find({tp, log.generation});
        begun != evidence_.begun.end()) {
      from = std::max(from, begun->second);
    }
    return from;
  }

  Choices& choices_;
  const Tell& tell_;
  Settings settings_;
  Kafka kafka_;
  Sink sink_;
  std::vector<PlanDirectory> directories_;
  Evidence evidence_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::int64_t now_ms_ = 1'000'000;
  std::int64_t no_faults_since_ms_ = 0;
  std::uint32_t turn_ = 0;
  int boots_ = 0;
  bool any_loss_ = false;
  bool taken_away_ = false;  ///< plan log or ledger, by a fault or a hand
};

std::optional<Failure> run(Choices& choices, const Variant& variant, const Simulation::Tell& tell) {
  try {
    if (variant.world != nullptr) {
      variant.world(choices, tell);
    } else {
      Simulation(choices, variant, tell).run();
    }
    return std::nullopt;
  } catch (const Violation& violation) {
    return Failure{violation.rule(), violation.what(), choices.made()};
  }
}

}  // namespace

std::optional<Failure> run_seed(std::uint64_t seed, const Variant& variant) {
  Choices choices(seed);
  return run(choices, variant, {});
}

std::optional<Failure> run_schedule(const std::vector<std::uint32_t>& schedule,
                                    const Variant& variant,
                                    const std::function<void(const std::string&)>& tell) {
  Choices choices(schedule);
  return run(choices, variant, tell);
}

Failure shorten(const Failure& failure, const Variant& variant, int attempts) {
  auto best = failure;
  const auto better = [&](std::vector<std::uint32_t> candidate) {
    if (attempts-- <= 0) return false;
    auto again = run_schedule(candidate, variant);
    if (!again || again->rule != best.rule) return false;
    // What a run made of it, without the zeros that a recording gives when it is over.
    while (!again->schedule.empty() && again->schedule.back() == 0) again->schedule.pop_back();
    if (again->schedule.size() > candidate.size()) again->schedule = std::move(candidate);
    best = *std::move(again);
    return true;
  };
  for (auto block = best.schedule.size() / 2; block > 0 && attempts > 0; block /= 2) {
    for (std::size_t at = 0; at + block <= best.schedule.size() && attempts > 0;) {
      auto candidate = best.schedule;
      const auto begin = candidate.begin() + static_cast<std::ptrdiff_t>(at);
      candidate.erase(begin, begin + static_cast<std::ptrdiff_t>(block));
      if (!better(std::move(candidate))) at += block;
    }
  }
  for (std::size_t at = 0; at < best.schedule.size() && attempts > 0; ++at) {
    if (best.schedule[at] == 0) continue;
    auto candidate = best.schedule;
    candidate[at] = 0;
    better(std::move(candidate));
  }
  return best;
}

}  // namespace semel::simulation
