// A program that commits by itself, with semel's consumer: the rows and the COPY of the bare loop,
// in a transaction that moves the ledger as well. For comparison with `semel run`.
//
// usage: own-transaction --brokers B --topic T --dsn DSN --table T [--threads N] [--columns …]
// With N > 1 as many ranges are in hand, each stored by a thread with a connection of its own.
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <semel/consumer.hpp>
#include <semel/postgres.hpp>

#include "../bare/consume.hpp"
#include "../bare/copy_rows.hpp"
#include "../bare/database.hpp"

namespace {

class Store {
 public:
  explicit Store(const bare::Arguments& arguments)
      : database_(arguments["--dsn"]),
        copy_(arguments["--table"], bare::columns_of(arguments["--columns"])) {}

  void commit(semel::Range range) {
    database_.execute("BEGIN");
    database_.execute(semel::postgres::begin_sql(range), PGRES_TUPLES_OK);
    database_.execute(copy_.statement, PGRES_COPY_IN);
    copy_.begin();
    while (const auto records = range.next()) {
      for (const auto& record : *records) {
        copy_.encode(record.value->data(), record.value->size());
        if (copy_.out.size() >= bare::piece) send();
      }
    }
    copy_.end();
    send();
    database_.end_copy();
    database_.execute(semel::postgres::advance_sql(range));
    database_.execute("COMMIT");
    range.committed();
  }

 private:
  void send() {
    database_.copy(copy_.out);
    copy_.out.clear();
  }

  bare::Database database_;
  bare::CopyRows copy_;
};

/// Threads that store the ranges that are given to them.
class Workers {
 public:
  Workers(int count, const bare::Arguments& arguments) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this, &arguments] { work(arguments); });
  }
  void give(semel::Range range) {
    {
      const std::lock_guard lock(mutex_);
      ranges_.push_back(std::move(range));
    }
    changed_.notify_one();
  }
  void finish() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

 private:
  void work(const bare::Arguments& arguments) try {
    Store store(arguments);
    while (auto range = take()) store.commit(*std::move(range));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "own-transaction: %s\n", error.what());
    std::_Exit(1);
  }
  std::optional<semel::Range> take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_ || !ranges_.empty(); });
    if (ranges_.empty()) return std::nullopt;
    auto range = std::move(ranges_.front());
    ranges_.pop_front();
    return range;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<semel::Range> ranges_;
  bool done_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

int main(int argc, char** argv) try {
  bare::Arguments arguments{{{"--threads", "1"}, {"--columns", bare::usual_columns}}};
  arguments.read(argc, argv);
  semel::ConsumerOptions options;
  options.pipeline = "own";
  options.brokers = arguments["--brokers"];
  options.topics = {arguments["--topic"]};
  options.once = true;
  options.ranges_in_hand = arguments.number("--threads");
  options.memory_bytes = 400ll << 20;  // what semel run has for this, of its 512 MiB
  semel::DirectConsumer consumer(options, semel::postgres::ledger(arguments["--dsn"]));
  std::optional<Store> store;
  std::optional<Workers> workers;
  if (options.ranges_in_hand > 1) {
    workers.emplace(options.ranges_in_hand, arguments);
  } else {
    store.emplace(arguments);
  }
  while (!consumer.done()) {
    auto range = consumer.next(std::chrono::seconds(1));
    if (!range) continue;
    workers ? workers->give(*std::move(range)) : store->commit(*std::move(range));
  }
  if (workers) workers->finish();
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "own-transaction: %s\n", error.what());
  return 1;
}
