// Your own transaction with plain libpq: records go by COPY into a table of yours, and the position
// in the topic moves in the same transaction.
//
//   CREATE TABLE payments (customer text, amount bigint, p int, o bigint);
//
//   own_transaction_libpq BROKERS TOPIC DSN [once]
//
// A record's key is the customer, its value the amount; what has no such value is a dead letter.
#include <libpq-fe.h>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <semel/consumer.hpp>
#include <semel/postgres.hpp>

namespace {

semel::DirectConsumer* to_stop = nullptr;

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

/// One message of one statement or more; what the server refuses is thrown.
void run(PGconn* connection, const std::string& sql, ExecStatusType wanted = PGRES_COMMAND_OK) {
  const Answer answer(PQexec(connection, sql.c_str()), PQclear);
  const auto status = PQresultStatus(answer.get());
  if (status == wanted || status == PGRES_TUPLES_OK) return;
  throw std::runtime_error(PQerrorMessage(connection));
}

/// As COPY's text format wants it; absent: NULL.
void append(std::string& line, std::optional<std::string_view> text) {
  if (!text) {
    line += "\\N";
    return;
  }
  for (const char c : *text) {
    if (c == '\\' || c == '\t' || c == '\n' || c == '\r') {
      line += '\\';
      line += c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : '\\';
    } else {
      line += c;
    }
  }
}

bool is_number(std::optional<std::string_view> text) {
  if (!text) return false;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  return error == std::errc() && end == text->data() + text->size();
}

void copy(PGconn* connection, semel::Range& range) {
  run(connection, "COPY payments FROM STDIN", PGRES_COPY_IN);
  const auto partition = std::to_string(range.offsets().tp.partition);
  std::string lines;
  while (const auto records = range.next()) {
    lines.clear();
    for (const auto& record : *records) {
      if (!is_number(record.value)) {
        range.bad(record, "the value is no whole number");
        continue;
      }
      append(lines, record.key);
      lines += '\t';
      append(lines, record.value);
      lines += '\t' + partition + '\t' + std::to_string(record.offset) + '\n';
    }
    if (PQputCopyData(connection, lines.data(), static_cast<int>(lines.size())) != 1) {
      throw std::runtime_error(PQerrorMessage(connection));
    }
  }
  if (PQputCopyEnd(connection, nullptr) != 1) throw std::runtime_error(PQerrorMessage(connection));
  while (const auto answer = Answer(PQgetResult(connection), PQclear)) {
    if (PQresultStatus(answer.get()) == PGRES_COMMAND_OK) continue;
    throw std::runtime_error(PQerrorMessage(connection));
  }
}

/// By hand what semel::postgres::transact() does for a class of transactions.
void transact(PGconn* connection, semel::Range range) {
  bool committing = false;
  try {
    run(connection, "BEGIN");
    run(connection, semel::postgres::begin_sql(range));
    copy(connection, range);
    run(connection, semel::postgres::advance_sql(range));
    committing = true;
    // After a failure in between, COMMIT is answered by ROLLBACK and no error: not so here, since
    // each answer was looked at.
    run(connection, "COMMIT");
  } catch (const std::exception&) {
    // Says why in the log, too.
    if (!committing) range.failed();
    // The answer was lost, perhaps after the commit: only the ledger knows.
    if (!committing || !range.settle()) throw;
    return;
  }
  range.committed();
}

void consume(semel::DirectConsumer& consumer, const char* dsn) {
  Connection connection(nullptr, PQfinish);
  while (!consumer.done()) {
    auto range = consumer.next(std::chrono::milliseconds(500));
    if (!range) continue;
    try {
      if (!connection) connection.reset(PQconnectdb(dsn));
      transact(connection.get(), *std::move(range));
    } catch (const std::exception& error) {
      // Nothing of the range is stored: it comes again. A connection in the middle of something is
      // of no use any more.
      std::cerr << error.what() << '\n';
      connection.reset();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: own_transaction_libpq BROKERS TOPIC DSN [once]\n";
    return 2;
  }
  semel::ConsumerOptions options;
  options.pipeline = "payments-copy";  // names the position: keep it
  options.brokers = argv[1];
  options.topics = {argv[2]};
  options.once = argc > 4 && std::string_view(argv[4]) == "once";
  try {
    semel::DirectConsumer consumer(options, semel::postgres::ledger(argv[3]));
    to_stop = &consumer;
    std::signal(SIGTERM, [](int) { to_stop->request_stop(); });
    consume(consumer, argv[3]);
    std::signal(SIGTERM, SIG_IGN);
    return 0;
  } catch (const semel::Failed& failed) {
    std::cerr << failed.what() << '\n';
    // As semel does: another copy has taken over, so do not start this one again.
    return failed.error().cause == semel::Cause::fenced ? 5 : 1;
  }
}
