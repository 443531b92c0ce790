#include "support/range_watcher.hpp"

#include <chrono>
#include <exception>
#include <stdexcept>
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
  // What is there in part is so around its commit: the newest are looked at often, and at the end
  // all of them.
  while (!done_) {
    look(connection, "ORDER BY batch_time DESC LIMIT 16");
    ++looks_;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  look(connection, "");
} catch (const std::exception& error) {
  offence_ = error.what();
}

void RangeWatcher::look(pqxx::connection& connection, const std::string& which) {
  pqxx::read_transaction snapshot(connection);
  const auto part = snapshot.exec(
      "SELECT c.partition, c.from_offset FROM (SELECT * FROM semel_commits " + which +
      ") c, LATERAL (SELECT count(*) AS rows FROM events e WHERE e.p = c.partition AND "
      "e.o >= c.from_offset AND e.o < c.until_offset) found WHERE found.rows <> c.rows LIMIT 1");
  if (part.empty()) return;
  throw std::runtime_error("a range is there in part: partition " + part[0][0].as<std::string>() +
                           " from " + part[0][1].as<std::string>());
}

}  // namespace semel::test
