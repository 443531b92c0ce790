#include "kafka/broker_list.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>
#include <cstdint>

namespace semel::kafka {

namespace {

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorKind::fatal, Cause::configuration, std::move(message));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool is_port(std::string_view text) {
  std::uint32_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65'535;
}

/// Letters of any alphabet: names are resolved by others. In brackets, an IPv6 address.
bool is_host(std::string_view text) {
  const bool v6 = text.size() > 2 && text.front() == '[' && text.back() == ']';
  if (v6) text = text.substr(1, text.size() - 2);
  return !text.empty() && std::ranges::all_of(text, [v6](unsigned char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
    return letter || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' ||
           (v6 && (c == ':' || c == '%'));
  });
}

Result<void> check_address(std::string_view address) {
  if (address.empty()) {
    return wrong("has an empty entry: write host:port, with commas between them");
  }
  if (address.find('@') != std::string_view::npos) {
    return wrong(
        "holds a login: write host:port; sasl.username and sasl.password are properties of "
        "librdkafka");
  }
  if (const auto scheme = address.find("://"); scheme != std::string_view::npos) {
    const auto rest = address.substr(scheme + 3);
    const auto host = rest.substr(0, rest.find('/'));
    return wrong(
        fmt::format("holds \"{}\", which begins with a scheme: write {}; for TLS and "
                    "logins there is librdkafka's security.protocol",
                    address, host.empty() ? "host:port" : host));
  }
  const auto after_brackets = address.rfind(']');
  const auto colon = address.find(
      ':', address.front() == '[' && after_brackets != std::string_view::npos ? after_brackets : 0);
  const auto host = address.substr(0, colon);
  if (colon != std::string_view::npos && address.front() != '[' &&
      address.find(':', colon + 1) != std::string_view::npos) {
    return wrong(
        fmt::format("holds \"{}\": write host:port, an IPv6 address in brackets, such as "
                    "[::1]:9092",
                    address));
  }
  if (!is_host(host)) {
    return wrong(fmt::format("holds \"{}\", which is no address: write host:port", address));
  }
  if (colon != std::string_view::npos && !is_port(address.substr(colon + 1))) {
    return wrong(
        fmt::format("holds \"{}\", but a port is a number from 1 to 65535: write {}:9092, "
                    "or whatever its port is",
                    address, host));
  }
  return {};
}

}  // namespace

Result<std::string> broker_list(std::string_view text) {
  std::string list;
  for (std::size_t from = 0; from <= text.size();) {
    const auto comma = std::min(text.find(',', from), text.size());
    const auto address = trimmed(text.substr(from, comma - from));
    if (auto good = check_address(address); !good) return tl::unexpected(good.error());
    if (!list.empty()) list += ',';
    list += address;
    from = comma + 1;
  }
  return list;
}

}  // namespace semel::kafka
