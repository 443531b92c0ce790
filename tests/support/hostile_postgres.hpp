// A proxy between libpq and a real PostgreSQL that understands their messages, and answers, delays,
// stops and cuts what a test or a seed tells it to. tcp_proxy.hpp knows nothing of messages, but
// can make a network go silent.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace semel::test {

/// What happens to a message of a client. The server stays the judge of everything else: a refused
/// statement fails there as well, so that both ends agree on what the transaction is.
struct PostgresFault {
  enum class Kind : std::uint8_t {
    error,       ///< an ErrorResponse instead of what the server would do
    delay,       ///< it arrives later by `delay`
    stop,        ///< it and all that follows on its connection wait for go()
    cut,         ///< the connection ends instead
    lose_reply,  ///< it goes through, then the connection ends before anything of the answer
  };
  Kind kind = Kind::error;
  /// Any statement or row of COPY that holds this text; empty: every one. Of a message of many
  /// statements those before the text are run.
  std::string text;
  int nth = 1;                     ///< the first that counts, from now on
  int times = 1;                   ///< how often; 0: for ever
  std::string sqlstate = "XX000";  ///< error
  std::string severity = "ERROR";  ///< error; after FATAL and PANIC the connection ends
  std::string message = "as the hostile proxy wants it";
  std::chrono::milliseconds delay{0};
};

/// Forwards connections to 127.0.0.1:`target_port` until told otherwise. Refuses TLS. Thread safe.
class HostilePostgres {
 public:
  explicit HostilePostgres(int target_port, int port = 0);
  ~HostilePostgres();
  HostilePostgres(const HostilePostgres&) = delete;
  HostilePostgres& operator=(const HostilePostgres&) = delete;

  int port() const { return port_; }

  void add(const PostgresFault& fault);
  /// Forgets all faults, the throttle and random(). What is stopped goes on.
  void clear();
  /// What is stopped goes on.
  void go() { ++goes_; }
  /// Bytes a second and connection, each way; 0: no bound.
  void throttle(std::int64_t bytes_per_second) { throttle_ = bytes_per_second; }
  /// Every connection ends now.
  void cut_all() { ++cuts_; }
  /// From now on each message meets one of the faults (errors that may pass, short delays, cuts,
  /// lost replies) with this probability. The same seed and messages: the same faults.
  void random(std::uint64_t seed, double probability);
  /// How many faults there were.
  int happened() const { return happened_; }

  /// A command as a person writes it: see `help` in the .cpp. "ok …", or "error: …".
  std::string command(std::string_view line);

 private:
  struct Link;
  struct Rule {
    PostgresFault fault;
    int seen = 0;
  };
  void accept_links();
  void serve(Link& link);
  bool from_client(Link& link);
  bool from_server(Link& link);
  /// One whole message. False: the connection ends.
  bool forward(Link& link, char type, std::string message);
  bool refuse(Link& link, char type, const std::string& message, const PostgresFault& fault);
  /// What happens to a message that says this.
  std::vector<PostgresFault> due(std::string_view says);
  PostgresFault any_fault();
  /// Waits, but not beyond the proxy's end. False: the connection ends.
  bool wait(const std::function<bool()>& until, const Link& link);
  bool slow_down(std::size_t bytes, const Link& link);

  int target_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> done_{false};
  std::atomic<int> goes_{0};
  std::atomic<int> cuts_{0};
  std::atomic<int> happened_{0};
  std::atomic<std::int64_t> throttle_{0};
  std::mutex mutex_;
  std::vector<Rule> rules_;
  std::mt19937_64 random_;
  double probability_ = 0;
  std::list<std::unique_ptr<Link>> links_;  ///< the accepting thread's
  std::thread thread_;
};

}  // namespace semel::test
