// Asks a server, such as that of server.hpp, for a page.
#pragma once

#include <chrono>
#include <string>

#include <semel/error.hpp>

#include "http/server.hpp"

namespace semel::http {

/// Errors: unavailable with Cause::internal, where no answer comes within `patience`.
Result<Page> get(const Address& address, const std::string& path,
                 std::chrono::milliseconds patience);

/// A port of 127.0.0.1 that nobody listens on now.
Address free_address();

}  // namespace semel::http
