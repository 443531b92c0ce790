#include "integration/consumer/own_file.hpp"

#include <chrono>
#include <utility>

#include <semel/sqlite.hpp>

#include "support/catch.hpp"
#include "support/process.hpp"

namespace semel::test {

OwnFile::OwnFile() : path(dir_ / "shop.db") {
  REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
  run("CREATE TABLE orders (id INTEGER, o INTEGER) STRICT");
}

std::string OwnFile::value(const std::string& query) const {
  auto answer = semel::test::run({.argv = {"sqlite3", path, query}});
  INFO(answer.err);
  REQUIRE(answer.code == 0);
  while (!answer.out.empty() && answer.out.back() == '\n') answer.out.pop_back();
  return answer.out;
}

void insert_into_file(sqlite3* connection, Range& range) {
  while (const auto records = range.next()) {
    std::string rows;
    for (const auto& record : *records) {
      rows += (rows.empty() ? "(" : ", (") + std::string(*record.value) + ", " +
              std::to_string(record.offset) + ")";
    }
    REQUIRE(sqlite3_exec(connection, ("INSERT INTO orders VALUES " + rows).c_str(), nullptr,
                         nullptr, nullptr) == SQLITE_OK);
  }
}

void drain_into_file(DirectConsumer& consumer, sqlite3* connection) {
  while (!consumer.done()) {
    auto range = consumer.next(std::chrono::seconds(1));
    if (range) sqlite::transact(connection, *std::move(range), insert_into_file);
  }
}

}  // namespace semel::test
