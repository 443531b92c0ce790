// Lines to a callback, or to standard error where there is none.
#include "base/log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/told.hpp"

using namespace semel;
using namespace semel::test;

namespace {

/// What is written to standard error meanwhile.
template <class Work>
std::string standard_error_of(Work work) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::tmpfile(), std::fclose};
  const int saved = dup(STDERR_FILENO);
  dup2(fileno(file.get()), STDERR_FILENO);
  work();
  dup2(saved, STDERR_FILENO);
  close(saved);
  std::string text(static_cast<std::size_t>(lseek(fileno(file.get()), 0, SEEK_END)), ' ');
  REQUIRE(pread(fileno(file.get()), text.data(), text.size(), 0) ==
          static_cast<ssize_t>(text.size()));
  return text;
}

/// Counts how often it is formatted.
struct Costly {
  int& formatted;
};

}  // namespace

template <>
struct fmt::formatter<Costly> : fmt::formatter<int> {
  auto format(const Costly& value, fmt::format_context& context) const {
    return fmt::formatter<int>::format(++value.formatted, context);
  }
};

TEST_CASE("a callback is given the wanted levels only, and the others are not even formatted") {
  const Told told;
  const auto log = told.log(LogLevel::info);
  int formatted = 0;
  log.debug("debug {}", Costly{formatted});
  CHECK(formatted == 0);
  log.info("info {}", Costly{formatted});
  log.warn("warn");
  log.error("error");
  CHECK(told.all() == "info 1\nwarn\nerror\n");
}

TEST_CASE("what breaks a line or moves a cursor reaches a callback as one line") {
  const Told told;
  told.log().info("{}", "a\n  b\tc\x1b[2Jd\r\n");
  CHECK(told.all() == "a b c\\x1B[2Jd\n");
}

TEST_CASE("without a callback warnings and errors go to standard error, and nothing else does") {
  CHECK(standard_error_of([] {
          const Log log;
          log.info("nobody reads this");
          log.warn("a disk is {}", "full");
          log.error("two");
        }) == "semel: warning: a disk is full\nsemel: error: two\n");
  // However much is wanted of a callback that is not there.
  CHECK(standard_error_of([] { Log({}, LogLevel::trace).debug("nor this"); }).empty());
  CHECK(standard_error_of([] { Log({}, LogLevel::error).warn("nor that"); }).empty());
}

TEST_CASE("what a callback throws is dropped, and the next line comes") {
  std::string last;
  const Log log(
      [&](LogLevel, std::string_view line) {
        last = line;
        throw std::runtime_error("a full disk");
      },
      LogLevel::info);
  log.warn("one");
  log.warn("two");
  CHECK(last == "two");
}

TEST_CASE("a callback may log itself") {
  std::vector<std::string> lines;
  std::unique_ptr<Log> log;
  log = std::make_unique<Log>(
      [&](LogLevel, std::string_view line) {
        lines.emplace_back(line);
        if (lines.size() < 3) log->info("{} more", lines.size());
      },
      LogLevel::info);
  log->info("first");
  CHECK(lines == std::vector<std::string>{"first", "1 more", "2 more"});
}

TEST_CASE("a callback is never called by two threads at once, nor after the log is closed") {
  int inside = 0;
  bool two_at_once = false;
  int calls = 0;
  const Log log(
      [&](LogLevel, std::string_view) {
        two_at_once = two_at_once || ++inside > 1;
        ++calls;
        std::this_thread::yield();
        --inside;
      },
      LogLevel::info);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([copy = log] {
      for (int j = 0; j < 100; ++j) copy.info("{}", j);
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(calls == 400);
  CHECK_FALSE(two_at_once);
  const auto copy = log;
  log.close();
  copy.error("late");
  CHECK(calls == 400);
}

TEST_CASE("two logs do not mix") {
  const Told one;
  const Told other;
  const auto first = one.log();
  const auto second = other.log(LogLevel::warn);
  first.info("a");
  second.info("b");
  second.warn("c");
  CHECK(one.all() == "a\n");
  CHECK(other.all() == "c\n");
}

TEST_CASE("standard error that was closed is not written to, whatever its number is by then") {
  const auto text = standard_error_of([] {
    const int file = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    const Log log;
    // As a file of the program's own gets the number.
    CHECK(dup2(file, STDERR_FILENO) == STDERR_FILENO);
    close(file);
    log.error("nothing of this");
  });
  CHECK(text.empty());
}
