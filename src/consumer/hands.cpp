// Ranges on their way into the user's hand, and what the user says of them.
#include <fmt/format.h>
#include <algorithm>
#include <exception>
#include <utility>

#include "base/crash_point.hpp"
#include "base/one_line.hpp"
#include "consumer/core.hpp"
#include "engine/reading.hpp"

namespace semel::consumer {

namespace {

constexpr std::size_t tasks_to_fetch_ahead = 3;
constexpr std::chrono::milliseconds wait_slice{50};
// How long a consumer that stops waits for a Kafka that says nothing.
constexpr std::chrono::seconds stop_patience{2};

std::string with_colon(const std::string& text) {
  return text.empty() ? "" : ": " + text;
}

/// Why a range failed, by the exception that is being handled, if there is one: what semel has met
/// in the store says so itself, all else is the program's.
Error being_handled() {
  Error error{ErrorKind::in_doubt, Cause::program, ""};
  if (!std::current_exception()) return error;
  try {
    throw;
  } catch (const Failed& failed) {
    error.cause = failed.error().cause;
    error.message = one_line(failed.what());
  } catch (const std::exception& other) {
    error.message = one_line(other.what());
  } catch (...) {
    error.message = "an exception that is no std::exception";
  }
  return error;
}

}  // namespace

Error not_advanced(const OffsetRange& range) {
  return {ErrorKind::fatal, Cause::program,
          fmt::format(
              "{} is said to be committed, and the ledger did not move: the transaction was "
              "committed without the advance of this range, in another database, or in one that "
              "lost it since (a failover). Its rows may be stored, and would be stored again: "
              "remove them, put the advance "
              "into the same transaction (transact() does), and start again",
              to_string(range))};
}

Error let_go_twice(const OffsetRange& range) {
  return {ErrorKind::fatal, Cause::program,
          fmt::format(
              "{} was read to its end twice and let go without a word, and the ledger did not "
              "move. Either its transactions were committed without the advance of the range, and "
              "without begin_sql(), where there is one: then its rows are stored twice, remove "
              "them, and put both into the same transaction (transact() does). Or they were "
              "refused, as a COMMIT is where only the advance is missing, or rolled back: then "
              "nothing is stored, and the program has to "
              "say so by Range::failed() or settle(), after which the range comes again, "
              "max_failures times",
              to_string(range))};
}

std::optional<Range> Core::hand_out() {
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (auto range = hand_out(lane)) return range;
  }
  return std::nullopt;
}

/// Nobody holds a transaction open for a Kafka that is silent: a range is handed out when its first
/// records are there.
std::optional<Range> Core::hand_out(std::size_t at) {
  auto& lane = lanes_[at];
  if (lane.hand) return std::nullopt;
  while (lane.begun || begin_next(lane)) {
    const auto task = *lane.begun;
    const auto step = lane.reader->read(engine::records_to_read(mean_record_bytes_.load()), 0);
    if (!step) {
      events_.emplace_back(engine::failure_of({&task, 1}, step.error(), 0, lane.reader.get()));
      lane.begun.reset();
      continue;
    }
    const auto now = Clock::now();
    if (step->records.empty() && !step->end) {
      const auto patience = std::chrono::milliseconds(options_.no_progress_timeout_ms);
      if (now - lane.begun_at <= patience) return std::nullopt;
      auto error = engine::nothing_read(*lane.reader, task.range, patience.count());
      events_.emplace_back(engine::failure_of({&task, 1}, std::move(error), 0, lane.reader.get()));
      lane.begun.reset();
      continue;
    }
    lane.begun.reset();
    lane.hand = std::make_shared<Hand>();
    lane.hand->core = this;
    lane.hand->lane = at;
    lane.hand->move.task = task;
    lane.hand->move.last = task.last;
    lane.hand->moved = now;
    lane.hand->read = step->end;
    lane.hand->exceptions = std::uncaught_exceptions();
    lane.handed_at = now;
    lane.tell_at = now + long_in_hand_;
    if (!step->records.empty()) lane.hand->first = step->records;
    return Range(lane.hand);
  }
  return std::nullopt;
}

