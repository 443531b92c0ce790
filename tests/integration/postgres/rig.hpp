// A database of a test's own, and processes that write to it as the engine would.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/ledger.hpp>
#include <semel/sink.hpp>

#include "contract/process.hpp"
#include "postgres/postgres.hpp"
#include "support/catch.hpp"
#include "support/servers.hpp"

namespace semel::test {

using contract::all_committed;
using contract::committed;
using contract::moves_of;
using contract::must;
using contract::refused;

/// Empty at the beginning of a test. Tests share one database, because making one is what takes
/// longest; one that changes the settings of its database asks for its own.
struct Database {
  enum class Kind : std::uint8_t { shared, own };
  explicit Database(Kind kind = Kind::shared);

  std::string dsn;

  void sql(const std::string& statement) const { PostgresServer::execute(dsn, statement); }
  std::string value(const std::string& query) const { return PostgresServer::value(dsn, query); }
  long long number(const std::string& query) const { return std::stoll(value(query)); }

  postgres::Options options(const std::string& table = "t") const {
    postgres::Options options;
    options.dsn = dsn;
    options.table = table;
    return options;
  }
};

/// One process of pipeline "pipe", output "out": a sink and a session.
class Writer {
 public:
  using Values = std::function<std::string(Offset)>;
  static const TopicPartition tp;

  Writer(const postgres::Options& options, const std::string& who);

  /// Takes over; the partition begins at 0 if it is new.
  void start();
  Task task(Offset from, Offset until);
  Result<void> write(Offset from, Offset until, const Values& values);
  Result<CommitResult> run(const Task& task, const Values& values);
  /// run() as the engine does it with retry.max_failures = 4: isolating after bad data, and as a
  /// last resort before giving up.
  Result<CommitResult> run_isolating(Task task, const Values& values);
  Committed store(Offset from, Offset until, const Values& values);
  Result<std::optional<Refused>> begin(const Task& task) { return in_session().begin({&task, 1}); }
  /// Ends a transaction of one task; the range ended with `last`.
  Result<CommitResult> commit(const std::optional<RecordMark>& last = std::nullopt);
  LedgerEntry resolve(const Task& task) { return must(sink->resolve({&task, 1})).at(0); }
  SinkSession& in_session();

  postgres::Options options;
  Owner owner;
  std::unique_ptr<Sink> sink;
  std::unique_ptr<SinkSession> session;
  std::int64_t epoch = -1;
  std::int64_t time = 1'000;
  std::optional<BatchTime> moved_by;  ///< when the ledger moved last, where that is known
  std::optional<RecordMark> last;     ///< of the records written last
};

/// {"id": <offset>}
std::string id_only(Offset offset);

/// Ends, from outside, the server processes whose application name begins with `prefix` and for
/// which `condition` holds; returns how many, when they are gone.
long long end_sessions(const Database& database, const std::string& condition);

}  // namespace semel::test
