// Where a server listens, and by which names it is asked.
#include "http/address.hpp"

#include "support/catch.hpp"

using namespace semel::http;

TEST_CASE("an address is an IP address of this machine and a port") {
  struct Case {
    std::string text;
    std::string ip;
    int port;
    bool loopback;
  };
  for (const auto& [text, ip, port, loopback] : std::vector<Case>{
           {"127.0.0.1:9400", "127.0.0.1", 9400, true},
           {":9400", "127.0.0.1", 9400, true},
           {"localhost:9400", "127.0.0.1", 9400, true},
           {"127.8.9.10:1", "127.8.9.10", 1, true},
           {"[::1]:9400", "::1", 9400, true},
           {"127.0.0.1:0", "127.0.0.1", 0, true},
           {"0.0.0.0:9400", "0.0.0.0", 9400, false},
           {"[::]:9400", "::", 9400, false},
           {"10.0.0.7:65535", "10.0.0.7", 65535, false},
           {"[2001:db8::7]:80", "2001:db8::7", 80, false},
           {"[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", 80, false},
       }) {
    CAPTURE(text);
    const auto address = parse_address(text);
    REQUIRE(address);
    CHECK(address->ip == ip);
    CHECK(address->port == port);
    CHECK(address->loopback == loopback);
  }
}

TEST_CASE("what is no address is refused as a mistake in the configuration") {
  for (const auto* text :
       {"", "9400", "127.0.0.1", ":", ":70000", ":-1", ":+1", ":94 00", "::1:9400", "[::1]",
        "[::1:9400", "[127.0.0.1]:1", "[]:9400", "metrics.example.org:9400", "1.2.3:9400",
        "127.0.0.1:9400/metrics", "http://127.0.0.1:9400"}) {
    CAPTURE(text);
    const auto address = parse_address(text);
    REQUIRE_FALSE(address);
    CHECK(address.error().cause == semel::Cause::configuration);
    CHECK(address.error().message.find("127.0.0.1:9400") != std::string::npos);
  }
}

TEST_CASE("an address is written as it is read") {
  for (const auto* text : {"127.0.0.1:9400", "[::1]:9400"}) {
    CHECK(to_string(*parse_address(text)) == text);
  }
}

TEST_CASE("only addresses, localhost and the names that are listed are answered to") {
  const std::vector<std::string> names{"semel.internal"};
  for (const auto* host :
       {"127.0.0.1:9400", "127.0.0.1", "[::1]:9400", "[::1]", "10.1.2.3:80", "localhost",
        "LocalHost:9400", "semel.internal", "Semel.Internal:9400"}) {
    CAPTURE(host);
    CHECK(answers_to(host, names));
  }
  for (const auto* host :
       {"", "evil.example", "evil.example:9400", "127.0.0.1.evil.example", "localhost.evil.example",
        "semel.internal.evil.example", "127.0.0.1:9400:1", "127.0.0.1:x", "127.0.0.1@evil.example",
        "[evil.example]", "[::1", "[::1]evil.example", "2130706433"}) {
    CAPTURE(host);
    CHECK_FALSE(answers_to(host, names));
  }
}
