#include "source/write_ahead_log.hpp"

#include <atomic>
#include <thread>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "unit/source/logs.hpp"

namespace semel::test {

namespace {

constexpr std::int64_t some_time_ms = 1'700'000'000'000;

struct LogAt {
  TempDir dir{"semel-wal"};

  std::shared_ptr<source::WriteAheadLog> open(stream::ReceiverOptions options = {},
                                              std::int64_t now_ms = some_time_ms) const {
    return source::WriteAheadLog::open("+received.t",
                                       state::open_disk((dir.path() / "log").string()).value(),
                                       options, now_ms)
        .value();
  }
};

stream::Received numbered(const std::string& sender, std::uint64_t sequence,
                          const std::string& value) {
  return {.value = value, .sender = sender, .sequence = sequence};
}

}  // namespace

TEST_CASE("what was stored is there in order, also after a restart, and numbers go on") {
  const LogAt at;
  Offset first = 0;
  {
    const auto log = at.open();
    REQUIRE(log->store({{.value = "a"}, {.value = "b", .key = "k"}}));
    REQUIRE(log->store({{.value = "c", .timestamp_ms = 7}}));
    const auto bounds = log->bounds().value();
    first = bounds.first;
    CHECK(bounds.end == first + 3);
    CHECK(read_all(*log, first, bounds.end) ==
          Lines{{first, "a"}, {first + 1, "b"}, {first + 2, "c"}});
  }
  const auto log = at.open({}, some_time_ms + 60'000);
  CHECK(log->bounds().value().first == first);
  REQUIRE(log->store({{.value = "d"}}));
  KeptRecords kept;
  REQUIRE(log->read(first, first + 4, 10, kept));
  REQUIRE(kept.size() == 4);
  CHECK(kept[1].key == "k");
  CHECK_FALSE(kept[0].key);
  CHECK(kept[2].timestamp_ms == 7);
  CHECK(kept[3].value == "d");
}

TEST_CASE("a log that is lost begins far above the one before it") {
  const LogAt before;
  const auto old = before.open();
  REQUIRE(old->store({{.value = "a"}}));
  const LogAt after;
  CHECK(after.open({}, some_time_ms + 1)->bounds().value().first > old->bounds().value().end);
}

TEST_CASE("what a sender sends again is acknowledged and not kept again, also after a restart") {
  const LogAt at;
  Offset first = 0;
  {
    const auto log = at.open();
    first = log->bounds().value().first;
    REQUIRE(log->store({numbered("s", 1, "a"), numbered("s", 2, "b"), numbered("t", 1, "x")}));
    REQUIRE(log->store({numbered("s", 2, "b"), numbered("s", 3, "c"), numbered("s", 3, "c")}));
  }
  const auto log = at.open();
  REQUIRE(log->store({numbered("s", 1, "a"), numbered("s", 2, "b"), numbered("s", 3, "c"),
                      numbered("s", 4, "d"), numbered("t", 1, "x")}));
  // Who does not number its records has each of them kept.
  REQUIRE(log->store({{.value = "d"}}));
  CHECK(read_all(*log, first, log->bounds().value().end) == Lines{{first, "a"},
                                                                  {first + 1, "b"},
                                                                  {first + 2, "x"},
                                                                  {first + 3, "c"},
                                                                  {first + 4, "d"},
                                                                  {first + 5, "d"}});
}

TEST_CASE("what has passed is removed but for the last record, and stays removed") {
  const LogAt at;
  Offset first = 0;
  {
    const auto log = at.open();
    first = log->bounds().value().first;
    REQUIRE(log->store({{.value = "a"}, {.value = "b"}, {.value = "c"}, {.value = "d"}}));
    log->passed(first + 3);
    while (log->bounds().value().first != first + 2) std::this_thread::yield();
    KeptRecords kept;
    const auto read = log->read(first, first + 4, 10, kept);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == ErrorKind::data_loss);
  }
  const auto log = at.open();
  CHECK(log->bounds().value().first == first + 2);
  CHECK(read_all(*log, first + 2, first + 4) == Lines{{first + 2, "c"}, {first + 3, "d"}});
}

TEST_CASE("who brings too much waits until something is committed") {
  const LogAt at;
  const auto log = at.open({.pending_max = 2});
  const auto first = log->bounds().value().first;
  REQUIRE(log->store({{.value = "a"}, {.value = "b"}}));
  std::atomic<bool> stored{false};
  std::thread sender([&] {
    CHECK(log->store({{.value = "c"}}));
    stored = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK_FALSE(stored);
  log->passed(first + 2);
  sender.join();
  CHECK(log->bounds().value().end == first + 3);
}

TEST_CASE("so many a second, and no more, are taken") {
  const LogAt at;
  const auto log = at.open({.records_per_second = 100});
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 150; ++i) REQUIRE(log->store({{.value = "x"}}));
  // A second's worth at once, then 50 at 100 a second.
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(450));
}

TEST_CASE("when it stops, what was taken is durable and what comes is refused") {
  const LogAt at;
  const auto log = at.open();
  const auto first = log->bounds().value().first;
  std::atomic<int> durable{0};
  for (int i = 0; i < 100; ++i) {
    log->store({{.value = std::to_string(i)}}, [&](const Result<void>& kept) {
      CHECK(kept);
      ++durable;
    });
  }
  log->stop();
  CHECK(durable == 100);
  CHECK(log->bounds().value().end == first + 100);
  bool called = false;
  CHECK_FALSE(log->store({{.value = "late"}}, [&](const Result<void>&) { called = true; }));
  CHECK_FALSE(called);
  CHECK(log->store({{.value = "late"}}).error().kind == ErrorKind::unavailable);
}

namespace {

/// Fails one write.
class FullDisk final : public state::Disk {
 public:
  FullDisk(std::unique_ptr<Disk> disk, int writes) : disk_(std::move(disk)), left_(writes) {}
  const std::string& path() const override { return disk_->path(); }
  Result<std::optional<std::string>> get(Family family, std::string_view key) const override {
    return disk_->get(family, key);
  }
  Result<void> scan(std::string_view from, const See& see) const override {
    return disk_->scan(from, see);
  }
  Result<void> write(const std::vector<Change>& changes, bool sync) override {
    if (left_-- == 0) return fail(ErrorKind::fatal, Cause::state, "no space left");
    return disk_->write(changes, sync);
  }
  Result<void> checkpoint(const std::string& directory) const override {
    return disk_->checkpoint(directory);
  }

 private:
  std::unique_ptr<Disk> disk_;
  int left_;
};

}  // namespace

TEST_CASE("after a write that fails nothing is acknowledged, and the pipeline is told") {
  const LogAt at;
  const auto& dir = at.dir;
  auto disk = std::make_unique<FullDisk>(state::open_disk((dir.path() / "log").string()).value(),
                                         2);  // the beginning, and "a"
  {
    const auto log =
        source::WriteAheadLog::open("+received.t", std::move(disk), {}, some_time_ms).value();
    REQUIRE(log->store({numbered("s", 1, "a")}));
    CHECK(log->store({numbered("s", 2, "b")}).error().message == "no space left");
    CHECK(log->store({numbered("s", 3, "c")}).error().message == "no space left");
    CHECK(log->bounds().error().cause == Cause::state);
  }
  // What was not acknowledged is not taken for kept when it is sent again.
  const auto log = at.open();
  REQUIRE(log->store({numbered("s", 2, "b"), numbered("s", 3, "c")}));
  const auto bounds = log->bounds().value();
  CHECK(read_all(*log, bounds.first, bounds.end) ==
        Lines{{bounds.first, "a"}, {bounds.first + 1, "b"}, {bounds.first + 2, "c"}});
}

}  // namespace semel::test
