// Lines over TCP: one thread, many senders.
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/failed.hpp>
#include <semel/stream/receiver.hpp>

#include "base/wall_clock.hpp"
#include "http/address.hpp"
#include "http/listen.hpp"
#include "receive/lines.hpp"

namespace semel::stream {

namespace {

constexpr std::size_t line_bytes_max = 1 << 20;
constexpr std::size_t senders_max = 1'000;
// Who does not take its answers sends nothing more meanwhile.
constexpr std::size_t answer_bytes_max = 64 << 10;
// A sender that is gone without a word is noticed after so many seconds.
constexpr int silent_s = 60;
constexpr std::string_view greeting = "sender ";
// So long a receiver that stops waits for senders to take their last answers.
constexpr auto tcp_grace = std::chrono::seconds(2);

/// One sender. Answers come from the log's thread.
struct Sender {
  http::Descriptor socket;
  std::string in;              ///< received, no whole line yet
  bool greeted = false;        ///< its first line was read
  std::string name;            ///< by which it numbers its lines; empty: it does not
  bool over = false;           ///< it sends nothing more
  bool broken = false;         ///< nobody is there, or it makes no sense
  std::uint64_t failures = 0;  ///< of the inbox, when it came
  std::mutex mutex;
  std::string out;        ///< guarded by mutex
  std::size_t taken = 0;  ///< lines without an answer; guarded by mutex
  std::string refusal;    ///< goes out behind the last answer; guarded by mutex
  bool lost = false;      ///< what it sent could not be kept; guarded by mutex
};

class TcpLines final : public Receiver {
 public:
  explicit TcpLines(std::string address)
      : address_(std::move(address)),
        wake_(std::make_shared<http::Descriptor>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))),
        stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  Result<void> run(Inbox& inbox) override {
    if (wake_->number() < 0 || stop_.number() < 0) {
      return fail(ErrorKind::unavailable, Cause::program, "too many open files");
    }
    auto address = http::parse_address(address_);
    if (!address) return tl::unexpected(address.error());
    auto listening = http::listen_on(*address);
    if (!listening) return tl::unexpected(listening.error());
    std::vector<std::shared_ptr<Sender>> senders;
    bool takes = true;
    while (takes) {
      if (wait(senders, listening->number(), -1)) break;
      accept_all(senders, listening->number(), inbox);
      for (const auto& sender : senders) takes = takes && receive(sender, inbox);
      answer_all(senders);
    }
    // Those who were promised an answer get it.
    const auto end = std::chrono::steady_clock::now() + tcp_grace;
    for (const auto& sender : senders) sender->over = true;
    while (!senders.empty() && std::chrono::steady_clock::now() < end) {
      answer_all(senders);
      ::poll(nullptr, 0, 5);
    }
    return {};
  }

  void stop() noexcept override { ::eventfd_write(stop_.number(), 1); }

 private:
  /// Until something is to be done; true: the end.
  bool wait(const std::vector<std::shared_ptr<Sender>>& senders, int listening, int wait_ms) const {
    std::vector<pollfd> waited{{.fd = stop_.number(), .events = POLLIN, .revents = 0},
                               {.fd = wake_->number(), .events = POLLIN, .revents = 0},
                               {.fd = listening, .events = POLLIN, .revents = 0}};
    if (senders.size() >= senders_max) waited.back().fd = -1;
    for (const auto& sender : senders) {
      const std::lock_guard lock(sender->mutex);
      const bool reads = !sender->over && sender->out.size() < answer_bytes_max;
      const auto events = (reads ? POLLIN : 0) | (sender->out.empty() ? 0 : POLLOUT);
      waited.push_back(
          {.fd = sender->socket.number(), .events = static_cast<short>(events), .revents = 0});
    }
    ::poll(waited.data(), waited.size(), wait_ms);
    eventfd_t count = 0;
    if (waited[1].revents != 0) ::eventfd_read(wake_->number(), &count);
    return waited[0].revents != 0;
  }

