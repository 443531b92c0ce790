#include "support/range_watcher.hpp"

#include <exception>
#include <pqxx/pqxx>
#include <utility>

namespace semel::test {

RangeWatcher::RangeWatcher(std::string dsn) : thread_([this, dsn = std::move(dsn)] { run(dsn); }) {}

RangeWatcher::~RangeWatcher() {
  finish();
}

void RangeWatcher::finish() {
  done_ = true;
  if (thread_.joinable()) thread_.join();
}

void RangeWatcher::run(const std::string& dsn) try {
  pqxx::connection connection(dsn);
  while (!done_) {
    pqxx::read_transaction snapshot(connection);
    const auto part = snapshot.exec(
        "SELECT c.partition, c.from_offset, c.until_offset, c.rows, count(e.o) "
        "FROM semel_commits c LEFT JOIN events e ON e.p = c.partition AND e.o >= c.from_offset "
        "AND e.o < c.until_offset "
        "GROUP BY 1, 2, 3, 4 HAVING count(e.o) <> c.rows LIMIT 1");
    if (!part.empty()) {
      offence_ = "a range is there in part: partition " + part[0][0].as<std::string>() + " from " +
                 part[0][1].as<std::string>();
      return;
    }
    ++looks_;
  }
} catch (const std::exception& error) {
  offence_ = error.what();
}

}  // namespace semel::test
