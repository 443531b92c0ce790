// A TCP proxy that loses or holds what a test tells it to: replies, requests, or nothing.
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
    answer,   ///< the message goes through, the first bytes that answer it do not: cut there
    network,  ///< from the message on no packet arrives any more, and nobody is told
    hold,     ///< the message and all that follows on its connection wait for release()
    hold_answer,  ///< the message goes through, its answer and all that follows wait for release()
  };
  /// Once, for the next message of a client that holds `text`, or the `nth` one from now on.
  void lose(Loss loss, const std::string& text, int nth = 1);
  /// Has it happened?
  bool lost() const { return lost_; }
  /// What is held goes on its way.
  void release() { ++releases_; }

 private:
  struct Link;
  void run();
  /// False: the connection has to be cut.
  bool forward(Link& link, bool from_client);
  /// What is to be lost now, at the end of `seen`.
  Loss due(std::string& seen);
  /// After a look at both ends: forwards what they said. False: as forward().
  bool serve(Link& link, short client_events, short server_events);

  int target_port_;
  int port_ = 0;
  int listener_ = -1;
  std::atomic<bool> done_{false};
  std::atomic<bool> lost_{false};
  std::mutex mutex_;
  std::atomic<int> releases_{0};
  std::atomic<int> armed_{0};  ///< how often lose() was called
  Loss loss_ = Loss::none;
  std::string text_;
  int nth_ = 1;
  std::thread thread_;
};

}  // namespace semel::test
