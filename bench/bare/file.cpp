// The limit of files: consume -> a line of JSON as it came, an fsync per 100,000 rows, and nothing
// else. Does not look whether it is JSON, has no ledger, and shows files while they grow.
//
// usage: bare-file --brokers B --topic T --partitions N --directory D [--threads N] [--queue
//        MESSAGES]
// Each thread has a client of its own, reads every N-th partition and writes one file.
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "consume.hpp"

namespace {

constexpr std::size_t rows_per_sync = 100'000;
constexpr std::size_t piece = std::size_t{512} << 10;

class Rows {
 public:
  explicit Rows(const std::string& file)
      : file_(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    check(file_ >= 0);
  }
  Rows(Rows&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  ~Rows() {
    if (file_ >= 0) close(file_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  void begins(int) {}

  void add(const rd_kafka_message_t& message) {
    buffer_.append(static_cast<const char*>(message.payload), message.len);
    buffer_ += '\n';
    if (buffer_.size() >= piece) flush();
    if (++rows_ == rows_per_sync) commit();
  }

  void commit() {
    flush();
    check(fsync(file_) == 0);
    rows_ = 0;
  }

 private:
  void flush() {
    for (std::size_t at = 0; at < buffer_.size();) {
      const auto written = write(file_, buffer_.data() + at, buffer_.size() - at);
      check(written > 0);
      at += static_cast<std::size_t>(written);
    }
    buffer_.clear();
  }
  static void check(bool good) {
    if (!good) throw std::runtime_error("the file cannot be written");
  }

  int file_;
  std::string buffer_;
  std::size_t rows_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  bare::Arguments arguments{{{"--partitions", "1"}, {"--threads", "1"}, {"--queue", "1000000"}}};
  arguments.read(argc, argv);
  bare::consume<Rows>(arguments, [&](int thread) {
    return Rows(arguments["--directory"] + "/" + std::to_string(thread) + ".jsonl");
  });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare-file: %s\n", error.what());
  return 1;
}
