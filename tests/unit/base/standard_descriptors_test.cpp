// What is closed of standard input, output and error, in a process of its own.
#include "base/standard_descriptors.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <vector>

#include "support/catch.hpp"

using namespace semel;

namespace {

/// 0: none of them can be used, and the next file gets none of their numbers. The others' numbers
/// say what is wrong.
int use_closed(const std::vector<int>& closed) {
  for (const int number : closed) close(number);
  hold_standard_descriptors();
  char byte = 'x';
  for (const int number : closed) {
    errno = 0;
    const auto used = number == STDIN_FILENO ? read(number, &byte, 1) : write(number, &byte, 1);
    if (used >= 0 || errno != EBADF) return 10 + number;
  }
  return open("/dev/null", O_RDONLY) > STDERR_FILENO ? 0 : 1;
}

}  // namespace

TEST_CASE("no file gets the number of a standard descriptor that is closed") {
  const std::vector<std::vector<int>> all{{}, {0}, {1}, {2}, {0, 2}, {1, 2}, {0, 1, 2}};
  for (const auto& closed : all) {
    const auto child = fork();
    if (child == 0) _exit(use_closed(closed));
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
}

TEST_CASE("standard descriptors that are open stay what they are") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const auto child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    hold_standard_descriptors();
    _exit(write(STDOUT_FILENO, "!", 1) == 1 ? 0 : 1);
  }
  close(ends[1]);
  char byte = 0;
  CHECK(read(ends[0], &byte, 1) == 1);
  CHECK(byte == '!');
  close(ends[0]);
  CHECK(waitpid(child, nullptr, 0) == child);
}
