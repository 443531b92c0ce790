// A TCP proxy that loses what a test tells it to lose: replies, requests, or nothing.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>

namespace semel::test {

/// Forwards connections to 127.0.0.1:`target_port` until told otherwise. Thread safe.
class TcpProxy {
 public:
  explicit TcpProxy(int target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }

  enum class Loss {
    none,
    request,  ///< the next message with the text is not forwarded: its connection is cut instead
    reply,    ///< the message goes through, the COMMIT that answers it does not: cut there
    network,  ///< from the message on nothing goes through any more, and nobody is told
  };
  /// Once, for the next message of a client that holds `text`.
  void lose(Loss loss, const std::string& text);
  /// Has it happened?
  bool lost() const { return lost_; }

 private:
  struct Link;
  void run();
  /// False: the connection has to be cut.
  bool forward(Link& link, bool from_client);

  int target_port_;
  int port_ = 0;
  int listener_ = -1;
  std::atomic<bool> done_{false};
  std::atomic<bool> lost_{false};
  std::mutex mutex_;
  Loss loss_ = Loss::none;
  std::string text_;
  std::thread thread_;
};

}  // namespace semel::test
