// What people may see of a connection string, and of what libpq says of it. No I/O.
#pragma once

#include <string>

#include "base/mask.hpp"  // IWYU pragma: export

namespace semel::postgres {

/// A libpq connection string or URI without its passwords. Where it cannot be told what is a
/// password, more is hidden than necessary, never less.
std::string mask_connection_string(const std::string& dsn);

/// What is wrong with a connection string, and what to do; empty: nothing that shows before it is
/// used. One that libpq reads, but with a part of the password as host, port or database, is wrong
/// too: libpq would tell that part. No part of what may be a password is in the answer.
std::string dsn_mistake(const std::string& dsn);

/// `message` without what it may quote of `dsn`: the password, in any form that libpq accepts.
std::string without_secrets(std::string message, const std::string& dsn);

}  // namespace semel::postgres
