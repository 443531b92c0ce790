// The server against clients of every kind. Nothing is timed: a hanging client hangs for ever.
#include "http/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "support/catch.hpp"

using namespace semel;
using namespace semel::http;

namespace {

/// A socket of a client's.
class Client {
 public:
  explicit Client(const Address& address) {
    const bool v6 = address.ip.find(':') != std::string::npos;
    socket_ = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    sockaddr_in v4_at{};
    sockaddr_in6 v6_at{};
    v4_at.sin_family = AF_INET;
    v4_at.sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.ip.c_str(), &v4_at.sin_addr);
    v6_at.sin6_family = AF_INET6;
    v6_at.sin6_port = htons(address.port);
    ::inet_pton(AF_INET6, address.ip.c_str(), &v6_at.sin6_addr);
    const auto* at = v6 ? reinterpret_cast<sockaddr*>(&v6_at) : reinterpret_cast<sockaddr*>(&v4_at);
    REQUIRE(::connect(socket_, at, v6 ? sizeof v6_at : sizeof v4_at) == 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view text) const {
    ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  /// Until the server closes.
  std::string receive() const {
    std::string all;
    char some[4096];
    for (ssize_t got = 0; (got = ::recv(socket_, some, sizeof some, 0)) > 0;) {
      all.append(some, static_cast<std::size_t>(got));
    }
    return all;
  }

 private:
  int socket_;
};

std::string ask(const Address& address, const std::string& request) {
  const Client client(address);
  client.send(request);
  return client.receive();
}

std::string get(const Address& address, const std::string& path,
                const std::string& host = "localhost") {
  return ask(address, "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
}

bool is(const std::string& answer, int status) {
  return answer.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
}

std::unique_ptr<Server> serve(std::vector<std::string> names = {},
                              const std::string& at = "127.0.0.1:0") {
  auto server = Server::start({*parse_address(at), std::move(names)},
                              {{"/metrics", [] { return Page{.text = "semel_rows_total 7\n"}; }},
                               {"/readyz", [] {
                                  return Page{503, "application/json", "{\"ready\":false}"};
                                }}});
  REQUIRE(server);
  return *std::move(server);
}

}  // namespace

TEST_CASE("a page is answered with its status, type and text") {
  const auto server = serve();
  const auto metrics = get(server->address(), "/metrics");
  CHECK(is(metrics, 200));
  CHECK(metrics.ends_with("\r\n\r\nsemel_rows_total 7\n"));
  const auto ready = get(server->address(), "/readyz");
  CHECK(is(ready, 503));
  CHECK(ready.find("Content-Type: application/json") != std::string::npos);
  CHECK(ready.ends_with("{\"ready\":false}"));
}

TEST_CASE("an answer is neither stored nor guessed at by browsers") {
  const auto server = serve();
  const auto answer = get(server->address(), "/metrics");
  for (const auto* header : {"Cache-Control: no-store", "X-Content-Type-Options: nosniff",
                             "Content-Security-Policy: default-src 'none'"}) {
    CHECK(answer.find(header) != std::string::npos);
  }
}

TEST_CASE("HEAD is answered without a text, other methods not at all") {
  const auto server = serve();
  const auto head = ask(server->address(), "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(is(head, 200));
  CHECK(head.ends_with("\r\n\r\n"));
  for (const auto* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    CAPTURE(method);
    const auto answer = ask(server->address(), std::string(method) +
                                                   " /metrics HTTP/1.1\r\nHost: localhost\r\n"
                                                   "Content-Length: 2\r\n\r\nab");
    CHECK(is(answer, 405));
    CHECK(answer.find("Allow: GET, HEAD") != std::string::npos);
  }
}

TEST_CASE("a page that is not there is answered with those that are") {
  const auto server = serve();
  const auto answer = get(server->address(), "/nothing");
  CHECK(is(answer, 404));
  CHECK(answer.find("/metrics\n") != std::string::npos);
}

TEST_CASE("a page of somebody else's whose name was made to mean this machine sees nothing") {
  const auto server = serve({"semel.internal"});
  CHECK(is(get(server->address(), "/metrics", "evil.example:9400"), 403));
  CHECK(is(get(server->address(), "/metrics", "semel.internal:9400"), 200));
  CHECK(is(ask(server->address(), "GET /metrics HTTP/1.1\r\n\r\n"), 403));
  // Before HTTP/1.1 there was no Host; a browser always sends one.
  CHECK(is(ask(server->address(), "GET /metrics HTTP/1.0\r\n\r\n"), 200));
}

TEST_CASE("a request that is too large or is none ends the connection, not the server") {
  const auto server = serve();
  const std::string large(1 << 20, 'x');
  ask(server->address(), "GET /" + large + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ask(server->address(), "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + large + "\r\n\r\n");
  ask(server->address(),
      "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n"
      "\r\n" +
          large);
  std::string many = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
  for (int i = 0; i < 10'000; ++i) many += "A: b\r\n";
  CHECK_FALSE(is(ask(server->address(), many + "\r\n"), 200));
  for (const auto* noise :
       {"\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02", "GET /metrics HTTP/9\r\n\r\n"}) {
    const Client client(server->address());
    client.send(noise);
  }
  CHECK(is(get(server->address(), "/metrics"), 200));
}

TEST_CASE("clients that hang keep nobody from an answer") {
  const auto server = serve();
  std::vector<std::unique_ptr<Client>> hanging;
  for (int i = 0; i < 100; ++i) {
    hanging.push_back(std::make_unique<Client>(server->address()));
    hanging.back()->send(i % 2 == 0 ? "" : "GET /metrics HTTP/1.1\r\nHost: local");
    if (i % 10 == 9) CHECK(is(get(server->address(), "/metrics"), 200));
  }
  // Each has made room for another one.
  CHECK(hanging.front()->receive().empty());
}

TEST_CASE("clients that hang do not hold up the end") {
  auto server = serve();
  std::vector<std::unique_ptr<Client>> hanging;
  for (int i = 0; i < 4; ++i) {
    hanging.push_back(std::make_unique<Client>(server->address()));
    hanging.back()->send("GET /metrics HTTP/1.1\r\n");
  }
  CHECK(is(get(server->address(), "/metrics"), 200));
  server.reset();
  for (const auto& client : hanging) CHECK(client->receive().empty());
}

TEST_CASE("clients that do not read their answer hold up nobody, nor the end") {
  // More than any socket's buffers take.
  const std::string large(64 << 20, 'x');
  auto server = Server::start({*parse_address("127.0.0.1:0"), {}},
                              {{"/large", [&] { return Page{.text = large}; }},
                               {"/healthz", [] { return Page{.text = "ok\n"}; }}});
  REQUIRE(server);
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 12; ++i) {
    silent.push_back(std::make_unique<Client>((*server)->address()));
    silent.back()->send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(is(get((*server)->address(), "/healthz"), 200));
  }
  server->reset();
  CHECK(silent.back()->receive().size() < large.size());
}

TEST_CASE("clients come at the same time and each gets its answer") {
  const auto server = serve();
  std::vector<std::thread> clients;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      for (int n = 0; n < 50; ++n) answered += is(get(server->address(), "/metrics"), 200) ? 1 : 0;
    });
  }
  for (auto& client : clients) client.join();
  CHECK(answered == 200);
}

TEST_CASE("a port in use is a mistake in the configuration, and named") {
  const auto server = serve();
  const auto second = Server::start({server->address(), {}}, {});
  REQUIRE_FALSE(second);
  CHECK(second.error().cause == Cause::configuration);
  CHECK(second.error().message.find(to_string(server->address())) != std::string::npos);
  CHECK(second.error().message.find("another process has the port") != std::string::npos);
}

TEST_CASE("a port is free again at once") {
  auto server = serve();
  const auto address = server->address();
  CHECK(is(get(address, "/metrics"), 200));
  server.reset();
  CHECK(Server::start({address, {}}, {}));
}

TEST_CASE("IPv6 is answered as well") {
  const auto probe = Server::start({*parse_address("[::1]:0"), {}}, {});
  if (!probe) return;  // a machine without IPv6
  const auto server = serve({}, "[::1]:0");
  CHECK(is(get(server->address(), "/metrics", "[::1]:9400"), 200));
}
