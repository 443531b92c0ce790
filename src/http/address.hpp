// Where a server listens, as people write it; and by which names it may be asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>

namespace semel::http {

/// An address of this machine.
struct Address {
  std::string ip;          ///< "127.0.0.1", "::1"
  std::uint16_t port = 0;  ///< 0: any that is free
  bool loopback = false;   ///< no other machine reaches it
};

/// "127.0.0.1:9400", "[::1]:9400"
std::string to_string(const Address& address);

/// Reads "127.0.0.1:9400" or "[::1]:9400"; ":9400" and "localhost:9400" are 127.0.0.1. Errors:
/// fatal with Cause::configuration.
Result<Address> parse_address(const std::string& text);

/// Whether a request's Host may be answered: an IP address, localhost or one of `names`, with any
/// port. A page of somebody else's in a browser, whose name was made to mean this machine (DNS
/// rebinding), comes with that name.
bool answers_to(std::string_view host, const std::vector<std::string>& names);

}  // namespace semel::http
