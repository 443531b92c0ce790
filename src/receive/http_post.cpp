// Records posted over HTTP.
#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <utility>

#include <semel/failed.hpp>
#include <semel/stream/receiver.hpp>

#include "base/wall_clock.hpp"
#include "http/server.hpp"
#include "receive/lines.hpp"

namespace semel::stream {

namespace {

constexpr std::size_t posted_bytes_max = 8 << 20;
constexpr auto posted_patience = std::chrono::seconds(60);
constexpr std::size_t posting_at_once = 32;
// Of one post, as records in memory: many short lines take much more than their bytes.
constexpr std::size_t record_bytes_max = 64 << 20;
// What has been taken is answered, before those who wait are cut off.
constexpr auto grace = std::chrono::seconds(2);

class HttpPost final : public Receiver {
 public:
  explicit HttpPost(std::string address) : address_(std::move(address)) {}

  Result<void> run(Inbox& inbox) override {
    auto address = http::parse_address(address_);
    if (!address) return tl::unexpected(address.error());
    const auto server = http::Server::start({.listen = *std::move(address),
                                             .names = {},
                                             .patience = posted_patience,
                                             .body_bytes_max = posted_bytes_max,
                                             .workers = posting_at_once,
                                             .makes_room = false},
                                            {}, {{"/", [this, &inbox](const http::Posted& posted) {
                                                    const Answering answering(*this);
                                                    return take(posted, inbox);
                                                  }}});
    if (!server) return tl::unexpected(server.error());
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_; });
    changed_.wait_for(lock, grace, [this] { return answering_ == 0; });
    return {};
  }

  void stop() noexcept override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
  }

 private:
  /// While a client is being answered.
  class Answering {
   public:
    explicit Answering(HttpPost& self) : self_(self) {
      const std::lock_guard lock(self_.mutex_);
      ++self_.answering_;
    }
    ~Answering() {
      {
        const std::lock_guard lock(self_.mutex_);
        --self_.answering_;
      }
      self_.changed_.notify_all();
    }
    Answering(const Answering&) = delete;
    Answering& operator=(const Answering&) = delete;

   private:
    HttpPost& self_;
  };

  static http::Page take(const http::Posted& posted, Inbox& inbox) {
    const auto refuse = [](int status, const std::string& why) {
      return http::Page{.status = status, .text = why + "\n"};
    };
    const auto sender = posted.header("Semel-Sender");
    const auto number = posted.header("Semel-Sequence");
    const auto key = posted.header("Semel-Key");
    auto sequence = read_sequence(number);
    if (sender.empty() != number.empty() || (!number.empty() && !sequence)) {
      return refuse(
          400, "Semel-Sender and Semel-Sequence (a number from 1 on) come together, or neither");
    }
    if (sender.size() > sender_bytes_max) return refuse(400, "Semel-Sender has 255 bytes at most");
    const auto lines = static_cast<std::size_t>(std::ranges::count(posted.body, '\n')) + 1;
    if (lines * (sizeof(Received) + key.size() + sender.size()) + posted.body.size() >
        record_bytes_max) {
      return refuse(413, "Too many lines: post them in several parts");
    }
    if (posted.body.empty()) return refuse(400, "There is no line");
    std::vector<Received> records;
    for_each_line(posted.body, [&](std::string_view line) {
      Received record{
          .value = std::string(line), .timestamp_ms = wall_clock_ms(), .sender = sender};
      if (!key.empty()) record.key = key;
      if (sequence) record.sequence = (*sequence)++;
      records.push_back(std::move(record));
    });
    const auto count = records.size();
    if (const auto stored = inbox.store(std::move(records)); !stored) {
      if (stored.error().kind == ErrorKind::bad_data) return refuse(413, stored.error().message);
      return refuse(503, "Not kept: send it again");
    }
    return {.status = 200, .text = fmt::format("{}\n", count)};
  }

  std::string address_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  int answering_ = 0;
};

}  // namespace

std::unique_ptr<Receiver> http_post(std::string address) {
  if (const auto read = http::parse_address(address); !read) throw Failed(read.error());
  return std::make_unique<HttpPost>(std::move(address));
}

}  // namespace semel::stream
