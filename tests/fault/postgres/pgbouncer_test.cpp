// Behind pgbouncer, which gives a client another of the server's sessions for each transaction.
#include <fmt/format.h>
#include <unistd.h>
#include <csignal>
#include <filesystem>
#include <random>
#include <thread>

#include "fault/faults.hpp"
#include "support/catch.hpp"
#include "support/loopback.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

using namespace semel::test;
using namespace std::chrono_literals;

namespace {

/// With fewer sessions of the server than the pipeline has connections.
class PgBouncer {
 public:
  explicit PgBouncer(int server_port) : port_(free_port()) {
    write_file(dir_ / "users.txt", "\"postgres\" \"\"\n");
    write_file(dir_ / "pgbouncer.ini",
               fmt::format("[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = "
                           "127.0.0.1\nlisten_port = {}\nunix_socket_dir =\nauth_type = "
                           "trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = "
                           "2\nserver_reset_query_always = 0\n",
                           server_port, port_, dir_ / "users.txt"));
    std::filesystem::permissions(dir_.path(), std::filesystem::perms(0755));
    std::vector<std::string> argv{"/usr/sbin/pgbouncer", "-q", dir_ / "pgbouncer.ini"};
    // It does not run as root.
    if (geteuid() == 0) {
      const std::vector<std::string> as{"setpriv", "--reuid=postgres", "--regid=postgres",
                                        "--clear-groups"};
      argv.insert(argv.begin(), as.begin(), as.end());
    }
    process_.emplace(ProcessOptions{.argv = argv});
    const bool up = eventually([&] {
      const int fd = connect_to_loopback(port_);
      if (fd >= 0) close(fd);
      return fd >= 0;
    });
    INFO(process_->err());
    REQUIRE(up);
  }
  int port() const { return port_; }

 private:
  static int free_port() {
    const auto [fd, port] = listen_on_loopback();
    close(fd);
    return port;
  }

  TempDir dir_{"semel-pgbouncer"};
  int port_;
  std::optional<Process> process_;
};

}  // namespace

TEST_CASE("behind pgbouncer rows, upserts and tables that are made are there once, under kills") {
  if (!kafka_available()) return;
  PgBouncer bouncer(PostgresServer::shared().port());
  const auto* how = GENERATE("", "write = \"upsert\"\nkey = [\"p\", \"o\"]\n",
                             "create = true\nevolve = \"add\"\ntypes = { id = \"bigint\", amount = "
                             "\"double precision\" }\n");
  const std::string settings(how);
  CAPTURE(settings);
  Rig rig(4);
  rig.write_as_configured();
  rig.sql("CREATE UNIQUE INDEX by_place ON events (o, p)");
  if (settings.starts_with("create")) rig.sql("DROP TABLE events");
  rig.through_dsn(at_port(rig.dsn(), bouncer.port()));
  rig.configure(settings + std::string(quick));
  Load load(rig);
  std::mt19937 random(5);
  for (int kills = 0; kills < 6; ++kills) {
    auto semel = rig.start();
    if (kills % 2 == 0) {
      REQUIRE(eventually([&] { return rig.value("SELECT to_regclass('events')") != ""; }));
      REQUIRE(rig.grows(rig.rows()));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 300'000));
    const bool runs = semel.running();
    INFO(semel.err());
    REQUIRE(runs);
    semel.kill();
  }
  load.finish();
  rig.drain();
  expect_no_dead_letters(rig);
  rig.expect_exactly_once();
}
