// What a caller sets aside: a dead letter of the range, as if the sink had found it.
#include <algorithm>
#include <array>

#include "contract/rules.hpp"

namespace semel::contract {

namespace {

constexpr Objection why{.reason = "its amount is -5", .told = "stage prices", .code = "E1"};

/// Records of a range in their turn: those of `aside` are set aside, and could be rows.
struct AsideProcess : Process {
  using Process::Process;

  Result<void> set_aside(Offset offset, std::size_t task = 0) {
    const auto value = subject.good_value(offset);
    return in_session().set_aside(
        task, {.offset = offset, .timestamp_ms = 1'700'000'000'000 + offset, .value = value}, why);
  }
  void must_give(Offset from, Offset until, const std::set<Offset>& aside,
                 const std::set<Offset>& bad = {}, std::size_t task = 0) {
    for (auto at = from; at < until;) {
      const auto next = aside.lower_bound(at);
      const auto end = next == aside.end() ? until : std::min(until, *next);
      if (end > at) must_write(at, end, bad, task);
      if (end < until) must(set_aside(end, task), "set_aside()");
      at = end < until ? end + 1 : end;
    }
  }
  Committed store_aside(const Task& task, const std::set<Offset>& aside,
                        const std::set<Offset>& bad = {}) {
    must_begin(task);
    must_give(task.range.from, task.range.until, aside, bad);
    return committed(commit());
  }
  /// By the caller, who gives up then.
  void must_refuse(std::string_view what, Offset offset, std::size_t task = 0) {
    same(what, must_fail(set_aside(offset, task), what).kind, ErrorKind::fatal);
    session->abort();
  }
};

void is_counted(const Committed& counts, std::uint64_t rows, std::uint64_t dead_letters) {
  same("how many rows were counted", counts.rows, rows);
  same("how many dead letters were counted", counts.dead_letters, dead_letters);
}

void is_a_dead_letter(Trial& trial) {
  AsideProcess process(*trial.subject, "a");
  process.start();
  const std::set<Offset> in_range{0, 3, 4, 9};
  std::set<Offset> all;
  Offset from = 0;
  for (const auto& [isolate, last_resort] :
       {std::pair{false, false}, {true, false}, {true, true}}) {
    std::set<Offset> aside;
    for (const auto offset : in_range) aside.insert(from + offset);
    auto task = process.task(from, from + 10);
    task.isolate = isolate;
    task.last_resort = last_resort;
    const auto counts = process.store_aside(task, aside);
    is_counted(counts, 6, 4);
    const auto coded = counts.dead_letter_codes.find(std::string(why.code));
    same("how many were counted by the code of the objection",
         coded == counts.dead_letter_codes.end() ? 0 : coded->second, 4);
    all.merge(aside);
    from += 10;
  }
  trial.stored(good_of(offsets(0, from), all));
  for (const auto offset : trial.subject->stored()) {
    holds("what is set aside is no row", !all.contains(offset));
  }
  trial.dead(all);
}

void is_of_the_fact(Trial& trial) {
  AsideProcess process(*trial.subject, "a");
  process.start();
  for (const bool isolate : {false, true}) {
    auto task = process.task(0, 10);
    task.isolate = isolate;
    process.must_begin(task);
    process.must_give(0, 10, {3, 9});
    trial.dead({});
    trial.stored({});
    process.session->abort();
  }
  // Another time nobody objects.
  is_counted(process.store(0, 10), 10, 0);
  trial.dead({});
  process.must_begin(process.task(10, 20));
  process.must_give(10, 20, {13, 19});
  process.session.reset();
  trial.dead({});
  is_counted(process.store(10, 20), 10, 0);
  trial.stored(offsets(0, 20));
  trial.dead({});
}

void refused_sets_nothing_aside(Trial& trial) {
  AsideProcess process(*trial.subject, "a");
  process.start();
  process.store(0, 10);
  process.must_begin(process.task(0, 10));
  process.must_give(0, 10, {5});
  refused(process.commit());
  trial.dead({});
}

void takes_its_turn(Trial& trial) {
  AsideProcess process(*trial.subject, "a");
  process.start(10);
  const auto begin = [&] { process.must_begin(process.task(10, 20)); };
  begin();
  process.must_give(10, 13, {12});
  process.must_refuse("setting a record aside twice", 12);
  begin();
  process.must_give(10, 14, {12});
  process.must_refuse("setting a row aside", 13);
  begin();
  process.must_give(10, 14, {12});
  process.must_refuse("setting aside what is before others", 11);
  begin();
  process.must_refuse("setting aside what is before the range", 9);
  begin();
  process.must_give(10, 14, {12});
  process.must_refuse("setting aside what is behind the range", 20);
  trial.dead({});
  is_counted(process.store_aside(process.task(10, 20), {12}), 9, 1);
  trial.dead({12});
}

void alone_it_moves_the_ledger(Trial& trial) {
  AsideProcess process(*trial.subject, "a");
  process.start();
  is_counted(process.store_aside(process.task(0, 3), {0, 1, 2}), 0, 3);
  same("the position", process.resolve(process.task(3, 10)).until, 3);
  is_counted(process.store(3, 10), 7, 0);
  trial.stored(offsets(3, 10));
  trial.dead({0, 1, 2});
}

void beside_bad_records(Trial& trial) {
  AsideProcess process(*trial.subject, "a");
  process.start();
  auto dead = trial.bad({2, 5, 12, 15});
  for (const bool isolate : {false, true}) {
    const Offset from = isolate ? 10 : 0;
    const std::set<Offset> aside{from + 1, from + 3, from + 6};
    auto task = process.task(from, from + 10);
    task.isolate = isolate;
    const auto counts = process.store_aside(task, aside, dead);
    const auto bad = static_cast<std::uint64_t>(
        std::ranges::count_if(dead, [&](Offset o) { return o >= from && o < from + 10; }));
    is_counted(counts, 7 - bad, 3 + bad);
    dead.insert(aside.begin(), aside.end());
  }
  trial.stored(good_of(offsets(0, 20), dead));
  trial.dead(dead);
}

// Beyond what a buffer may hold, and among rows, so that it is no topic that does not fit.
void many_are_set_aside(Trial& trial) {
  constexpr Offset many = 1'200;
  AsideProcess process(*trial.subject, "a");
  process.start();
  std::set<Offset> aside;
  for (Offset offset = 0; offset < many; offset += 2) aside.insert(offset);
  is_counted(process.store_aside(process.task(0, many), aside), many / 2, many / 2);
  trial.stored(good_of(offsets(0, many), aside));
  trial.dead(aside);
}

void of_a_batch(Trial& trial) {
  const std::vector<OffsetRange> ranges{
      {{"clicks", 3}, 100, 110}, {{"clicks", 4}, 200, 205}, {{"views", 0}, 300, 303}};
  AsideProcess process(*trial.subject, "a");
  process.take_over();
  std::vector<Progress> starts;
  for (const auto& range : ranges) starts.push_back({.tp = range.tp, .until = range.from});
  process.enter(starts);
  const std::vector<std::set<Offset>> aside{{}, {200, 203}, {302}};
  process.must_begin(process.tasks(ranges));
  process.must_give(100, 110, {});
  process.must_give(200, 205, aside[1], {}, 1);
  process.must_refuse("setting aside of a task before", 105, 0);
  process.must_begin(process.tasks(ranges));
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    process.must_give(ranges[i].from, ranges[i].until, aside[i], {}, i);
  }
  const auto counts =
      all_committed(process.in_session().commit(std::vector<RangeEnd>(ranges.size())));
  is_counted(counts.at(0), 10, 0);
  is_counted(counts.at(1), 3, 2);
  is_counted(counts.at(2), 2, 1);
  trial.dead({200, 203, 302});
}

constexpr std::array of_aside{
    Rule{"what a caller sets aside is a dead letter and no row, counted, also by its code",
         Needs::nothing, is_a_dead_letter},
    Rule{"what a caller sets aside is there with its range only", Needs::one_fact, is_of_the_fact},
    Rule{"a range that is refused sets nothing aside", Needs::one_fact, refused_sets_nothing_aside},
    Rule{"a caller sets records aside once, and in their turn", Needs::one_fact, takes_its_turn},
    Rule{"a range of which all is set aside moves the ledger", Needs::nothing,
         alone_it_moves_the_ledger},
    Rule{"what a caller sets aside is kept beside what the sink does", Needs::nothing,
         beside_bad_records},
    Rule{"hundreds of records that a caller sets aside are all there", Needs::nothing,
         many_are_set_aside},
    Rule{"what a caller sets aside of a batch is of its own range", Needs::one_fact, of_a_batch},
};

}  // namespace

std::span<const Rule> aside_rules() {
  return of_aside;
}

}  // namespace semel::contract
