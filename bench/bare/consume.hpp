// What the loops that semel is measured against have in common: they read a topic up to the end
// that its log has at the start, and hand each record on. No fencing, no recovery, no checks. Links
// nothing of semel.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace bare {

/// Of the command line, in pairs: --name value. Those of `values` may be left out.
struct Arguments {
  std::map<std::string, std::string> values;

  void read(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) values[argv[i]] = argv[i + 1];
  }
  const std::string& operator[](const std::string& name) const {
    const auto found = values.find(name);
    if (found == values.end()) throw std::runtime_error(name + " is needed");
    return found->second;
  }
  int number(const std::string& name) const { return std::stoi((*this)[name]); }
};

inline void set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
  char reason[512];
  if (rd_kafka_conf_set(conf, name, value.c_str(), reason, sizeof reason) != RD_KAFKA_CONF_OK) {
    throw std::runtime_error(reason);
  }
}

/// One thread's share: the partitions `first`, `first` + `step`, …
/// `Rows` has add(message), begins(partition) before the first record of it, and commit().
template <class Rows>
class Consumer {
 public:
  Consumer(const Arguments& arguments, Rows& rows, int first, int step) : rows_(rows) {
    auto* conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", arguments["--brokers"]);
    set(conf, "group.id", "bare");
    set(conf, "enable.auto.commit", "false");
    // Queues that are never full: a full one costs librdkafka before 2.2 a second's pause.
    set(conf, "queued.min.messages", arguments["--queue"]);
    set(conf, "queued.max.messages.kbytes", "1048576");
    set(conf, "fetch.message.max.bytes", "8388608");
    char reason[512];
    client_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (client_ == nullptr) throw std::runtime_error(reason);
    rd_kafka_poll_set_consumer(client_);

    auto* assigned = rd_kafka_topic_partition_list_new(1);
    const auto& topic = arguments["--topic"];
    for (int p = first; p < arguments.number("--partitions"); p += step) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      const auto code =
          rd_kafka_query_watermark_offsets(client_, topic.c_str(), p, &low, &high, 10'000);
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(code));
      if (low == high) continue;
      rd_kafka_topic_partition_list_add(assigned, topic.c_str(), p)->offset = low;
      ends_[p] = high;
      rows_.begins(p);
    }
    rd_kafka_assign(client_, assigned);
    rd_kafka_topic_partition_list_destroy(assigned);
  }
  ~Consumer() {
    rd_kafka_consumer_close(client_);
    rd_kafka_destroy(client_);
  }
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  void run() {
    auto* queue = rd_kafka_queue_get_consumer(client_);
    std::vector<rd_kafka_message_t*> messages(2'048);
    while (!ends_.empty()) {
      // Waits until the batch is full or the time is over: a short one, and no more where rows
      // wait.
      const auto got = rd_kafka_consume_batch_queue(queue, 5, messages.data(), messages.size());
      for (ssize_t i = 0; i < got; ++i) {
        const auto& message = *messages[static_cast<std::size_t>(i)];
        if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
          throw std::runtime_error(rd_kafka_message_errstr(&message));
        }
        const auto end = ends_.find(message.partition);
        if (end != ends_.end()) {
          rows_.add(message);
          if (message.offset + 1 >= end->second) ends_.erase(end);
        }
        rd_kafka_message_destroy(messages[static_cast<std::size_t>(i)]);
      }
    }
    rows_.commit();
    rd_kafka_queue_destroy(queue);
  }

 private:
  Rows& rows_;
  rd_kafka_t* client_ = nullptr;
  std::map<int, std::int64_t> ends_;
};

/// A consumer in each of `--threads` threads, with rows of its own. `make_rows(thread)` is called
/// in that thread.
template <class Rows>
void consume(const Arguments& arguments, const std::function<Rows(int)>& make_rows) {
  const int count = arguments.number("--threads");
  std::vector<std::thread> threads;
  for (int first = 0; first < count; ++first) {
    threads.emplace_back([&arguments, &make_rows, first, count] {
      try {
        Rows rows = make_rows(first);
        Consumer<Rows>(arguments, rows, first, count).run();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::_Exit(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace bare
