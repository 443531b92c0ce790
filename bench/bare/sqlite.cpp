// The limit of SQLite: consume -> simdjson -> a prepared INSERT, one transaction per 100,000 rows
// with an update of a ledger row, durable as semel's are (write-ahead log, synchronous = FULL).
// Never reads its ledger back.
//
// usage: bare-sqlite --brokers B --topic T --partitions N --file DATABASE --table T
//        [--columns id:number,note:text,...] [--queue MESSAGES]
// One thread: SQLite has one writer. Columns are in the order in which the records have their
// members.
#include <simdjson.h>
#include <sqlite3.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "consume.hpp"

namespace {

constexpr std::size_t rows_per_transaction = 100'000;

enum class Type { integer, real, text, boolean };

struct Column {
  std::string name;
  Type type;
};

std::vector<Column> columns_of(const std::string& text) {
  static const std::map<std::string, Type> types{{"integer", Type::integer},
                                                 {"real", Type::real},
                                                 {"text", Type::text},
                                                 {"bool", Type::boolean}};
  std::vector<Column> columns;
  for (std::size_t at = 0; at < text.size();) {
    const auto colon = text.find(':', at);
    const auto comma = std::min(text.find(',', at), text.size());
    columns.push_back(
        {text.substr(at, colon - at), types.at(text.substr(colon + 1, comma - colon - 1))});
    at = comma + 1;
  }
  return columns;
}

class Rows {
 public:
  Rows(const std::string& file, const std::string& table, std::vector<Column> columns)
      : columns_(std::move(columns)) {
    check(sqlite3_open(file.c_str(), &database_));
    execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    execute("CREATE TABLE bare_ledger (partition INTEGER PRIMARY KEY, until INTEGER NOT NULL)");
    std::string names;
    std::string marks;
    for (const auto& column : columns_) {
      names += (names.empty() ? "" : ", ") + column.name;
      marks += marks.empty() ? "?" : ", ?";
    }
    const auto insert = "INSERT INTO " + table + " (" + names + ") VALUES (" + marks + ")";
    check(sqlite3_prepare_v2(database_, insert.c_str(), -1, &insert_, nullptr));
  }
  ~Rows() {
    sqlite3_finalize(insert_);
    sqlite3_close(database_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  void begins(int partition) {
    execute("INSERT INTO bare_ledger VALUES (" + std::to_string(partition) + ", 0)");
  }

  void add(const rd_kafka_message_t& message) {
    if (rows_ == 0) execute("BEGIN IMMEDIATE");
    bind(static_cast<const char*>(message.payload), message.len);
    if (sqlite3_step(insert_) != SQLITE_DONE) check(sqlite3_errcode(database_));
    sqlite3_reset(insert_);
    next_[message.partition] = message.offset + 1;
    if (++rows_ == rows_per_transaction) commit();
  }

  void commit() {
    if (rows_ == 0) return;
    for (const auto& [partition, next] : next_) {
      execute("UPDATE bare_ledger SET until = " + std::to_string(next) +
              " WHERE partition = " + std::to_string(partition));
    }
    execute("COMMIT");
    rows_ = 0;
  }

 private:
  void bind(const char* payload, std::size_t size) {
    // simdjson reads up to 64 bytes beyond the end.
    padded_.assign(payload, size);
    padded_.reserve(size + simdjson::SIMDJSON_PADDING);
    auto document = parser_.iterate(padded_.data(), size, padded_.capacity());
    auto object = document.get_object();
    int at = 0;
    for (const auto& column : columns_) {
      auto value = object.find_field(column.name);
      ++at;
      switch (column.type) {
        case Type::integer:
          sqlite3_bind_int64(insert_, at, value.get_int64().value());
          break;
        case Type::real:
          sqlite3_bind_double(insert_, at, value.get_double().value());
          break;
        case Type::boolean:
          sqlite3_bind_int64(insert_, at, value.get_bool().value() ? 1 : 0);
          break;
        case Type::text: {
          const std::string_view text = value.get_string().value();
          sqlite3_bind_text64(insert_, at, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
          break;
        }
      }
    }
  }

  void execute(const std::string& sql) {
    check(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr));
  }
  void check(int code) const {
    if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(database_));
  }

  std::vector<Column> columns_;
  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  simdjson::ondemand::parser parser_;
  std::string padded_;
  std::size_t rows_ = 0;
  std::map<int, std::int64_t> next_;
};

}  // namespace

int main(int argc, char** argv) try {
  bare::Arguments arguments{
      {{"--partitions", "1"},
       {"--threads", "1"},
       {"--queue", "1000000"},
       {"--columns",
        "id:integer,user_id:integer,kind:text,amount:real,ts:text,note:text,ok:bool"}}};
  arguments.read(argc, argv);
  Rows rows(arguments["--file"], arguments["--table"], columns_of(arguments["--columns"]));
  bare::Consumer<Rows>(arguments, rows, 0, 1).run();
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare-sqlite: %s\n", error.what());
  return 1;
}
