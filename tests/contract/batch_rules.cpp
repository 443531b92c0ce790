// Several ranges of one batch in one transaction: all of them, or none.
#include "contract/process.hpp"

namespace semel::contract {

namespace {

const TopicPartition first{"clicks", 3};
const TopicPartition second{"clicks", 4};
const TopicPartition third{"views", 0};
const std::vector partitions{first, second, third};

// Offsets tell the partition, so that what is stored can be told apart.
const std::vector<OffsetRange> ranges{{first, 100, 110}, {second, 200, 205}, {third, 300, 303}};

std::vector<Offset> all_offsets() {
  auto all = offsets(100, 110);
  for (const auto offset : offsets(200, 205)) all.push_back(offset);
  for (const auto offset : offsets(300, 303)) all.push_back(offset);
  return all;
}

/// Owns the output; the partitions begin where the ranges do.
struct BatchProcess : Process {
  BatchProcess(Subject& s, const std::string& who) : Process(s, who) {
    take_over();
    std::vector<Progress> starts;
    for (const auto& range : ranges) {
      starts.push_back({.tp = range.tp, .until = range.from});
    }
    REQUIRE(std::holds_alternative<std::vector<Progress>>(must(sink->enter(starts))));
  }

  Result<void> write_all(const std::set<Offset>& bad = {}) {
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      auto written = write(ranges[i].from, ranges[i].until, bad, i);
      if (!written) return written;
    }
    return {};
  }

