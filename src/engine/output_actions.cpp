// What the core wants done, done: handed to the thread that does it, or made durable here.

#include "base/crash_point.hpp"
#include "engine/notice_level.hpp"
#include "engine/output.hpp"

namespace semel::engine {

bool Output::stop(Error error) {
  if (error.cause == Cause::fenced) metrics_.fenced.Increment();
  outcome_ = tl::unexpected(std::move(error));
  return false;
}

bool Output::obey(core::AskOffsets& ask) {
  watcher_->ask(std::move(ask));
  return true;
}

bool Output::obey(core::EnterPartitions& enter) {
  watcher_->resolve(std::move(enter));
  return true;
}

bool Output::obey(core::PersistPlan& plan) {
  crash_point(CrashPoint::planned);
  news_.planned(plan.batch);
  const auto begun = Clock::now();
  metrics_.batch_times.planned(plan.batch.time, begun);
  auto put = plans_->put(plan.batch);
  turn_.planned.emplace_back(plan.batch.time, Clock::now() - begun);
  crash_point(CrashPoint::persisted_plan);
  return put ? true : stop(put.error());
}

bool Output::obey(core::StartTasks& start) {
  for (const auto& [tp, executor] : start.leave) executors_[executor]->leave(tp);
  executors_[start.executor]->submit(std::move(start.tasks));
  return true;
}

bool Output::obey(core::ResolveDoubt& doubt) {
  keeper_->resolve(std::move(doubt.tasks));
  return true;
}

bool Output::obey(core::ForgetBatch& forget) {
  crash_point(CrashPoint::settled);
  turn_.done.push_back(forget.time);
  news_.done(forget.time);
  metrics_.batch_times.done(forget.time, Clock::now());
  auto erased = plans_->erase(forget.time);
  crash_point(CrashPoint::forgot_plan);
  return erased ? true : stop(erased.error());
}

bool Output::obey(core::TakeOver&) {
  metrics_.batch_times.forget_all();
  keeper_->take_over();
  return true;
}

bool Output::obey(core::ShowProgress& progress) {
  news_.moved(progress.tp, *state_);
  if (!is_batches(progress.tp)) watcher_->show(std::move(progress));
  return true;
}

bool Output::obey(core::Notice& notice) {
  log().put(level_of(notice.level), "{}{}", prefix_, notice.text);
  return true;
}

bool Output::obey(core::Finish& finish) {
  if (finish.error) return stop(*std::move(finish.error));
  publish_partitions();
  outcome_ = snapshot();
  return false;
}

}  // namespace semel::engine