  static void accept_all(std::vector<std::shared_ptr<Sender>>& senders, int listening,
                         Inbox& inbox) {
    while (senders.size() < senders_max) {
      http::Descriptor socket(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket.number() < 0) {
        // Too many open files, perhaps: the sender still waits, and would be reported at once.
        if (errno != EAGAIN) ::poll(nullptr, 0, 10);
        return;
      }
      const int yes = 1;
      const unsigned patience_ms = silent_s * 1'000;
      ::setsockopt(socket.number(), SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
      ::setsockopt(socket.number(), IPPROTO_TCP, TCP_KEEPIDLE, &silent_s, sizeof silent_s);
      ::setsockopt(socket.number(), IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms,
                   sizeof patience_ms);
      auto sender = std::make_shared<Sender>();
      sender->socket = std::move(socket);
      sender->failures = inbox.failures();
      senders.push_back(std::move(sender));
    }
  }

  /// What has come of it. False: the log takes nothing more.
  bool receive(const std::shared_ptr<Sender>& sender, Inbox& inbox) const {
    if (sender->over || sender->broken) return true;
    {
      const std::lock_guard lock(sender->mutex);
      if (sender->out.size() >= answer_bytes_max) return true;
    }
    std::array<char, 64 << 10> bytes;
    const auto got = ::recv(sender->socket.number(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0) {
      sender->broken = errno != EAGAIN && errno != EINTR;
      return true;
    }
    const auto seen = sender->in.size();
    sender->in.append(bytes.data(), static_cast<std::size_t>(got));
    // What is not ended by "\n" when the sender ends was not sent whole: it is no line.
    sender->over = got == 0;
    std::vector<Received> records;
    std::size_t begin = 0;
    for (auto end = sender->in.find('\n', seen); end != std::string::npos && !sender->over;
         end = sender->in.find('\n', begin)) {
      take(*sender, without_return(std::string_view(sender->in).substr(begin, end - begin)),
           records);
      begin = end + 1;
    }
    sender->in.erase(0, begin);
    if (sender->in.size() > line_bytes_max) {
      refuse(*sender, fmt::format("a line has more than {} bytes", line_bytes_max));
    }
    return records.empty() || hand_over(sender, std::move(records), inbox);
  }

  static void refuse(Sender& sender, const std::string& why) {
    sender.over = true;
    const std::lock_guard lock(sender.mutex);
    sender.refusal = fmt::format("error: {}\n", why);
  }

  static void take(Sender& sender, std::string_view line, std::vector<Received>& records) {
    if (!std::exchange(sender.greeted, true) && line.starts_with(greeting)) {
      sender.name = line.substr(greeting.size());
      if (sender.name.empty() || sender.name.size() > sender_bytes_max) {
        refuse(sender, "a sender's name has 1 to 255 bytes");
      }
      return;
    }
    Received record{.timestamp_ms = wall_clock_ms(), .sender = sender.name};
    if (!sender.name.empty()) {
      const auto space = line.find(' ');
      const auto number = read_sequence(line.substr(0, space));
      if (!number || space == line.npos) {
        refuse(sender, "a line of a sender with a name begins with a number from 1 on and a space");
        return;
      }
      record.sequence = *number;
      line.remove_prefix(space + 1);
    }
    record.value = line;
    records.push_back(std::move(record));
  }

  bool hand_over(const std::shared_ptr<Sender>& sender, std::vector<Received> records,
                 Inbox& inbox) const {
    const auto count = records.size();
    {
      const std::lock_guard lock(sender->mutex);
      sender->taken += count;
    }
    const bool taken =
        inbox.store_behind(sender->failures, std::move(records),
                           [sender, count, wake = wake_](const Result<void>& kept) {
                             {
                               const std::lock_guard lock(sender->mutex);
                               sender->taken -= count;
                               if (!kept) sender->lost = true;
                               // Behind what was not kept, nothing is acknowledged: the sender
                               // would not know what.
                               for (std::size_t i = 0; i < count && !sender->lost; ++i)
                                 sender->out += "ok\n";
                             }
                             ::eventfd_write(wake->number(), 1);
                           });
    if (!taken) {
      const std::lock_guard lock(sender->mutex);
      sender->taken -= count;
    }
    return taken;
  }

  /// Sends what can be sent; who is done, or broken, goes.
  static void answer_all(std::vector<std::shared_ptr<Sender>>& senders) {
    std::erase_if(senders, [](const auto& sender) {
      const std::lock_guard lock(sender->mutex);
      if (sender->taken == 0) sender->out += std::exchange(sender->refusal, {});
      while (!sender->out.empty()) {
        const auto sent = ::send(sender->socket.number(), sender->out.data(), sender->out.size(),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0) {
          if (errno == EAGAIN || errno == EINTR) return sender->broken || sender->lost;
          return true;
        }
        sender->out.erase(0, static_cast<std::size_t>(sent));
      }
      return sender->broken || sender->lost || (sender->over && sender->taken == 0);
    });
  }

  std::string address_;
  std::shared_ptr<http::Descriptor> wake_;  ///< the log may answer when this is gone
  http::Descriptor stop_;
};

}  // namespace

std::unique_ptr<Receiver> tcp_lines(std::string address) {
  if (const auto read = http::parse_address(address); !read) throw Failed(read.error());
  return std::make_unique<TcpLines>(std::move(address));
}

}  // namespace semel::stream
