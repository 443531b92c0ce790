#include "http/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace semel::http {

namespace {

struct Parts {
  std::string host;
  std::optional<std::string> port;
};

/// "host", "host:port", "[ip]", "[ip]:port"; an IPv6 address needs its brackets.
std::optional<Parts> split(std::string_view text) {
  Parts parts;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    parts.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (text.empty()) return parts;
    if (!text.starts_with(':')) return std::nullopt;
    parts.port = text.substr(1);
    return parts;
  }
  const auto colon = text.find(':');
  parts.host = text.substr(0, colon);
  if (colon == std::string_view::npos) return parts;
  parts.port = text.substr(colon + 1);
  if (parts.port->find(':') != std::string::npos) return std::nullopt;
  return parts;
}

bool is_ipv4(const std::string& text, in_addr& ip) {
  return ::inet_pton(AF_INET, text.c_str(), &ip) == 1;
}

bool is_ipv6(const std::string& text, in6_addr& ip) {
  return ::inet_pton(AF_INET6, text.c_str(), &ip) == 1;
}

std::optional<std::uint16_t> port_of(const std::string& text) {
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, port);
  if (text.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return port;
}

bool same_name(const std::string& a, const std::string& b) {
  return ::strcasecmp(a.c_str(), b.c_str()) == 0;
}

}  // namespace

std::string to_string(const Address& address) {
  const bool v6 = address.ip.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.ip, address.port)
            : fmt::format("{}:{}", address.ip, address.port);
}

Result<Address> parse_address(const std::string& text) {
  const auto refused = [&] {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("{} is no address to listen on: write 127.0.0.1:9400, [::1]:9400 or, "
                            "for 127.0.0.1, :9400",
                            text.empty() ? "an empty text" : text));
  };
  const auto parts = split(text);
  if (!parts || !parts->port) return refused();
  const auto port = port_of(*parts->port);
  if (!port) return refused();
  const bool v6 = text.starts_with('[');
  auto host = parts->host;
  if (!v6 && (host.empty() || same_name(host, "localhost"))) host = "127.0.0.1";
  in_addr ip4{};
  in6_addr ip6{};
  if (!v6 && is_ipv4(host, ip4)) {
    return Address{host, *port, (ntohl(ip4.s_addr) >> 24) == 127};
  }
  if (v6 && is_ipv6(host, ip6)) return Address{host, *port, IN6_IS_ADDR_LOOPBACK(&ip6)};
  return refused();
}

bool answers_to(std::string_view host, const std::vector<std::string>& names) {
  const auto parts = split(host);
  if (!parts || (parts->port && !port_of(*parts->port))) return false;
  in_addr ip4{};
  in6_addr ip6{};
  if (host.starts_with('[')) return is_ipv6(parts->host, ip6);
  if (is_ipv4(parts->host, ip4) || same_name(parts->host, "localhost")) return true;
  return std::ranges::any_of(names,
                             [&](const std::string& name) { return same_name(name, parts->host); });
}

}  // namespace semel::http
