#include "metrics/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

using namespace semel;

TEST_CASE("a file of metrics is written anew, and nothing is left beside it") {
  const test::TempDir directory;
  const auto file = directory / "clicks.prom";
  REQUIRE(metrics::write_file(file, "a 1\n"));
  REQUIRE(metrics::write_file(file, "a 2\n"));
  CHECK(test::read_file(file) == "a 2\n");
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
}

TEST_CASE("a link stays a link, and the file that it names is written") {
  const test::TempDir directory;
  test::write_file(directory / "there.prom", "old");
  std::filesystem::create_symlink(directory / "there.prom", directory / "link.prom");
  REQUIRE(metrics::write_file(directory / "link.prom", "a 1\n"));
  CHECK(std::filesystem::is_symlink(directory / "link.prom"));
  CHECK(test::read_file(directory / "there.prom") == "a 1\n");
}

TEST_CASE("what is no file, as a device, is written to and not replaced") {
  const test::TempDir directory;
  const auto pipe = directory / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = open(pipe.c_str(), O_RDWR | O_NONBLOCK);
  REQUIRE(reader >= 0);
  REQUIRE(metrics::write_file(pipe, "a 1\n"));
  CHECK(std::filesystem::is_fifo(pipe));
  std::array<char, 16> seen{};
  CHECK(read(reader, seen.data(), seen.size()) == 4);
  close(reader);
}

TEST_CASE("where nothing can be written, the error says where") {
  const auto failed = metrics::write_file("/no/such/directory/clicks.prom", "a 1\n");
  REQUIRE_FALSE(failed);
  CHECK_THAT(failed.error().message, Catch::Contains("/no/such/directory/clicks.prom"));
}
