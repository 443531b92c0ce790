// A consumer in an event loop of your own: one thread waits by poll() for records and for commands
// on standard input at once, and is blocked by neither.
//
//   CREATE TABLE payments (customer text, amount bigint, p int, o bigint);
//
//   event_loop BROKERS TOPIC DSN
//
// Commands: "lag", "quit".
#include <poll.h>
#include <unistd.h>
#include <array>
#include <chrono>
#include <csignal>
#include <iostream>
#include <pqxx/pqxx>
#include <string>
#include <utility>

#include <semel/consumer.hpp>
#include <semel/postgres.hpp>

namespace {

void store(pqxx::work& tx, semel::Range& range) {
  const auto text = [&](const std::optional<std::string_view>& bytes) {
    return bytes ? tx.quote(std::string(*bytes)) : "NULL";
  };
  const auto partition = std::to_string(range.offsets().tp.partition);
  while (const auto records = range.next()) {
    std::string rows;
    for (const auto& record : *records) {
      rows += (rows.empty() ? "(" : ", (") + text(record.key) + ", " + text(record.value) + ", " +
              partition + ", " + std::to_string(record.offset) + ")";
    }
    tx.exec("INSERT INTO payments VALUES " + rows);
  }
}

/// What was typed; false: that was all.
bool obey_commands(semel::DirectConsumer& consumer) {
  std::array<char, 256> typed{};
  const auto size = read(STDIN_FILENO, typed.data(), typed.size());
  const std::string text(typed.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (text.find("lag") != std::string::npos) std::cout << consumer.lag() << std::endl;
  if (size <= 0 || text.find("quit") != std::string::npos) {
    consumer.request_stop();
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: event_loop BROKERS TOPIC DSN\n";
    return 2;
  }
  semel::ConsumerOptions options;
  options.pipeline = "payments-loop";  // names the position: keep it
  options.brokers = argv[1];
  options.topics = {argv[2]};
  try {
    semel::DirectConsumer consumer(options, semel::postgres::ledger(argv[3]));
    consumer.start();
    pqxx::connection connection(argv[3]);
    std::array<pollfd, 2> waiting{pollfd{.fd = consumer.poll_fd(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0}};
    while (!consumer.done()) {
      poll(waiting.data(), waiting.size(), -1);
      if (waiting[1].revents != 0 && !obey_commands(consumer)) waiting[1].fd = -1;
      // Readable is only a hint: what is to be done, next() knows.
      if (auto range = consumer.next(std::chrono::milliseconds(0))) {
        semel::postgres::transact<pqxx::work>(connection, *std::move(range), store);
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
