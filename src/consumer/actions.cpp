// What the driver wants done, done at once in the caller's thread.
#include <utility>

#include "base/crash_point.hpp"
#include "consumer/core.hpp"
#include "engine/jitter.hpp"
#include "engine/notice_level.hpp"
#include "engine/same_cluster.hpp"
#include "engine/source_answers.hpp"

namespace semel::consumer {

bool Core::obey(core::AskOffsets& ask) {
  events_.push_back(engine::answer(*client_, ask));
  return true;
}

bool Core::obey(core::EnterPartitions& enter) {
  auto found =
      engine::starts_of(*client_, enter, options_.kafka.start, engine::below_earliest(options_));
  for (auto& event : found.others) events_.push_back(std::move(event));
  to_enter_.insert(to_enter_.end(), found.starts.begin(), found.starts.end());
  if (!to_enter_.empty() && !entering_) entering_ = Pending{Clock::now(), 0};
  enter_due();
  return true;
}

/// Nothing is planned durably: who starts again plans anew from the ledger, and what a transaction
/// of before still has under way is refused there.
bool Core::obey(core::PersistPlan&) {
  crash_point(CrashPoint::planned);
  return true;
}
bool Core::obey(core::ForgetBatch&) {
  return true;
}

bool Core::obey(core::StartTasks& start) {
  for (const auto& [tp, lane] : start.leave) lanes_[lane].reader->forget(tp);
  auto& waiting = lanes_[start.executor].waiting;
  waiting.insert(waiting.end(), start.tasks.begin(), start.tasks.end());
  return true;
}

bool Core::obey(core::ResolveDoubt& doubt) {
  const auto& task = doubt.tasks.front();
  const core::TaskId id{task.time, task.range.tp};
  auto ledger = ledger_->resolve(doubt.tasks);
  if (!ledger) {
    events_.emplace_back(core::DoubtUnresolved{id, ledger.error(), engine::jitter()});
    return true;
  }
  const bool stands = core::judge(ledger->front(), task, owner_.id) == core::Verdict::not_committed;
  const auto claimed = claimed_.find(task.range.tp);
  if (claimed != claimed_.end() && claimed->second == task.time) {
    claimed_.erase(claimed);
    if (stands) {
      events_.emplace_back(core::Broke{not_advanced(task.range)});
      return true;
    }
  }
  const auto let_go = let_go_.find(task.range.tp);
  if (stands && let_go != let_go_.end() && let_go->second.time == task.time &&
      let_go->second.times > 1) {
    events_.emplace_back(core::Broke{let_go_twice(task.range)});
    return true;
  }
  events_.emplace_back(core::DoubtResolved{id, *std::move(ledger)});
  return true;
}

bool Core::obey(core::TakeOver&) {
  taking_over_ = Pending{Clock::now(), 0};
  take_over_due();
  return true;
}

bool Core::obey(core::ShowProgress& progress) {
  to_show_[progress.tp] = progress.until;
  return true;
}

bool Core::obey(core::Notice& notice) {
  log_.say(engine::level_of(notice.level), notice.text);
  return true;
}

bool Core::obey(core::Finish& finish) {
  finished_ = !finish.error;
  if (finish.error) fail_with(*std::move(finish.error));
  return false;
}

/// One attempt of what has to succeed some time; true: it is over. What only people can mend ends
/// the consumer.
template <class Attempt>
bool Core::attempt(std::optional<Pending>& pending, Attempt tried) {
  if (!pending || Clock::now() < pending->due) return false;
  const Result<void> result = tried();
  if (result) {
    pending.reset();
    return true;
  }
  const auto decision = core::decide_retry(options_.retry, result.error().kind, ++pending->failures,
                                           engine::jitter());
  if (pending->failures == 1) log_.warn("{}; trying again", result.error().message);
  if (decision.give_up) {
    pending.reset();
    events_.emplace_back(core::Broke{result.error()});
    return true;
  }
  pending->due = Clock::now() + std::chrono::milliseconds(decision.delay_ms);
  return false;
}

void Core::enter_due() {
  const bool over = attempt(entering_, [&]() -> Result<void> {
    auto entered = ledger_->enter(to_enter_);
    if (!entered) return tl::unexpected(entered.error());
    crash_point(CrashPoint::entered_partitions);
    if (auto* refused = std::get_if<Refused>(&*entered)) {
      events_.emplace_back(core::OwnerSeen{std::move(refused->ledger), {}});
    } else {
      events_.emplace_back(core::Entered{std::get<std::vector<Progress>>(*std::move(entered))});
    }
    return {};
  });
  if (over) to_enter_.clear();
}

void Core::take_over_due() {
  attempt(taking_over_, [&]() -> Result<void> {
    const auto& cluster = options_.kafka.cluster_id;
    auto taken = ledger_->take_over(cluster);
    if (!taken) return tl::unexpected(taken.error());
    // Another database may answer by now, with the ledger of another cluster.
    if (auto same = engine::same_cluster(options_, taken->cluster_id, cluster); !same) return same;
    to_enter_.clear();
    entering_.reset();
    events_.emplace_back(core::TookOver{*std::move(taken), {}});
    return {};
  });
}

}  // namespace semel::consumer