/// The next task of the lane's that can be read; false: there is none.
bool Core::begin_next(Lane& lane) {
  while (!lane.waiting.empty()) {
    const auto task = std::move(lane.waiting.front());
    lane.waiting.pop_front();
    if (task.kind == TaskKind::lost) {
      move_lost(task);
      continue;
    }
    if (auto begun = lane.reader->begin(task.range, task.last, task.recheck); !begun) {
      events_.emplace_back(engine::failure_of({&task, 1}, begun.error(), 0, lane.reader.get()));
      continue;
    }
    lane.begun = task;
    lane.begun_at = Clock::now();
    for (std::size_t i = 0; i < std::min(tasks_to_fetch_ahead, lane.waiting.size()); ++i) {
      const auto& next = lane.waiting[i];
      if (next.kind == TaskKind::load) lane.reader->expect(next.range, next.last, next.recheck);
    }
    return true;
  }
  return false;
}

/// Nothing of the user's is in it: a transaction of the ledger's own.
void Core::move_lost(const Task& task) {
  const std::span<const Task> tasks(&task, 1);
  const auto id = engine::id_of(tasks);
  const auto fails = [&](const Error& error) {
    events_.emplace_back(engine::failure_of(tasks, error, std::nullopt, nullptr));
  };
  const auto refused = [&](const Refused& by) {
    events_.emplace_back(core::TaskRefused{id, by.ledger, by.task});
  };
  auto session = ledger_->open_session();
  if (!session) return fails(session.error());
  auto begun = (*session)->begin(tasks);
  if (!begun) return fails(begun.error());
  if (*begun) return refused(**begun);
  const RangeEnd nothing;
  auto done = (*session)->commit({&nothing, 1});
  if (!done) return fails(done.error());
  if (const auto* by = std::get_if<Refused>(&*done)) return refused(*by);
  events_.emplace_back(core::TaskCommitted{id, {core::Done{}}});
}

/// Gives back what nobody has begun, without a word: it is planned again, or at the next start.
void Core::drop_waiting() {
  for (auto& lane : lanes_) {
    if (lane.begun) lane.waiting.push_front(*std::exchange(lane.begun, std::nullopt));
    for (const auto& task : std::exchange(lane.waiting, {})) {
      auto event = engine::failure_of(
          {&task, 1}, {ErrorKind::unavailable, Cause::source, "not begun"}, 0, nullptr);
      event.slow = true;
      events_.emplace_back(std::move(event));
    }
  }
}

void Core::took(Hand& hand, std::span<const Record> records) {
  const auto size = engine::size_of(records);
  mean_record_bytes_ = std::max<std::size_t>(size / records.size(), 1);
  hand.records += records.size();
  hand.bytes += size;
  hand.moved = Clock::now();
  hand.given = records;
  hand.move.last = mark_of(records.back());
}

std::optional<std::span<const Record>> Core::read(Hand& hand,
                                                  std::optional<std::chrono::milliseconds> wait) {
  const Call call(*this, hand);
  hand.given = {};
  if (const auto first = std::exchange(hand.first, std::nullopt)) {
    took(hand, *first);
    return *first;
  }
  if (hand.read) {
    hand.ended = true;
    return std::nullopt;
  }
  auto& reader = *lanes_[hand.lane].reader;
  const auto task = hand.move.task;
  const auto broken = [&](Error error) {
    auto event = engine::failure_of({&task, 1}, std::move(error), 0, &reader);
    error = event.error;
    end(hand, std::move(event));
    return Failed(std::move(error));
  };
  const auto began = Clock::now();
  const auto patience = std::chrono::milliseconds(options_.no_progress_timeout_ms);
  while (true) {
    if (!ledger_->one_writer()) beat_if_due();
    auto slice = wait_slice;
    if (wait) {
      const auto gone = std::chrono::floor<std::chrono::milliseconds>(Clock::now() - began);
      slice = std::clamp(*wait - gone, std::chrono::milliseconds(0), slice);
    }
    const auto step = reader.read(engine::records_to_read(mean_record_bytes_.load()),
                                  static_cast<int>(slice.count()));
    if (!step) throw broken(step.error());
    hand.read = step->end;
    if (!step->records.empty()) {
      took(hand, step->records);
      return step->records;
    }
    if (step->end) {
      hand.ended = true;
      return std::nullopt;
    }
    const auto now = Clock::now();
    if (stop_ && now - hand.moved > stop_patience) {
      throw broken({ErrorKind::unavailable, Cause::source, "Kafka said nothing while stopping"});
    }
    if (now - hand.moved > patience) {
      throw broken(engine::nothing_read(reader, task.range, patience.count()));
    }
    if (wait && now - began >= *wait) {
      return std::span<const Record>();
    }
  }
}

