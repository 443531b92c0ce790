#include "http/client.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <random>

namespace semel::http {

Result<Page> get(const Address& address, const std::string& path,
                 std::chrono::milliseconds patience) {
  httplib::Client client(address.ip, address.port);
  client.set_connection_timeout(patience);
  client.set_read_timeout(patience);
  const auto answer = client.Get(path);
  if (!answer) {
    return fail(ErrorKind::unavailable, Cause::internal,
                fmt::format("http://{}{}: {}", to_string(address), path,
                            httplib::to_string(answer.error())));
  }
  return Page{.status = answer->status,
              .type = answer->get_header_value("Content-Type"),
              .text = answer->body};
}

Address free_address() {
  // Below the range from which the system takes ports of outgoing connections (32768 and up), so
  // that none of those takes it before whoever wants to listen there.
  constexpr std::uint16_t first = 20'000, last = 32'000;
  constexpr int attempts_max = 1'000;
  std::mt19937 random(std::random_device{}());
  Address address{.ip = "127.0.0.1", .port = first, .loopback = true};
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    address.port = std::uniform_int_distribution<std::uint16_t>(first, last)(random);
    if (Server::start({.listen = address, .names = {}}, {})) break;
  }
  return address;
}

}  // namespace semel::http
