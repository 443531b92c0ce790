// Sockets of 127.0.0.1, for proxies between a program and its servers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace semel::test {

/// A listening socket and its port; port 0 takes a free one. Throws std::runtime_error.
std::pair<int, int> listen_on_loopback(int port = 0);
/// Connected to a port of this machine; -1 where nobody listens.
int connect_to_loopback(int port);
/// False: the other end is gone.
bool send_all(int fd, std::string_view bytes);
/// So many bytes; fewer where the other end closes, or nothing comes for `patience_s`.
std::string receive(int fd, std::size_t size = std::string::npos, int patience_s = 20);

}  // namespace semel::test
