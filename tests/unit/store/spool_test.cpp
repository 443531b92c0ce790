// Records that wait, in memory or in a file.
#include "store/spool.hpp"

#include <sys/resource.h>
#include <csignal>
#include <filesystem>
#include <map>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using namespace semel;
using store::Spool;

namespace {

/// All that a record has, with what would be mistaken: nothing is not empty.
struct Whole {
  std::size_t task;
  Offset offset;
  std::int64_t timestamp_ms;
  std::optional<std::string> key, value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  bool operator==(const Whole&) const = default;
};

std::optional<std::string> owned(std::optional<std::string_view> bytes) {
  return bytes ? std::optional<std::string>(*bytes) : std::nullopt;
}

Whole whole(std::size_t task, const Record& record) {
  Whole all{task, record.offset, record.timestamp_ms, owned(record.key), owned(record.value), {}};
  for (const auto& [name, value] : record.headers()) {
    all.headers.emplace_back(std::string(name), owned(value));
  }
  return all;
}

std::vector<Whole> all_of(Spool& spool) {
  std::vector<Whole> all;
  REQUIRE(spool.each(
      [&](std::size_t task, const Record& record, const record::BadRecord* bad) -> Result<void> {
        CHECK(bad == nullptr);
        all.push_back(whole(task, record));
        return {};
      }));
  return all;
}

void two_headers(const void*, std::vector<Header>& into) {
  into.push_back({"a", "1"});
  into.push_back({"b", std::nullopt});
}

const std::string zero_and_more("\0{\xff", 3);

std::vector<std::pair<std::size_t, Record>> some_records() {
  return {{0, {.offset = 5, .timestamp_ms = 7, .key = "k", .value = "{}"}},
          {0, {.offset = 6, .key = "", .value = zero_and_more, .headers = {nullptr, two_headers}}},
          {3, {.offset = 1ll << 40, .timestamp_ms = -1}}};
}

}  // namespace

TEST_CASE(
    "what comes out of the spool is what went in, in its order, from memory and from a file") {
  const std::size_t memory_max = GENERATE(1, 100, 1'000'000);
  Spool spool(memory_max);
  CHECK(spool.empty());
  std::vector<Whole> expected;
  for (int i = 0; i < 50; ++i) {
    for (const auto& [task, record] : some_records()) {
      REQUIRE(spool.add(task, record));
      expected.push_back(whole(task, record));
    }
  }
  CHECK_FALSE(spool.empty());
  CHECK(all_of(spool) == expected);
  CHECK(all_of(spool) == expected);
  spool.clear();
  CHECK(spool.empty());
  CHECK(all_of(spool).empty());
  REQUIRE(spool.add(9, {.offset = 1, .value = "after"}));
  REQUIRE(all_of(spool).size() == 1);
  CHECK(all_of(spool)[0].value == "after");
}

TEST_CASE("what is set aside comes out with its reason, among records that are not") {
  const std::size_t memory_max = GENERATE(1, 1'000'000);
  Spool spool(memory_max);
  const record::BadRecord bad{.fault = record::Fault::objection,
                              .column = "c",
                              .code = "E1",
                              .reason = zero_and_more,
                              .told = ""};
  std::vector<Whole> expected;
  for (const auto& [task, record] : some_records()) {
    REQUIRE(spool.add(task, record, &bad));
    REQUIRE(spool.add(task, record));
    expected.push_back(whole(task, record));
  }
  std::vector<Whole> aside;
  std::vector<Whole> others;
  REQUIRE(spool.each(
      [&](std::size_t task, const Record& record, const record::BadRecord* why) -> Result<void> {
        (why != nullptr ? aside : others).push_back(whole(task, record));
        if (why == nullptr) return {};
        CHECK(why->fault == record::Fault::objection);
        CHECK(std::vector{why->column, why->code, why->reason, why->told} ==
              std::vector<std::string>{"c", "E1", zero_and_more, ""});
        return {};
      }));
  CHECK(aside == expected);
  CHECK(others == expected);
}

TEST_CASE("records that are larger than what is read of the file at once come back whole") {
  Spool spool(10'000);
  std::map<Offset, std::string> values;
  for (Offset i = 0; i < 7; ++i) {
    values[i] = std::string(std::size_t{40'000} * static_cast<std::size_t>(i + 1),
                            static_cast<char>('a' + i));
    REQUIRE(spool.add(0, {.offset = i, .value = values[i]}));
  }
  const auto all = all_of(spool);
  REQUIRE(all.size() == 7);
  for (const auto& one : all) CHECK(one.value == values[one.offset]);
}

TEST_CASE("the file has no name, so that nothing is left of a process that is killed") {
  test::TempDir dir;
  Spool spool(1, dir.path().string());
  REQUIRE(spool.add(0, {.offset = 1, .value = "x"}));
  CHECK(std::filesystem::is_empty(dir.path()));
  CHECK(all_of(spool).size() == 1);
}

TEST_CASE("a directory that is not there and a full disk are told with their place") {
  test::TempDir dir;
  SECTION("no directory") {
    const auto place = dir / "nothing";
    Spool spool(1, place);
    const auto added = spool.add(0, {.offset = 1, .value = "x"});
    REQUIRE_FALSE(added);
    CHECK(added.error().kind == ErrorKind::retriable);
    CHECK(added.error().cause == Cause::sink);
    CHECK_THAT(added.error().message, Catch::Contains(place) && Catch::Contains("TMPDIR"));
  }
  SECTION("no room: as far as a file may grow") {
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const auto old = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit low{20'000, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &low) == 0);
    Spool spool(1, dir.path().string());
    Result<void> added;
    for (int i = 0; i < 100 && added; ++i) {
      added = spool.add(0, {.offset = i, .value = std::string_view(zero_and_more)});
      if (added) added = spool.add(0, {.offset = i, .value = std::string(1'000, 'x')});
    }
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old);
    REQUIRE_FALSE(added);
    CHECK(added.error().kind == ErrorKind::unavailable);
    CHECK_THAT(added.error().message, Catch::Contains("cannot be written: File too large"));
    // Once there is room, it goes on.
    spool.clear();
    CHECK(spool.add(0, {.offset = 1, .value = "x"}));
  }
}