/// The range is out of the user's hand; next() takes it from there.
void Core::end(Hand& hand, core::EventBody event, Said said) {
  hand.core = nullptr;
  {
    const std::lock_guard lock(mutex_);
    told_.push_back({hand.lane, std::move(event), said});
  }
  wake_.wake();
}

void Core::committed(Hand& hand) {
  const Call call(*this, hand);
  crash_point(CrashPoint::committed);
  const auto task = hand.move.task;
  const auto id = engine::id_of({&task, 1});
  auto entries = ledger_->look({&task, 1});
  if (!entries) {
    auto error = std::move(entries.error());
    if (error.kind == ErrorKind::fatal) {
      end(hand, core::Broke{error});
      throw Failed(std::move(error));
    }
    error.kind = ErrorKind::in_doubt;
    return end(hand, engine::failure_of({&task, 1}, std::move(error), std::nullopt, nullptr),
               Said::committed);
  }
  const auto verdict = core::judge(entries->front(), task, owner_.id);
  if (verdict == core::Verdict::committed) {
    return end(hand, core::TaskCommitted{id, {{hand.move.last, hand.records, hand.bytes}}});
  }
  if (verdict == core::Verdict::not_committed) {
    end(hand, core::Broke{not_advanced(task.range)});
    throw Failed(not_advanced(task.range));
  }
  end(hand, core::TaskRefused{id, entries->front(), 0});
}

bool Core::settle(Hand& hand) {
  const Call call(*this, hand);
  const auto task = hand.move.task;
  const auto id = engine::id_of({&task, 1});
  auto entries = ledger_->resolve({&task, 1});
  if (!entries) {
    const auto error = entries.error();
    end(hand, engine::failure_of({&task, 1}, {ErrorKind::in_doubt, error.cause, error.message},
                                 std::nullopt, nullptr));
    throw Failed(error);
  }
  switch (core::judge(entries->front(), task, owner_.id)) {
    case core::Verdict::committed:
      end(hand, core::TaskCommitted{id, {{hand.move.last, hand.records, hand.bytes}}});
      return true;
    case core::Verdict::not_committed: {
      const auto why = being_handled();
      end(hand, engine::failure_of(
                    {&task, 1},
                    {ErrorKind::retriable, why.cause,
                     fmt::format("{}: its commit failed, and by the ledger nothing of it is "
                                 "committed{}",
                                 to_string(task.range), with_colon(why.message))},
                    std::nullopt, nullptr));
      return false;
    }
    default:
      end(hand, core::TaskRefused{id, entries->front(), 0});
      return false;
  }
}

void Core::let_go(Hand& hand, Error why, Said said) {
  const auto task = hand.move.task;
  end(hand, engine::failure_of({&task, 1}, std::move(why), std::nullopt, nullptr), said);
}

void Core::failed(Hand& hand, std::string_view why) noexcept try {
  auto error = being_handled();
  if (!why.empty()) error.message = one_line(why);
  error.message = "its transaction failed" + with_colon(error.message);
  let_go(hand, std::move(error), Said::failed);
} catch (const std::exception&) {
  // No memory: it is let go without a reason, with the Range.
}

void Core::conflicted(Hand& hand, std::string_view why) noexcept try {
  const auto task = hand.move.task;
  end(hand,
      engine::failure_of(
          {&task, 1},
          {ErrorKind::unavailable, Cause::sink,
           fmt::format("{}: nothing is stored: another transaction was faster, or has a lock{}",
                       to_string(task.range), with_colon(one_line(why)))},
          std::nullopt, nullptr),
      Said::conflicted);
} catch (const std::exception&) {
  // As above.
}

void Core::dropped(Hand& hand) noexcept try {
  // No exception takes it away from a user who has read all of it.
  const bool thrown = std::uncaught_exceptions() > hand.exceptions;
  let_go(hand,
         {ErrorKind::in_doubt, Cause::program,
          thrown ? "an exception of the program's took it away (Range::failed() would say which)"
                 : "the program let it go and did not say that it is committed"},
         hand.ended && !thrown ? Said::nothing : Said::failed);
} catch (const std::exception&) {
  // No memory: the range stays in hand, and its partition rests until a restart.
}

}  // namespace semel::consumer
