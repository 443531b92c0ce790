// Your own transaction with libpqxx 6 or 7: each record of a topic becomes a row of one table and
// is added to a sum in another, and the position in the topic moves in the same transaction. Killed
// at any moment and started again, it counts no record twice and forgets none.
//
//   CREATE TABLE payments (customer text, amount bigint, p int, o bigint);
//   CREATE TABLE balances (customer text PRIMARY KEY, amount bigint NOT NULL);
//
//   own_transaction_pqxx BROKERS TOPIC DSN [once]
//
// A record's key is the customer, its value the amount; what has no such value is a dead letter.
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <string_view>
#include <utility>

#include <semel/consumer.hpp>
#include <semel/postgres.hpp>

namespace {

semel::DirectConsumer* to_stop = nullptr;

std::optional<std::int64_t> amount_of(const semel::Record& record) {
  if (!record.value) return std::nullopt;
  const auto text = *record.value;
  std::int64_t amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return amount;
}

/// Everything that one range brings, inside the transaction.
void store(pqxx::work& tx, semel::Range& range) {
  std::map<std::string, std::int64_t, std::less<>> sums;
  std::string rows;
  const auto& offsets = range.offsets();
  while (const auto records = range.next()) {
    for (const auto& record : *records) {
      const auto amount = amount_of(record);
      if (!amount) {
        range.bad(record, "the value is no whole number");
        continue;
      }
      const std::string customer(record.key.value_or(""));
      sums[customer] += *amount;
      rows += rows.empty() ? "INSERT INTO payments VALUES (" : ", (";
      rows += tx.quote(customer) + ", " + std::to_string(*amount) + ", " +
              std::to_string(offsets.tp.partition) + ", " + std::to_string(record.offset) + ")";
    }
  }
  if (rows.empty()) return;
  tx.exec(rows);
  std::string changes;
  for (const auto& [customer, sum] : sums) {
    changes += (changes.empty() ? "INSERT INTO balances VALUES (" : ", (") + tx.quote(customer) +
               ", " + std::to_string(sum) + ")";
  }
  tx.exec(changes +
          " ON CONFLICT (customer) DO UPDATE SET amount = balances.amount + EXCLUDED.amount");
}

int run(semel::DirectConsumer& consumer, const std::string& dsn) {
  std::unique_ptr<pqxx::connection> connection;
  while (!consumer.done()) {
    // What this throws, only people can mend: it goes to main().
    auto range = consumer.next(std::chrono::milliseconds(500));
    if (!range) continue;
    try {
      if (!connection) connection = std::make_unique<pqxx::connection>(dsn);
      semel::postgres::transact<pqxx::work>(*connection, *std::move(range), store);
    } catch (const std::exception& error) {
      // Nothing of the range is stored: it comes again. The connection may be broken.
      std::cerr << error.what() << '\n';
      connection.reset();
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: own_transaction_pqxx BROKERS TOPIC DSN [once]\n";
    return 2;
  }
  semel::ConsumerOptions options;
  options.pipeline = "payments";  // names the position: keep it
  options.brokers = argv[1];
  options.topics = {argv[2]};
  options.once = argc > 4 && std::string_view(argv[4]) == "once";
  try {
    semel::DirectConsumer consumer(options, semel::postgres::ledger(argv[3]));
    to_stop = &consumer;
    std::signal(SIGTERM, [](int) { to_stop->request_stop(); });
    std::signal(SIGINT, [](int) { to_stop->request_stop(); });
    const int code = run(consumer, argv[3]);
    std::signal(SIGTERM, SIG_IGN);
    std::signal(SIGINT, SIG_IGN);
    return code;
  } catch (const semel::Failed& failed) {
    std::cerr << failed.what() << '\n';
    // As semel does: another copy has taken over, so do not start this one again.
    return failed.error().cause == semel::Cause::fenced ? 5 : 1;
  }
}