  std::vector<Offset> positions() {
    std::vector<Offset> all;
    for (const auto& progress : must(subject.ledger("pipe", "out")->progress())) {
      all.push_back(progress.until);
    }
    return all;
  }
};

const std::vector<Offset> at_start{100, 200, 300};
const std::vector<Offset> at_end{110, 205, 303};
const std::vector<RangeEnd> no_ends(3);

void whole_batch_rules(Subject& subject) {
  BatchProcess process(subject, "a");
  SECTION("the ranges of a batch become one fact, counted each on its own") {
    const auto counts = all_committed(process.run(process.tasks(ranges)));
    REQUIRE(counts.size() == 3);
    CHECK(counts[0].rows == 10);
    CHECK(counts[1].rows == 5);
    CHECK(counts[2].rows == 3);
    CHECK(subject.stored() == all_offsets());
    const auto progress = must(subject.ledger("pipe", "out")->progress());
    REQUIRE(progress.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(progress[i].tp == partitions[i]);
      CHECK(progress[i].until == ranges[i].until);
      CHECK(progress[i].batch_time.ms == process.time);
      REQUIRE(progress[i].last);
      CHECK(progress[i].last->offset == ranges[i].until - 1);
    }
  }
  SECTION("the history has a row for each range of a batch") {
    all_committed(process.run(process.tasks(ranges)));
    std::size_t commits = 0;
    for (const auto& move : moves_of(*subject.ledger("pipe", "out"))) {
      if (move.kind != MoveKind::commit) continue;
      REQUIRE(commits < 3);
      CHECK(move.tp == ranges[commits].tp);
      CHECK(move.from == ranges[commits].from);
      CHECK(move.until == ranges[commits].until);
      CHECK(move.batch_time.ms == process.time);
      CHECK(move.rows == static_cast<std::uint64_t>(move.until - move.from));
      ++commits;
    }
    CHECK(commits == 3);
  }
  SECTION("batches of several and of single ranges follow each other on one session") {
    all_committed(process.run(process.tasks(ranges)));
    committed(process.run(process.tasks({{second, 205, 207}})));
    all_committed(process.run(process.tasks({{second, 207, 208}, {third, 303, 304}})));
    CHECK(process.positions() == std::vector<Offset>{110, 208, 304});
    CHECK(subject.stored().size() == 18 + 2 + 2);
  }
  SECTION("ranges of a batch may have no records, or all of them none") {
    const auto tasks = process.tasks(ranges);
    REQUIRE_FALSE(must(process.in_session().begin(tasks)));
    must(process.write(200, 205, {}, 1));
    const auto counts = all_committed(process.in_session().commit(no_ends));
    CHECK(counts[0].rows == 0);
    CHECK(counts[1].rows == 5);
    CHECK(counts[2].rows == 0);
    CHECK(process.positions() == at_end);
    const auto empty = process.tasks({{first, 110, 120}, {third, 303, 310}});
    REQUIRE_FALSE(must(process.in_session().begin(empty)));
    all_committed(process.in_session().commit(std::vector<RangeEnd>(2)));
    CHECK(process.positions() == std::vector<Offset>{120, 205, 310});
    CHECK(subject.stored() == offsets(200, 205));
  }
}

void batch_rows_rules(Subject& subject) {
  BatchProcess process(subject, "a");
  SECTION("the records of a batch's range may come in several calls") {
    const auto tasks = process.tasks(ranges);
    REQUIRE_FALSE(must(process.in_session().begin(tasks)));
    must(process.write(100, 104, {}, 0));
    must(process.write(104, 110, {}, 0));
    must(process.write(200, 205, {}, 1));
    must(process.write(300, 301, {}, 2));
    must(process.write(301, 303, {}, 2));
    const auto counts = all_committed(process.in_session().commit(no_ends));
    CHECK(counts[0].rows == 10);
    CHECK(counts[2].rows == 3);
    CHECK(subject.stored() == all_offsets());
  }
  SECTION("bad records are dead letters of their own range, in the same fact") {
    const auto counts = all_committed(process.run(process.tasks(ranges), {103, 300, 302}));
    CHECK(counts[0].rows == 9);
    CHECK(counts[0].dead_letters == 1);
    CHECK(counts[1].dead_letters == 0);
    CHECK(counts[2].rows == 1);
    CHECK(counts[2].dead_letters == 2);
    CHECK(subject.dead() == std::vector<Offset>{103, 300, 302});
    CHECK(process.positions() == at_end);
  }
  SECTION("isolating tasks of a batch store what fast ones would") {
    auto tasks = process.tasks(ranges);
    for (auto& task : tasks) task.isolate = true;
    const auto counts = all_committed(process.run(tasks, {109, 200, 301}));
    CHECK(counts[0].rows == 9);
    CHECK(counts[1].rows == 4);
    CHECK(counts[2].rows == 2);
    CHECK(subject.dead() == std::vector<Offset>{109, 200, 301});
    CHECK(process.positions() == at_end);
  }
  SECTION("of a batch that is aborted nothing is there, and the session goes on") {
    const auto tasks = process.tasks(ranges);
    REQUIRE_FALSE(must(process.in_session().begin(tasks)));
    must(process.write_all({101}));
    process.session->abort();
    CHECK(subject.stored().empty());
    CHECK(subject.dead().empty());
    CHECK(process.positions() == at_start);
    all_committed(process.run(process.tasks(ranges)));
    CHECK(subject.stored() == all_offsets());
  }
  SECTION("of a batch whose session goes nothing is there") {
    const auto tasks = process.tasks(ranges);
    REQUIRE_FALSE(must(process.in_session().begin(tasks)));
    must(process.write_all());
    process.session.reset();
    CHECK(subject.stored().empty());
    CHECK(process.positions() == at_start);
  }
}

void refused_batch_rules(Subject& subject) {
  BatchProcess process(subject, "a");
  SECTION("one range that was committed refuses its batch, and the others can go in without it") {
    committed(process.run(process.tasks({ranges[1]})));
    const auto answer = refused(process.run(process.tasks(ranges), {102}));
    CHECK(answer.task == 1);
    CHECK(answer.ledger.until == 205);
    CHECK(answer.ledger.batch_time.ms == process.time - 1'000);
    CHECK(answer.ledger.owner == process.owner.id);
    CHECK(subject.stored() == offsets(200, 205));
    CHECK(subject.dead().empty());
    CHECK(process.positions() == std::vector<Offset>{100, 205, 300});
    all_committed(process.run(process.tasks({ranges[0], ranges[2]})));
    CHECK(subject.stored() == all_offsets());
  }
  SECTION("it is the same for the first and the last range") {
    for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
      committed(process.run(process.tasks({ranges[i]})));
      const auto answer = refused(process.run(process.tasks({ranges[0], ranges[1], ranges[2]})));
      CHECK(answer.task == 0);  // of several that are refused, the first is named
      if (i == 0) {
        CHECK(answer.ledger.until == 110);
        CHECK(refused(process.run(process.tasks({ranges[0], ranges[1]}))).task == 0);
      } else {
        CHECK(refused(process.run(process.tasks({ranges[1], ranges[2]}))).task == 1);
      }
    }
    CHECK(process.positions() == std::vector<Offset>{110, 200, 303});
  }
  SECTION("one range that begins elsewhere refuses its batch") {
    auto distant = ranges;
    distant[2].from = 301;
    CHECK(refused(process.run(process.tasks(distant))).task == 2);
    CHECK(subject.stored().empty());
    CHECK(process.positions() == at_start);
  }
  SECTION("one partition that was never entered refuses its batch") {
    auto unknown = ranges;
    unknown[2].tp.partition = 77;
    const auto answer = refused(process.run(process.tasks(unknown)));
    CHECK(answer.task == 2);
    CHECK_FALSE(answer.ledger.until);
    CHECK(subject.stored().empty());
    CHECK(process.positions() == at_start);
  }
  SECTION("one range whose partition was moved by another batch refuses its batch") {
    auto tasks = process.tasks(ranges);
    tasks[1].moved_by = BatchTime{1};
    CHECK(refused(process.run(tasks)).task == 1);
    CHECK(subject.stored().empty());
    CHECK(process.positions() == at_start);
  }
  SECTION("isolating tasks of a batch are refused before anything is written") {
    committed(process.run(process.tasks({ranges[1]})));
    auto tasks = process.tasks(ranges);
    for (auto& task : tasks) task.isolate = true;
    const auto answer = must(process.in_session().begin(tasks));
    REQUIRE(answer);
    CHECK(answer->task == 1);
    CHECK(answer->ledger.until == 205);
    process.session->abort();
    CHECK(subject.dead().empty());
    all_committed(process.run(process.tasks({ranges[0], ranges[2]})));
  }
}

void batch_owner_rules(Subject& subject) {
  BatchProcess process(subject, "a");
  SECTION("a zombie's batch is refused, and nothing of it is there") {
    const auto tasks = process.tasks(ranges);
    REQUIRE_FALSE(must(process.in_session().begin(tasks)));
    must(process.write_all());
    Process heir(subject, "b");
    heir.take_over();
    const auto late = process.session->commit(no_ends);
    if (late) {
      CHECK(refused(late).ledger.owner == heir.owner.id);
    } else {
      // A sink may have ended the zombie's session instead.
      CHECK((late.error().kind == ErrorKind::unavailable ||
             late.error().kind == ErrorKind::in_doubt));
      process.session->abort();
    }
    CHECK(subject.stored().empty());
    CHECK(process.positions() == at_start);
    all_committed(heir.run(heir.tasks(ranges)));
    CHECK(subject.stored() == all_offsets());
  }
  SECTION("an epoch alone is not enough for a batch either") {
    auto tasks = process.tasks(ranges);
    for (auto& task : tasks) ++task.epoch;
    CHECK(refused(process.run(tasks)).ledger.epoch == process.epoch);
    CHECK(subject.stored().empty());
  }
  SECTION("the ledger answers for each range of a batch, in order") {
    const auto tasks = process.tasks(ranges);
    const auto before = must(process.sink->resolve(tasks));
    REQUIRE(before.size() == 3);
    all_committed(process.run(tasks));
    const auto after = must(process.sink->resolve(tasks));
    REQUIRE(after.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(before[i].until == ranges[i].from);
      CHECK(after[i].until == ranges[i].until);
      CHECK(after[i].batch_time == tasks[i].time);
      CHECK(after[i].epoch == process.epoch);
      CHECK(after[i].owner == process.owner.id);
    }
  }
  SECTION("an interrupted sink begins no batch") {
    process.sink->interrupt();
    CHECK_FALSE(process.in_session().begin(process.tasks(ranges)));
    CHECK(process.positions() == at_start);
  }
}

}  // namespace

void batch_contract(const std::function<std::unique_ptr<Subject>()>& make) {
  const auto subject = make();
  SECTION("committing a batch") {
    whole_batch_rules(*subject);
  }
  SECTION("writing a batch") {
    batch_rows_rules(*subject);
  }
  SECTION("refusing a batch") {
    refused_batch_rules(*subject);
  }
  SECTION("owning a batch") {
    batch_owner_rules(*subject);
  }
}

}  // namespace semel::contract
