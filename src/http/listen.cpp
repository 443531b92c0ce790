#include "http/listen.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace semel::http {

namespace {

union AnyAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

}  // namespace

Result<Descriptor> listen_on(Address& address) {
  const bool v6 = address.ip.find(':') != std::string::npos;
  AnyAddress at{};
  socklen_t size = v6 ? sizeof at.v6 : sizeof at.v4;
  if (v6) {
    at.v6.sin6_family = AF_INET6;
    at.v6.sin6_port = htons(address.port);
    ::inet_pton(AF_INET6, address.ip.c_str(), &at.v6.sin6_addr);
  } else {
    at.v4.sin_family = AF_INET;
    at.v4.sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.ip.c_str(), &at.v4.sin_addr);
  }
  // Not SO_REUSEPORT, as the library has it: two processes would share one port.
  Descriptor socket(::socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (socket.number() < 0 || ::bind(socket.number(), &at.any, size) != 0 ||
      ::listen(socket.number(), SOMAXCONN) != 0 ||
      ::getsockname(socket.number(), &at.any, &size) != 0) {
    const int reason = errno;
    return fail(
        ErrorKind::fatal, Cause::configuration,
        fmt::format("cannot listen on {}: {}{}", to_string(address),
                    std::generic_category().message(reason),
                    reason == EADDRINUSE ? ": another process has the port, perhaps another "
                                           "semel; choose another one"
                                         : ""));
  }
  address.port = ntohs(v6 ? at.v6.sin6_port : at.v4.sin_port);
  return socket;
}

}  // namespace semel::http
