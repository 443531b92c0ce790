#include "http/client.hpp"

#include <fmt/format.h>
#include <httplib.h>

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
  const Options any{.listen = {"127.0.0.1", 0, true}, .names = {}};
  const auto server = Server::start(any, {});
  return server ? (*server)->address() : any.listen;
}

}  // namespace semel::http
