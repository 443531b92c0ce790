// The limit: consume -> simdjson -> binary COPY, one transaction per 100,000 rows with an update of
// a ledger row, and nothing else. No fencing, no recovery, no dead letters, no checks: what is left
// when everything that semel is for is taken away. Links nothing of semel.
//
// usage: bare-postgres --brokers B --topic T --partitions N --dsn DSN --table T
//                  [--threads N] [--columns id:int8,note:text,...] [--queue MESSAGES]
// Each thread has a client and a connection of its own and reads every N-th partition, up to the
// end that the log had at the start. Columns are in the order in which the records have their
// members; types are int8, float8, text, bool and timestamptz (ISO 8601 in UTC with milliseconds).
#include <libpq-fe.h>
#include <simdjson.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "consume.hpp"

namespace {

constexpr std::size_t rows_per_transaction = 100'000;
constexpr std::size_t piece = 64 * 1024;
constexpr std::int64_t postgres_epoch_us = 946'684'800'000'000;  // 2000-01-01 in microseconds

enum class Type { int8, float8, text, boolean, timestamptz };

struct Column {
  std::string name;
  Type type;
};

std::vector<Column> columns_of(const std::string& text) {
  static const std::map<std::string, Type> types{{"int8", Type::int8},
                                                 {"float8", Type::float8},
                                                 {"text", Type::text},
                                                 {"bool", Type::boolean},
                                                 {"timestamptz", Type::timestamptz}};
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

template <class Integer>
void put(std::string& out, Integer value) {
  if constexpr (sizeof value == 8) {
    value = static_cast<Integer>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
  } else if constexpr (sizeof value == 4) {
    value = static_cast<Integer>(__builtin_bswap32(static_cast<std::uint32_t>(value)));
  } else if constexpr (sizeof value == 2) {
    value = static_cast<Integer>(__builtin_bswap16(static_cast<std::uint16_t>(value)));
  }
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::int32_t>(text.size()));
  out.append(text);
}

/// "2026-01-31T12:34:56.789Z" in microseconds since 2000.
std::int64_t timestamp_of(std::string_view text) {
  if (text.size() != 24) throw std::runtime_error("not a timestamp: " + std::string(text));
  const auto digits = [&](std::size_t at, int count) {
    std::int64_t value = 0;
    for (; count > 0; --count) value = value * 10 + (text[at++] - '0');
    return value;
  };
  // Days from civil: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
  std::int64_t year = digits(0, 4);
  const std::int64_t month = digits(5, 2);
  const std::int64_t day = digits(8, 2);
  year -= month <= 2;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const std::int64_t days = era * 146'097 + year_of_era * 365 + year_of_era / 4 -
                            year_of_era / 100 + day_of_year - 719'468;
  const std::int64_t seconds =
      days * 86'400 + digits(11, 2) * 3'600 + digits(14, 2) * 60 + digits(17, 2);
  return seconds * 1'000'000 + digits(20, 3) * 1'000 - postgres_epoch_us;
}

class Database {
 public:
  explicit Database(const std::string& dsn) : connection_(PQconnectdb(dsn.c_str())) {
    check(PQstatus(connection_) == CONNECTION_OK);
  }
  ~Database() { PQfinish(connection_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const std::string& sql, ExecStatusType expected = PGRES_COMMAND_OK) {
    PGresult* result = PQexec(connection_, sql.c_str());
    const bool good = PQresultStatus(result) == expected;
    PQclear(result);
    check(good);
  }
  void copy(const std::string& bytes) {
    check(PQputCopyData(connection_, bytes.data(), static_cast<int>(bytes.size())) == 1);
  }
  void end_copy() {
    check(PQputCopyEnd(connection_, nullptr) == 1);
    while (PGresult* result = PQgetResult(connection_)) {
      const bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
      PQclear(result);
      check(good);
    }
  }

 private:
  void check(bool good) const {
    if (!good) throw std::runtime_error(PQerrorMessage(connection_));
  }
  PGconn* connection_;
};

class Rows {
 public:
  Rows(const std::string& dsn, const std::string& table, std::vector<Column> columns)
      : database_(dsn), table_(table), columns_(std::move(columns)) {
    for (const auto& column : columns_) names_ += (names_.empty() ? "" : ", ") + column.name;
  }

  void begins(int partition) {
    database_.execute("INSERT INTO bare_ledger VALUES (" + std::to_string(partition) + ", 0)");
  }

  void add(const rd_kafka_message_t& message) {
    if (rows_ == 0) begin();
    encode(static_cast<const char*>(message.payload), message.len);
    next_[message.partition] = message.offset + 1;
    if (out_.size() >= piece) {
      database_.copy(out_);
      out_.clear();
    }
    if (++rows_ == rows_per_transaction) commit();
  }

  void commit() {
    if (rows_ == 0) return;
    put(out_, std::int16_t{-1});
    database_.copy(out_);
    out_.clear();
    database_.end_copy();
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
    database_.execute("COPY " + table_ + " (" + names_ + ") FROM STDIN (FORMAT binary)",
                      PGRES_COPY_IN);
    out_.append("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  }

  void encode(const char* payload, std::size_t size) {
    // simdjson reads up to 64 bytes beyond the end.
    if (padded_.size() < size + simdjson::SIMDJSON_PADDING) {
      padded_.resize(2 * size + simdjson::SIMDJSON_PADDING);
    }
    std::memcpy(padded_.data(), payload, size);
    auto document = parser_.iterate(padded_.data(), size, padded_.size());
    auto object = document.get_object();
    put(out_, static_cast<std::int16_t>(columns_.size()));
    for (const auto& column : columns_) {
      auto value = object.find_field(column.name);
      switch (column.type) {
        case Type::int8:
          put(out_, std::int32_t{8});
          put(out_, value.get_int64().value());
          break;
        case Type::float8:
          put(out_, std::int32_t{8});
          put(out_, std::bit_cast<std::int64_t>(value.get_double().value()));
          break;
        case Type::text:
          put_text(out_, value.get_string().value());
          break;
        case Type::boolean:
          put(out_, std::int32_t{1});
          put(out_, static_cast<std::int8_t>(value.get_bool().value()));
          break;
        case Type::timestamptz:
          put(out_, std::int32_t{8});
          put(out_, timestamp_of(value.get_string().value()));
          break;
      }
    }
  }

  Database database_;
  std::string table_;
  std::vector<Column> columns_;
  std::string names_;
  simdjson::ondemand::parser parser_;
  std::vector<char> padded_;
  std::string out_;
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
        "id:int8,user_id:int8,kind:text,amount:float8,ts:timestamptz,note:text,ok:bool"}}};
  arguments.read(argc, argv);
  Database(arguments["--dsn"])
      .execute(
          "DROP TABLE IF EXISTS bare_ledger; "
          "CREATE TABLE bare_ledger (partition int PRIMARY KEY, until bigint NOT NULL)");
  bare::consume<Rows>(arguments, [&](int) {
    return Rows(arguments["--dsn"], arguments["--table"], columns_of(arguments["--columns"]));
  });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare-postgres: %s\n", error.what());
  return 1;
}
