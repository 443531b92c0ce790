// The limit of lines on standard output: consume -> a line with topic, partition, offset, timestamp
// and the value as it came, and nothing else. Does not look whether it is JSON.
//
// usage: bare-console --brokers B --topic T --partitions N [--threads N] [--queue MESSAGES]
// Each thread has a client of its own and reads every N-th partition.
#include <fmt/format.h>
#include <unistd.h>

#include <iterator>
#include <mutex>
#include <string>
#include <string_view>

#include "consume.hpp"

namespace {

constexpr std::size_t piece = std::size_t{64} << 10;

class Rows {
 public:
  explicit Rows(std::string topic) : topic_(std::move(topic)) {}

  void begins(int) {}

  void add(const rd_kafka_message_t& message) {
    rd_kafka_timestamp_type_t type;
    fmt::format_to(std::back_inserter(buffer_),
                   R"({{"topic":"{}","partition":{},"offset":{},"timestamp":{},"value":{}}})",
                   topic_, message.partition, message.offset,
                   rd_kafka_message_timestamp(&message, &type),
                   std::string_view(static_cast<const char*>(message.payload), message.len));
    buffer_ += '\n';
    if (buffer_.size() >= piece) commit();
  }

  void commit() {
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    for (std::size_t at = 0; at < buffer_.size();) {
      const auto written = write(STDOUT_FILENO, buffer_.data() + at, buffer_.size() - at);
      if (written <= 0) throw std::runtime_error("standard output cannot be written");
      at += static_cast<std::size_t>(written);
    }
    buffer_.clear();
  }

 private:
  std::string topic_;
  std::string buffer_;
};

}  // namespace

int main(int argc, char** argv) try {
  bare::Arguments arguments{{{"--partitions", "1"}, {"--threads", "1"}, {"--queue", "1000000"}}};
  arguments.read(argc, argv);
  bare::consume<Rows>(arguments, [&](int) { return Rows(arguments["--topic"]); });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare-console: %s\n", error.what());
  return 1;
}
