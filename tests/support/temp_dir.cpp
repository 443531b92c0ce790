#include "support/temp_dir.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "support/janitor.hpp"

namespace semel::test {

TempDir::TempDir(const std::string& prefix) {
  std::string pattern = (std::filesystem::temp_directory_path() / (prefix + "-XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("cannot make a directory like " + pattern);
  }
  path_ = pattern;
  remove_at_end(pattern);
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  // Where something is left (a server still writing), the janitor removes it at the end.
  if (!std::filesystem::exists(path_, ignored)) forget_path(path_.string());
}

void write_file(const std::filesystem::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string unique_name(const std::string& prefix) {
  static std::atomic<unsigned> calls{0};
  static const auto started = std::chrono::system_clock::now().time_since_epoch().count();
  return prefix + "_" + std::to_string(started % 1'000'000'000) + "_" + std::to_string(::getpid()) +
         "_" + std::to_string(++calls);
}

int free_port() {
  // Below the range from which the system takes ports of outgoing connections (32768 and up), so
  // that none of those takes it before the server does.
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> any(20'000, 32'000);
  for (int attempt = 0; attempt < 1'000; ++attempt) {
    const int port = any(random);
    const int handle = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = ::bind(handle, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(handle);
    if (free) return port;
  }
  throw std::runtime_error("no free TCP port between 20000 and 32000");
}

}  // namespace semel::test
