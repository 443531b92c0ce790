#include "fault/postgres/replicated_postgres.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <sys/stat.h>
#include <csignal>
#include <fstream>
#include <stdexcept>

#include "support/server_process.hpp"

namespace semel::test {

namespace {

std::string binaries() {
  auto found = run({.argv = {"pg_config", "--bindir"}});
  if (found.code != 0) return {};
  return found.out.substr(0, found.out.find('\n')) + "/";
}

void must_run(std::vector<std::string> argv) {
  const auto result = run({.argv = argv});
  if (result.code != 0) throw std::runtime_error(argv.front() + ": " + result.out + result.err);
}

}  // namespace

ReplicatedPostgres::ReplicatedPostgres(Replication replication) {
  std::ofstream(PostgresServer::value(primary(), "SHOW hba_file"), std::ios::app)
      << "host replication all 127.0.0.1/32 trust\n";
  PostgresServer::execute(primary(), "SELECT pg_reload_conf()");

  const auto data = PostgresServer::value(primary(), "SHOW data_directory");
  must_run({binaries() + "pg_basebackup", "--pgdata=" + (dir_ / "data"), "--write-recovery-conf",
            "--wal-method=stream", "--checkpoint=fast", "--no-sync",
            fmt::format("--dbname=postgresql://postgres@127.0.0.1:{}/", primary_.port())});
  struct stat owner {};
  if (stat(data.c_str(), &owner) != 0) throw std::runtime_error("no data directory " + data);
  must_run({"chown", "-R", fmt::format("{}:{}", owner.st_uid, owner.st_gid), dir_.path().string()});
  write_file(dir_ / "prepared", "");  // the recipe starts what is there

  port_ = free_port();
  process_.emplace(start_server(
      "throwaway-postgres", {dir_.path().string(), std::to_string(port_)}, dir_ / "server.log",
      "QUIT", [this] { return PQping((standby() + "?connect_timeout=5").c_str()) == PQPING_OK; }));
  // Only now, so that the standby does not wait for one of its own when it is promoted.
  if (replication == Replication::synchronous) {
    PostgresServer::execute(primary(), "ALTER SYSTEM SET synchronous_standby_names = '*'");
    PostgresServer::execute(primary(), "SELECT pg_reload_conf()");
  }
  const auto* state = replication == Replication::synchronous ? "sync" : "async";
  if (!eventually([&] {
        return PostgresServer::value(primary(),
                                     "SELECT sync_state FROM pg_stat_replication WHERE "
                                     "state = 'streaming'") == state;
      })) {
    throw std::runtime_error("the standby does not stream: " + read_file(dir_ / "server.log"));
  }
}

ReplicatedPostgres::~ReplicatedPostgres() {
  if (!process_) return;
  process_->signal(SIGQUIT);
  process_->wait(std::chrono::seconds(10));
}

std::string ReplicatedPostgres::standby(const std::string& db) const {
  return fmt::format("postgresql://postgres@127.0.0.1:{}/{}", port_, db);
}

std::string ReplicatedPostgres::create_database() {
  const auto name = unique_name("db");
  PostgresServer::execute(primary(), "CREATE DATABASE " + name);
  return fmt::format(
      "host=127.0.0.1,127.0.0.1 port={},{} user=postgres dbname={} target_session_attrs=read-write",
      primary_.port(), port_, name);
}

bool ReplicatedPostgres::caught_up() const {
  const auto written = PostgresServer::value(primary(), "SELECT pg_current_wal_lsn()");
  return PostgresServer::value(standby(), "SELECT pg_last_wal_replay_lsn() >= '" + written + "'") ==
         "t";
}

void ReplicatedPostgres::part() {
  PostgresServer::execute(standby(), "ALTER SYSTEM SET primary_conninfo = ''");
  PostgresServer::execute(standby(), "SELECT pg_reload_conf()");
  if (!eventually([&] {
        return PostgresServer::value(primary(), "SELECT count(*) FROM pg_stat_replication") == "0";
      })) {
    throw std::runtime_error("the standby does not let go");
  }
}

void ReplicatedPostgres::promote() {
  PostgresServer::execute(standby(), "SELECT pg_promote()");
  if (!eventually(
          [&] { return PostgresServer::value(standby(), "SELECT pg_is_in_recovery()") == "f"; })) {
    throw std::runtime_error("the standby is not promoted");
  }
}

}  // namespace semel::test
