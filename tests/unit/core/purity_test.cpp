// The core decides; it does not do. Whatever the compiler opens for src/core is looked at, so that
// no clock, thread, socket or client library comes in, not even through another header.
#include <fmt/format.h>
#include <unistd.h>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace {

const std::filesystem::path root = SEMEL_SOURCE_ROOT;

// libstdc++ itself opens pthread.h and time.h for its lock-free parts: those are forbidden only
// where our own files name them.
const std::regex opened_forbidden(
    R"((/c\+\+/[^/]+/(thread|mutex|shared_mutex|atomic|chrono|condition_variable|future|semaphore|barrier|latch|stop_token|filesystem|fstream|iostream|random)|sys/socket\.h|/(librdkafka|pqxx|rocksdb|spdlog|simdjson|nlohmann|toml\+\+)/.*|libpq-fe\.h)$)");
const std::regex named_forbidden(
    R"(#\s*include\s*<(ctime|time\.h|sys/time\.h|pthread\.h|unistd\.h|thread|mutex|atomic|chrono|future|random|sys/.*|librdkafka.*|pqxx.*|rocksdb.*)>)");

std::vector<std::string> headers_opened_for(const std::filesystem::path& file) {
  const auto command =
      fmt::format("{} -std=c++20 -M -I{} -I{} -x c++ {} 2>&1", SEMEL_CXX,
                  (root / "include").string(), (root / "src").string(), file.string());
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  char buffer[4096];
  while (const auto size = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, size);
  INFO(output);
  REQUIRE(pclose(pipe) == 0);

  static const std::regex word(R"([^\s\\]+)");
  return {std::sregex_token_iterator(output.begin(), output.end(), word), {}};
}

std::vector<std::string> offences(const std::filesystem::path& file) {
  std::vector<std::string> found;
  for (auto& header : headers_opened_for(file)) {
    if (std::regex_search(header, opened_forbidden)) found.push_back(std::move(header));
  }
  std::ifstream text(file);
  for (std::string line; std::getline(text, line);) {
    if (std::regex_search(line, named_forbidden)) found.push_back(line);
  }
  return found;
}

}  // namespace

TEST_CASE("the core includes no clock, thread, socket, client library or database") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root / "src/core")) {
    const auto extension = entry.path().extension();
    if (extension != ".cpp" && extension != ".hpp") continue;
    ++files;
    CAPTURE(entry.path().string());
    CHECK(offences(entry.path()).empty());
  }
  CHECK(files > 10);
}

TEST_CASE("the purity check notices what it forbids") {
  for (const auto* header : {"<chrono>", "<thread>", "<mutex>", "<ctime>", "<librdkafka/rdkafka.h>",
                             "<rocksdb/db.h>", "<sys/socket.h>"}) {
    CAPTURE(header);
    const auto file =
        std::filesystem::temp_directory_path() / fmt::format("semel-purity-{}.hpp", getpid());
    std::ofstream(file) << "#include " << header << "\n";
    CHECK_FALSE(offences(file).empty());
    std::filesystem::remove(file);
  }
}
