// Files that are being written, of a batch with many ranges: what they hold of the process.
#include "file/drafts.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>

#include "unit/file/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

constexpr std::int32_t partitions = 60;
const std::string value = R"({"text": ")" + std::string(100'000, 'x') + "\"}";

/// The number that the next open file gets.
rlim_t next_file() {
  const file::Fd lowest(open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(lowest);
  return static_cast<rlim_t>(lowest.get());
}

/// Of this process, for as long as it lives.
class AtMostOpen {
 public:
  explicit AtMostOpen(rlim_t files) {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit now{files, before_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &now) == 0);
  }
  ~AtMostOpen() { setrlimit(RLIMIT_NOFILE, &before_); }
  AtMostOpen(const AtMostOpen&) = delete;
  AtMostOpen& operator=(const AtMostOpen&) = delete;

 private:
  rlimit before_{};
};

/// A sink, and a transaction of a batch: a range of each partition.
struct Batch : FileRig {
  std::vector<Task> tasks{};

  Batch() {
    sink = contract::must(open());
    epoch = contract::must(sink->take_over("cluster")).epoch;
    std::vector<Progress> starts;
    for (std::int32_t p = 0; p < partitions; ++p) {
      starts.push_back({.tp = {topic, p}, .until = 0});
      tasks.push_back({.time = {1'000}, .range = {{topic, p}, 0, 8}, .epoch = epoch});
    }
    contract::must(sink->enter(starts));
    session = contract::must(sink->open_session());
    contract::must(session->begin(tasks));
  }
  Result<void> write(std::size_t task, Offset records) {
    for (Offset offset = 0; offset < records; ++offset) {
      const Record record{.offset = offset, .timestamp_ms = 1, .key = "k", .value = value};
      if (auto written = session->write(task, {&record, 1}); !written) return written;
    }
    return {};
  }
  Result<CommitResult> commit() {
    std::vector<RangeEnd> ends;
    for (const auto& task : tasks) ends.push_back({RecordMark{task.range.until - 1, 0, 0}});
    return session->commit(ends);
  }
};

}  // namespace

TEST_CASE("a batch of many partitions needs no more open files than one of few") {
  Batch batch;
  const AtMostOpen few(next_file() + 10);
  constexpr Offset too_many_for_memory = 8;  // of a draft: it is begun in the middle of a range
  for (std::size_t task = 0; task < partitions; ++task) {
    contract::must(batch.write(task, too_many_for_memory));
  }
  CHECK(std::holds_alternative<std::vector<Committed>>(contract::must(batch.commit())));
  const auto names = batch.names();
  CHECK(names.size() == partitions);
  CHECK(batch.text().size() == partitions * too_many_for_memory * (value.size() + 1));
}

TEST_CASE("a batch of many partitions needs no more memory than one of few") {
  Batch batch;
  const auto used = [] {
    const auto heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
  };
  contract::must(batch.write(0, 4));
  const auto of_one = used();
  for (std::size_t task = 1; task < partitions; ++task) contract::must(batch.write(task, 4));
  // What each of them has written is 400 kB.
  CHECK(used() < of_one + 4'000'000);
  contract::must(batch.commit());
  CHECK(batch.text().size() == std::size_t{partitions} * 4 * (value.size() + 1));
}

TEST_CASE("where no more files can be opened the message says what to allow") {
  Batch batch;
  const auto written = [&] {
    const AtMostOpen none(next_file());
    return batch.write(0, 8);
  }();
  REQUIRE_FALSE(written);
  CHECK(written.error().kind == ErrorKind::retriable);
  CHECK_THAT(written.error().message, Catch::Contains("ulimit -n"));
}
