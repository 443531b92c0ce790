// A few pages over HTTP/1.1, for monitoring, or what senders post: one request a connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <semel/error.hpp>

#include "http/address.hpp"

namespace semel::http {

struct Page {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string text;
};

/// Makes a page. Called in a thread of the server's, several at the same time: it must not wait for
/// anything that may take long.
using Maker = std::function<Page()>;

/// What somebody has posted.
struct Posted {
  const std::string& body;
  std::function<std::string(const char* name)> header;  ///< empty where there is none
};
/// Answers it. As a Maker, but that it may wait: its client waits as well.
using Taker = std::function<Page(const Posted&)>;

struct Options {
  Address listen;
  std::vector<std::string> names;              ///< of this machine, by which it may be asked for
  std::chrono::milliseconds patience{10'000};  ///< for a request and its answer
  std::size_t body_bytes_max = 4 << 10;
  std::size_t workers = 8;  ///< clients that are answered at the same time
  /// Where clients wait, whoever has been connected for longest is cut off for the one that comes.
  bool makes_room = true;
};

/// Answers GET and HEAD, or POST where there is a Taker, in threads of its own.
class Server {
 public:
  /// Listens from now on. Errors: fatal with Cause::configuration, such as a port that is in use.
  static Result<std::unique_ptr<Server>> start(const Options& options,
                                               std::map<std::string, Maker> pages,
                                               std::map<std::string, Taker> takers = {});
  /// Cuts off whoever is connected.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// With the port that was free, where any was wanted.
  const Address& address() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::http
