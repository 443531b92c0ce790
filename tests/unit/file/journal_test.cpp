// The ledger's protocol between processes: here each of them is an object, and what a process that
// died or stopped has left is made by hand.
#include "file/journal.hpp"

#include <fcntl.h>

#include <fstream>

#include "file/names.hpp"
#include "unit/file/rig.hpp"

using namespace semel;
using namespace semel::test;
using namespace semel::file;

namespace {

namespace fs = std::filesystem;

const std::string home = "_semel/pipe.out/";

/// A process, as far as the ledger sees it.
struct Peer {
  Journals journals;
  std::string note{};  ///< of each move

  Peer(const TempDir& dir, const std::string& name)
      : journals(contract::must(Place::open(dir.path().string(), "pipe.out")), name) {
    contract::must(journals.place().set_up());
  }
  StatePtr look() { return contract::must(journals.look()); }
  /// Moves the only partition by one; `at` is what it has seen.
  Result<void> move(const State& at, std::int64_t to, std::vector<Publication> files = {}) {
    const store::Row whose{std::string("pipe"), std::string("out"), std::string("t"),
                           std::int64_t{0}};
    auto progress = whose;
    progress.insert(progress.end(), {to, std::int64_t{1}, std::string("x"), to, store::Cell(),
                                     store::Cell(), store::Cell(), std::string("now")});
    auto moved = whose;
    moved.insert(moved.end(), {to, std::int64_t{1}, to - 1, to, std::string("commit"),
                               std::int64_t{1}, std::int64_t{0}, std::int64_t{0}, std::int64_t{0},
                               note, "2026-01-0" + std::to_string(to % 10) + "T00:00:00.000Z"});
    Entry entry{
        .base = {},
        .changes = {{&store::progress(), progress, false}, {&store::history(), moved, false}},
        .files = std::move(files)};
    return journals.commit({at.number, at.length}, std::move(entry));
  }
  Result<void> move(std::int64_t to, std::vector<Publication> files = {}) {
    return move(*look(), to, std::move(files));
  }
  /// Where the partition stands; 0: nowhere.
  std::int64_t stands() {
    const auto state = look();
    return state->progress.empty() ? 0 : std::get<std::int64_t>(state->progress.begin()->second[4]);
  }
  std::size_t moves() { return contract::must(journals.history(*look(), {})).size(); }
};

/// What a process leaves that has begun the next journal and then died, or stopped.
void begin_by_hand(const TempDir& dir, std::uint64_t number) {
  std::ofstream(dir / (home + journal_name(number)));
}

Publication draft(const TempDir& dir, const std::string& owner, const std::string& name) {
  fs::create_directories(dir / (home + "new-" + owner));
  write_file(dir / (home + "new-" + owner + "/" + name), "{}\n");
  return {"new-" + owner + "/" + name, name + ".jsonl"};
}

}  // namespace

TEST_CASE("what one process commits another one reads, and goes on from") {
  TempDir dir;
  Peer a(dir, "a");
  Peer b(dir, "b");
  CHECK(b.stands() == 0);
  contract::must(a.move(1));
  contract::must(a.move(2));
  CHECK(b.stands() == 2);
  contract::must(b.move(3));
  CHECK(a.stands() == 3);
  contract::must(a.move(4));
  CHECK(b.stands() == 4);
  CHECK(b.moves() == 4);
}

TEST_CASE("who has read before another one wrote is told to read again") {
  TempDir dir;
  Peer a(dir, "a");
  Peer b(dir, "b");
  contract::must(a.move(1));
  const auto seen = b.look();
  contract::must(a.move(2));
  const auto late = b.move(*seen, 2);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == ErrorKind::retriable);
  CHECK(b.stands() == 2);
  contract::must(b.move(3));
  CHECK(b.moves() == 3);
}

TEST_CASE("who died between a journal's name and its first entry costs nothing") {
  TempDir dir;
  Peer a(dir, "a");
  contract::must(a.move(1));
  begin_by_hand(dir, 2);
  contract::must(a.move(2));
  CHECK(fs::exists(dir / (home + journal_name(3))));
  CHECK(Peer(dir, "b").moves() == 2);
}

