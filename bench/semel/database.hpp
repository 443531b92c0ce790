// The bench's own way to the database, as any user has one: by libpqxx, not by the connector.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "bench/semel/oracle.hpp"

namespace semel::bench {

/// How far a run has come.
struct Seen {
  std::int64_t committed = 0;  ///< records whose rows are committed
  std::int64_t start = 0;      ///< the latest start of the process that has committed anything
};

/// One thread uses it.
class Database {
 public:
  static Result<std::unique_ptr<Database>> connect(const std::string& dsn);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<void> execute(const std::string& sql);
  /// The first column of the first row; nothing where it is NULL or there is no row.
  Result<std::optional<std::string>> value(const std::string& sql);

  /// A query that gives `committed` and `start`; asked often by see().
  Result<void> watch(const std::string& query);
  Result<Seen> see();

  /// New ids of `table` will be asked for often, where id i came from partition i % partitions: by
  /// the index that index_sql() makes, whatever the planner thinks of a table without statistics.
  Result<void> watch_ids(const std::string& table, int partitions);
  /// Appends what is visible, of each partition from its `low` on. In no order.
  Result<void> see_ids(const std::vector<std::int64_t>& low, std::vector<std::int64_t>& ids);
  static std::string index_sql(const std::string& table, int partitions);

  Result<Found> find(const std::string& table, std::int64_t produced);
  /// Rows that were inserted and did not stay, as the server counts them; nothing where it does not
  /// count. Waits until sessions that have ended are counted.
  Result<std::optional<std::int64_t>> rolled_back(const std::string& schema,
                                                  const std::string& table, std::int64_t rows);

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::bench
