// The limit of files: consume -> a line of JSON as it came, an fsync per 100,000 rows, and nothing
// else. Has no ledger, and shows files while they grow.
//
// usage: bare-file --brokers B --topic T --partitions N --directory D [--threads N] [--queue
//        MESSAGES] [--check yes]
// --check: simdjson parses each value, so that no line breaks the file for whoever reads it;
// without it, lines are whatever came. Each thread has a client of its own, reads every N-th
// partition and writes one file.
#include <fcntl.h>
#include <simdjson.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "consume.hpp"

namespace {

constexpr std::size_t rows_per_sync = 100'000;
constexpr std::size_t piece = std::size_t{512} << 10;

class Rows {
 public:
  Rows(const std::string& file, bool checks)
      : checks_(checks), file_(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    check(file_ >= 0);
  }
  Rows(Rows&& other) noexcept : checks_(other.checks_), file_(std::exchange(other.file_, -1)) {}
  ~Rows() {
    if (file_ >= 0) close(file_);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  void begins(int) {}

  void add(const rd_kafka_message_t& message) {
    const auto at = buffer_.size();
    buffer_.append(static_cast<const char*>(message.payload), message.len);
    if (checks_) {
      // simdjson reads up to 64 bytes beyond the end.
      buffer_.reserve(buffer_.size() + simdjson::SIMDJSON_PADDING);
      check(parser_.parse(buffer_.data() + at, message.len, false).error() == simdjson::SUCCESS);
    }
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
    if (!good) throw std::runtime_error("no JSON, or the file cannot be written");
  }

  bool checks_;
  int file_;
  simdjson::dom::parser parser_;
  std::string buffer_;
  std::size_t rows_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  bare::Arguments arguments{
      {{"--partitions", "1"}, {"--threads", "1"}, {"--queue", "1000000"}, {"--check", "no"}}};
  arguments.read(argc, argv);
  bare::consume<Rows>(arguments, [&](int thread) {
    return Rows(arguments["--directory"] + "/" + std::to_string(thread) + ".jsonl",
                arguments["--check"] == "yes");
  });
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bare-file: %s\n", error.what());
  return 1;
}