TEST_CASE("a zombie's commit behind a take-over is in doubt, and is not there") {
  TempDir dir;
  Peer a(dir, "a");
  contract::must(a.move(1));
  const auto seen = a.look();
  Peer b(dir, "b");
  contract::must(b.move(2));  // has taken over while the zombie slept between look() and commit()
  const auto late = a.move(*seen, 2, {draft(dir, "a", "1")});
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == ErrorKind::in_doubt);
  CHECK(b.stands() == 2);
  CHECK(a.stands() == 2);
  CHECK(b.moves() == 2);
  CHECK_FALSE(fs::exists(dir / "1.jsonl"));
  // And the next owner does not take it for a fact either.
  Peer c(dir, "c");
  contract::must(c.move(3));
  CHECK(c.moves() == 3);
  CHECK_FALSE(fs::exists(dir / "1.jsonl"));
}

TEST_CASE("what was appended before anybody took over is a fact, though nobody answered for it") {
  TempDir dir;
  Peer a(dir, "a");
  contract::must(a.move(1));
  const auto seen = a.look();
  begin_by_hand(dir, 2);  // by somebody who dies here
  const auto doubt = a.move(*seen, 2, {draft(dir, "a", "1")});
  REQUIRE_FALSE(doubt);
  CHECK(doubt.error().kind == ErrorKind::in_doubt);
  CHECK_FALSE(fs::exists(dir / "1.jsonl"));
  Peer c(dir, "c");
  contract::must(c.move(3));
  CHECK(c.moves() == 3);
  CHECK(fs::exists(dir / "1.jsonl"));
}

TEST_CASE("a journal whose base comes late counts for nothing once there is a later one") {
  TempDir dir;
  Peer a(dir, "a");
  contract::must(a.move(1));
  const auto first = read_file(dir / (home + journal_name(1)));
  begin_by_hand(dir, 2);
  contract::must(a.move(2));
  write_file(dir / (home + journal_name(2)), first);
  Peer c(dir, "c");
  CHECK(c.stands() == 2);
}

TEST_CASE("a zombie whose journal was removed commits nothing") {
  TempDir dir;
  Peer a(dir, "a");
  contract::must(a.move(1));
  const auto seen = a.look();
  Peer b(dir, "b");
  contract::must(b.move(2));
  Peer c(dir, "c");
  contract::must(c.move(3));
  contract::must(c.journals.trim("2027", 100));
  CHECK_FALSE(fs::exists(dir / (home + journal_name(1))));
  CHECK_FALSE(fs::exists(dir / (home + journal_name(2))));
  const auto late = a.move(*seen, 2);
  REQUIRE_FALSE(late);
  CHECK(late.error().kind == ErrorKind::in_doubt);
  CHECK(c.stands() == 3);
}

TEST_CASE("a line that was cut off at the end is no commit; one in the middle is damage") {
  TempDir dir;
  {
    Peer a(dir, "a");
    contract::must(a.move(1));
    contract::must(a.move(2));
  }
  const auto path = dir / (home + journal_name(1));
  const auto whole = read_file(path);
  const auto second = whole.find('\n') + 1;
  for (std::size_t cut = second; cut < whole.size(); ++cut) {
    write_file(path, whole.substr(0, cut));
    CHECK(Peer(dir, "b").stands() == 1);
  }
  auto broken = whole;
  broken[second + 20] ^= 1;
  write_file(path, broken);
  CHECK(Peer(dir, "b").stands() == 1);
  write_file(path, broken + whole.substr(second));
  const auto read = Peer(dir, "b").journals.look();
  REQUIRE_FALSE(read);
  CHECK(read.error().kind == ErrorKind::fatal);
  CHECK_THAT(read.error().message,
             Catch::Contains("damaged") && Catch::Contains("offsets FILE set"));
}

TEST_CASE("a journal that was begun and says nothing is passed over") {
  TempDir dir;
  Peer a(dir, "a");
  contract::must(a.move(1));
  for (std::uint64_t number = 2; number < 5; ++number) begin_by_hand(dir, number);
  Peer b(dir, "b");
  CHECK(b.stands() == 1);
  contract::must(b.move(2));
  CHECK(Peer(dir, "c").moves() == 2);
}

