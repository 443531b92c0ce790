// The limit: consume -> simdjson -> binary COPY, one transaction per 100,000 rows with an update of
// a ledger row, and nothing else. No fencing, no recovery, no dead letters, no checks: what is left
// when everything that semel is for is taken away. Links nothing of semel.
//
// usage: bare-postgres --brokers B --topic T --partitions N --dsn DSN --table T
//                  [--threads N] [--columns id:int8,note:text,...] [--queue MESSAGES] [--upsert
//                  KEY]
// Each thread has a client and a connection of its own and reads every N-th partition, up to the
// end that the log had at the start. Columns are in the order in which the records have their
// members; types are int8, float8, text, bool and timestamptz (ISO 8601 in UTC with milliseconds).
// With --upsert the COPY goes into a temporary table, and from there the last row of each KEY, in
// their order, by INSERT ... ON CONFLICT.

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "consume.hpp"
#include "copy_rows.hpp"
#include "database.hpp"

namespace {

constexpr std::size_t rows_per_transaction = 100'000;
class Rows {
 public:
  Rows(const std::string& dsn, const std::string& table, const std::vector<bare::Column>& columns,
       const std::string& key)
      : database_(dsn), copy_(key.empty() ? table : "bare_stage", columns) {
    if (key.empty()) return;
    database_.execute("CREATE TEMPORARY TABLE bare_stage ON COMMIT DELETE ROWS AS SELECT * FROM " +
                      table + " WITH NO DATA");
    std::string changes;
    for (const auto& column : columns) {
      if (column.name == key) continue;
      changes += (changes.empty() ? "" : ", ") + column.name + " = EXCLUDED." + column.name;
    }
    // Rows of one COPY lie in its order.
    merge_ = "INSERT INTO " + table + " SELECT DISTINCT ON (" + key +
             ") * FROM bare_stage ORDER BY " + key + ", ctid DESC ON CONFLICT (" + key +
             ") DO UPDATE SET " + changes;
  }

  void begins(int partition) {
    database_.execute("INSERT INTO bare_ledger VALUES (" + std::to_string(partition) + ", 0)");
  }

  void add(const rd_kafka_message_t& message) {
    if (rows_ == 0) begin();
    copy_.encode(static_cast<const char*>(message.payload), message.len);
    next_[message.partition] = message.offset + 1;
    if (copy_.out.size() >= bare::piece) {
      database_.copy(copy_.out);
      copy_.out.clear();
    }
    if (++rows_ == rows_per_transaction) commit();
  }

  void commit() {
    if (rows_ == 0) return;
    copy_.end();
    database_.copy(copy_.out);
    copy_.out.clear();
    database_.end_copy();
    if (!merge_.empty()) database_.execute(merge_);
    for (const auto& [partition, next] : next_) {
      database_.execute("UPDATE bare_ledger SET until = " + std::to_string(next) +
                        " WHERE partition = " + std::to_string(partition));
    }
    database_.execute("COMMIT");
    rows_ = 0;
  }

 private:
  void begin() {
    database_.execute("BEGIN");
    database_.execute(copy_.statement, PGRES_COPY_IN);
    copy_.begin();
  }

  bare::Database database_;
  bare::CopyRows copy_;
  std::string merge_;  ///< empty: rows go straight in
  std::size_t rows_ = 0;
  std::map<int, std::int64_t> next_;
};

}  // namespace

int main(int argc, char** argv) try {
  bare::Arguments arguments{{{"--partitions", "1"},
                             {"--threads", "1"},
                             {"--queue", "1000000"},
                             {"--upsert", ""},
                             {"--columns", bare::usual_columns}}};
  arguments.read(argc, argv);
  bare::Database(arguments["--dsn"])
      .execute(
          "DROP TABLE IF EXISTS bare_ledger; "
          "CREATE TABLE bare_ledger (partition int PRIMARY KEY, until bigint NOT NULL)");
  bare::consume<Rows>(arguments, [&](int) {
    return Rows(arguments["--dsn"], arguments["--table"], bare::columns_of(arguments["--columns"]),
                arguments["--upsert"]);
  });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare-postgres: %s\n", error.what());
  return 1;
}
