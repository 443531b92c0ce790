#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>

#include <fstream>
#include <memory>
#include <regex>
#include <stdexcept>

#include "support/server_process.hpp"
#include "support/servers.hpp"

namespace semel::test {
namespace {

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using QueryResult = std::unique_ptr<PGresult, decltype(&PQclear)>;

Connection connect(const std::string& dsn) {
  Connection connection(PQconnectdb(dsn.c_str()), PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection.get()));
  }
  return connection;
}

QueryResult query(PGconn* connection, const std::string& sql) {
  QueryResult result(PQexec(connection, sql.c_str()), PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    throw std::runtime_error(sql + ": " + PQerrorMessage(connection));
  }
  return result;
}

/// A connection from one value() of a thread to its next. Whoever waits asks a hundred times a
/// second, and to connect costs far more processor time than the answer.
class Kept {
 public:
  PGconn* to(const std::string& dsn) {
    if (dsn != dsn_ || !lives()) {
      end();
      connection_ = connect(dsn);
      dsn_ = dsn;
    }
    return connection_.get();
  }
  /// The server has ended it, perhaps just before it was asked.
  bool is_broken() const { return connection_ && PQstatus(connection_.get()) == CONNECTION_BAD; }
  void end() {
    connection_.reset();
    dsn_.clear();
  }

 private:
  /// Of one that is idle nothing is heard but its end.
  bool lives() const {
    pollfd server{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
    return server.fd >= 0 && ::poll(&server, 1, 0) == 0;
  }

  std::string dsn_;
  Connection connection_{nullptr, PQfinish};
};

thread_local Kept kept;

}  // namespace

PostgresServer& PostgresServer::shared() {
  static PostgresServer server;
  return server;
}

PostgresServer::PostgresServer() {
  // The port may be taken between the look and the start; then with another one.
  for (int attempt = 1;; ++attempt) {
    port_ = free_port();
    try {
      start();
      return;
    } catch (const std::runtime_error&) {
      if (attempt == 3) throw;
    }
  }
}

PostgresServer::~PostgresServer() {
  if (!process_) return;
  // At once, but by the server itself: it also gives its shared memory back.
  process_->signal(SIGQUIT);
  process_->wait(std::chrono::seconds(10));
}

std::string PostgresServer::dsn(const std::string& db) const {
  return "postgresql://postgres@127.0.0.1:" + std::to_string(port_) + "/" + db;
}

std::string PostgresServer::create_database() {
  const std::string name = unique_name("db");
  execute(dsn(), "CREATE DATABASE " + name);
  return dsn(name);
}

void PostgresServer::execute(const std::string& dsn, const std::string& sql) {
  // What is asked for may be one that nobody else is connected (DROP DATABASE), or may be for
  // sessions that begin after it.
  kept.end();
  query(connect(dsn).get(), sql);
}

std::string PostgresServer::value(const std::string& dsn, const std::string& sql) {
  QueryResult result(nullptr, PQclear);
  try {
    result = query(kept.to(dsn), sql);
  } catch (...) {
    const bool again = kept.is_broken();
    kept.end();
    if (!again) throw;
    result = query(kept.to(dsn), sql);
  }
  if (sql.starts_with("SET ")) kept.end();  // what was set is for this question
  if (PQntuples(result.get()) == 0 || PQnfields(result.get()) == 0) return {};
  return {PQgetvalue(result.get(), 0, 0),
          static_cast<std::size_t>(PQgetlength(result.get(), 0, 0))};
}

bool PostgresServer::answers() const {
  return PQping((dsn() + "?connect_timeout=5").c_str()) == PQPING_OK;
}

void PostgresServer::start() {
  if (process_) return;
  process_.emplace(start_server("throwaway-postgres", {dir_.path().string(), std::to_string(port_)},
                                dir_ / "server.log", "QUIT", [this] { return answers(); }));
}

void PostgresServer::stop() {
  if (!process_) return;
  process_->signal(SIGINT);
  if (!process_->wait(std::chrono::seconds(60))) process_->kill();
  process_.reset();
}

std::vector<pid_t> PostgresServer::backends() const {
  const auto server = std::to_string(process_->pid());
  std::ifstream children("/proc/" + server + "/task/" + server + "/children");
  std::vector<pid_t> backends;
  for (pid_t child = 0; children >> child;) backends.push_back(child);
  return backends;
}

void PostgresServer::freeze() {
  process_->signal(SIGSTOP);
  for (const pid_t backend : backends()) ::kill(backend, SIGSTOP);
}

void PostgresServer::thaw() {
  for (const pid_t backend : backends()) ::kill(backend, SIGCONT);
  process_->signal(SIGCONT);
}

void PostgresServer::kill() {
  if (!process_) return;
  // Stopped first, so that it starts no more backends while they are listed.
  process_->signal(SIGSTOP);
  const auto backends = this->backends();
  for (const pid_t backend : backends) ::kill(backend, SIGKILL);
  process_->kill();
  process_.reset();
  eventually([&] {
    for (const pid_t backend : backends) {
      // A process that nobody waits for any more keeps its number, but no command line.
      if (!read_file("/proc/" + std::to_string(backend) + "/cmdline").empty()) return false;
    }
    return true;
  });
}

std::string at_port(const std::string& dsn, int port) {
  return std::regex_replace(dsn, std::regex("127\\.0\\.0\\.1:\\d+"),
                            "127.0.0.1:" + std::to_string(port));
}

}  // namespace semel::test