TEST_CASE("files of a commit that nobody brought to their place are brought there, once") {
  TempDir dir;
  {
    Peer a(dir, "a");
    contract::must(a.move(1));
    // As a process leaves it that dies between the entry and the new name.
    const auto file = draft(dir, "a", "1");
    const auto other = draft(dir, "a", "2");
    std::ofstream(dir / (home + journal_name(1)), std::ios::app)
        << line_of({.base = {}, .changes = {}, .files = {file, other}});
  }
  fs::rename(dir / (home + "new-a/2"), dir / "2.jsonl");
  fs::remove(dir / "2.jsonl");  // by who reads the files
  Peer b(dir, "b");
  contract::must(b.move(2));
  CHECK(read_file(dir / "1.jsonl") == "{}\n");
  CHECK_FALSE(fs::exists(dir / "2.jsonl"));
  fs::remove(dir / "1.jsonl");
  Peer c(dir, "c");
  contract::must(c.move(3));
  CHECK_FALSE(fs::exists(dir / "1.jsonl"));
}

TEST_CASE("a file never takes the place of another one") {
  TempDir dir;
  write_file(dir / "1.jsonl", "somebody's\n");
  Peer a(dir, "a");
  contract::must(a.move(1, {draft(dir, "a", "1")}));
  CHECK(read_file(dir / "1.jsonl") == "somebody's\n");
  CHECK(read_file(dir / "1~2.jsonl") == "{}\n");
}

TEST_CASE("drafts of others go after a take-over, but not what is committed") {
  FileRig rig;
  contract::committed(rig.store({R"({"id":1})"}));
  const auto drafts = home + "new-0000";
  fs::create_directories(rig.dir / drafts);
  write_file(rig.dir / (drafts + "/7"), "half a li");
  rig.context.owner = contract::owner_named("b");
  rig.start();
  CHECK_FALSE(fs::exists(rig.dir / drafts));
  CHECK(rig.text() == "{\"id\":1}\n");
}

TEST_CASE("who was fenced while he wrote is told by whom, though his files are gone") {
  FileRig rig;
  rig.start();
  const Task task{.time = {1'000}, .range = {{rig.topic, 3}, 0, 1}, .epoch = rig.epoch};
  REQUIRE_FALSE(contract::must(rig.session->begin({&task, 1})));
  // Large enough to be in a file before the end.
  const auto value = R"({"note":")" + std::string(2 << 20, 'x') + "\"}";
  const Record record{.offset = 0, .value = value};
  contract::must(rig.session->write(0, {&record, 1}));
  const auto first = std::move(rig.session);
  const auto first_sink = std::move(rig.sink);
  CHECK(rig.names(home + "new-" + rig.context.owner.id).size() == 1);
  rig.context.owner = contract::owner_named("b");
  rig.start();
  CHECK(rig.names(home + "new-a-0000-4000-8000-000000000000").empty());
  const RangeEnd end{RecordMark{0, 0, 0}};
  const auto seen = contract::refused(first->commit({&end, 1})).ledger;
  CHECK(seen.owner == rig.context.owner.id);
  CHECK(rig.names().empty());
}

TEST_CASE("a journal that has grown long is followed by another, and the history is whole") {
  TempDir dir;
  Peer a(dir, "a");
  a.note = std::string(50'000, 'n');
  std::int64_t at = 0;
  while (!fs::exists(dir / (home + journal_name(3)))) contract::must(a.move(++at));
  CHECK(fs::file_size(dir / (home + journal_name(1))) < (3U << 19));
  CHECK(a.moves() == static_cast<std::size_t>(at));
  CHECK(Peer(dir, "b").moves() == static_cast<std::size_t>(at));
}

TEST_CASE("a file of the ledger goes once all of its moves are old, and the newest move stays") {
  TempDir dir;
  Peer a(dir, "a");
  for (std::int64_t to = 1; to <= 3; ++to) contract::must(a.move(to));  // until 2026-01-03
  CHECK_FALSE(contract::must(a.journals.trim("2026-01-03", 100)));
  contract::must(a.move(4));  // the second journal begins
  CHECK(a.moves() == 4);
  CHECK_FALSE(contract::must(a.journals.trim("2026-01-02", 100)));
  CHECK(a.moves() == 4);
  CHECK_FALSE(contract::must(a.journals.trim("2026-01-04", 100)));
  CHECK_FALSE(fs::exists(dir / (home + journal_name(1))));
  CHECK(a.moves() == 2);  // the newest of before, and what came behind
  CHECK(a.stands() == 4);
}

TEST_CASE("file systems that other machines may write are refused, and those of this one are not") {
  TempDir dir;
  const Fd here(open(dir.path().c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(unfit_file_system(here.get()).empty());
  const Fd proc(open("/proc", O_RDONLY | O_CLOEXEC));
  CHECK_THAT(unfit_file_system(proc.get()), Catch::Contains("proc"));
}
