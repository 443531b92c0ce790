// A PostgreSQL primary with a streaming standby that can take its place.
#pragma once

#include <optional>
#include <string>

#include "support/process.hpp"
#include "support/servers.hpp"
#include "support/temp_dir.hpp"

namespace semel::test {

/// Both are this test's own. Errors throw std::runtime_error.
class ReplicatedPostgres {
 public:
  enum class Replication {
    synchronous,  ///< COMMIT waits for the standby
    asynchronous
  };
  explicit ReplicatedPostgres(Replication replication);
  ~ReplicatedPostgres();
  ReplicatedPostgres(const ReplicatedPostgres&) = delete;
  ReplicatedPostgres& operator=(const ReplicatedPostgres&) = delete;

  /// A new database, by a connection string that names both servers and wants the one that takes
  /// writes.
  std::string create_database();
  /// The superuser's way to one of them.
  std::string primary(const std::string& db = "postgres") const { return primary_.dsn(db); }
  std::string standby(const std::string& db = "postgres") const;

  /// The standby has received and replayed all that the primary has written.
  bool caught_up() const;
  /// From here on the standby hears nothing more.
  void part();
  /// SIGKILL to the primary and its backends.
  void kill_primary() { primary_.kill(); }
  /// Makes the standby the primary; returns when it takes writes.
  void promote();

 private:
  PostgresServer primary_;
  TempDir dir_{"semel-standby"};
  int port_ = 0;
  std::optional<Process> process_;
};

}  // namespace semel::test
