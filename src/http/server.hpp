// A few pages over HTTP/1.1, for monitoring: read only, one request a connection.
#pragma once

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

struct Options {
  Address listen;
  std::vector<std::string> names;  ///< of this machine, by which it may be asked for
};

/// Answers GET and HEAD in threads of its own. A client that is slow has ten seconds, and less
/// where others wait: whoever has been connected for longest is cut off for the one that comes.
class Server {
 public:
  /// Listens from now on. Errors: fatal with Cause::configuration, such as a port that is in use.
  static Result<std::unique_ptr<Server>> start(const Options& options,
                                               std::map<std::string, Maker> pages);
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
