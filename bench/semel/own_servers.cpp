#include "bench/semel/own_servers.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "bench/data/embedded_broker.hpp"
#include "bench/semel/database.hpp"

namespace semel::bench {

namespace {

using namespace std::chrono_literals;

tl::unexpected<Error> broken(Cause cause, std::string message) {
  return fail(ErrorKind::fatal, cause, std::move(message));
}

/// A port of loopback that nobody listens on at the moment; 0: none.
int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int port = 0;
  if (::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  ::close(socket);
  return port;
}

std::string output_of(const char* command) {
  std::string text;
  if (std::FILE* pipe = ::popen(command, "r")) {
    std::array<char, 256> piece{};
    while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) text += piece.data();
    ::pclose(pipe);
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// Where initdb and postgres are; empty: no server is installed.
std::string postgres_binaries() {
  std::vector<std::string> candidates{output_of("pg_config --bindir 2>/dev/null")};
  std::error_code ignored;
  std::vector<std::pair<int, std::string>> versions;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    versions.emplace_back(std::atoi(entry.path().filename().c_str()), entry.path() / "bin");
  }
  std::sort(versions.rbegin(), versions.rend());
  for (const auto& [version, path] : versions) candidates.push_back(path);
  candidates.insert(candidates.end(), {"/usr/pgsql/bin", "/usr/local/pgsql/bin", "/usr/bin"});
  for (const auto& path : candidates) {
    if (path.empty()) continue;
    const bool both = ::access((path + "/initdb").c_str(), X_OK) == 0 &&
                      ::access((path + "/postgres").c_str(), X_OK) == 0;
    if (both) return path;
  }
  return "";
}

/// Root may not run a server.
std::optional<Credentials> unprivileged() {
  if (::geteuid() != 0) return std::nullopt;
  const passwd* user = ::getpwnam("postgres");
  if (user == nullptr) user = ::getpwnam("nobody");
  if (user == nullptr) return Credentials{65534, 65534};
  return Credentials{user->pw_uid, user->pw_gid};
}

}  // namespace

Result<OwnServer> start_broker(const WorkDirectory& directory, const std::string& topic,
                               int partitions) {
  const auto ready = directory / "broker";
  const auto log = directory / "broker.log";
  auto process = ChildProcess::start(
      {.argv = {"/proc/self/exe", "bench", "broker", topic, std::to_string(partitions), ready},
       .log = log});
  if (!process) return tl::unexpected(process.error());
  for (int i = 0; i < 1'000; ++i) {
    std::ifstream file(ready);
    std::string address;
    if (std::getline(file, address) && !file.eof()) return OwnServer{*std::move(process), address};
    if (process->poll()) break;
    std::this_thread::sleep_for(20ms);
  }
  return broken(Cause::source, "the embedded broker did not start:" + tail_of(log));
}

Result<void> be_broker(const std::string& topic, int partitions, const std::string& ready_file) {
  const auto broker = kafka::EmbeddedBroker::start();
  if (!broker) return tl::unexpected(broker.error());
  if (auto made = (*broker)->create_topic(topic, partitions); !made) return made;
  std::ofstream file(ready_file, std::ios::trunc);
  file << (*broker)->bootstrap_servers() << '\n' << std::flush;
  if (!file) return broken(Cause::internal, "cannot write " + ready_file);
  while (true) ::pause();
}

Result<OwnServer> start_postgres(const WorkDirectory& directory) {
  const auto binaries = postgres_binaries();
  if (binaries.empty()) {
    return broken(Cause::configuration,
                  "no PostgreSQL server is installed here (initdb and postgres are looked for in "
                  "`pg_config --bindir` and /usr/lib/postgresql/*/bin): install one, or name a "
                  "database with --dsn");
  }
  const auto as = unprivileged();
  const auto home = directory / "postgres";
  std::filesystem::create_directory(home);
  if (as && ::chown(home.c_str(), as->uid, as->gid) != 0) {
    return broken(Cause::internal, "cannot give " + home + " to the database's user");
  }
  const auto data = home + "/data";
  const auto log = directory / "postgres.log";
  auto init =
      ChildProcess::start({.argv = {binaries + "/initdb", "-D", data, "-U", "postgres",
                                    "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"},
                           .log = log,
                           .directory = home,
                           .as = as});
  if (!init) return tl::unexpected(init.error());
  const auto ended = init->wait(120s);
  if (!ended || ended->code != 0) {
    return broken(Cause::sink, "initdb failed:" + tail_of(log));
  }
  const int port = free_port();
  auto server = ChildProcess::start(
      {.argv = {binaries + "/postgres", "-D", data, "-p", std::to_string(port), "-k", home, "-c",
                "listen_addresses=127.0.0.1", "-c", "timezone=UTC"},
       .log = log,
       .directory = home,
       .as = as,
       .end_signal = SIGQUIT});
  if (!server) return tl::unexpected(server.error());
  const auto dsn = fmt::format("postgresql://postgres@127.0.0.1:{}/postgres", port);
  for (int i = 0; i < 600; ++i) {
    if (Database::connect(dsn)) return OwnServer{*std::move(server), dsn};
    if (server->poll()) break;
    std::this_thread::sleep_for(100ms);
  }
  return broken(Cause::sink, "the throwaway PostgreSQL did not start:" + tail_of(log));
}

}  // namespace semel::bench
