// What may be shown of values that hold secrets.
#pragma once

#include <string>

namespace semel::config {

/// What stands for a secret.
inline constexpr auto mask = "***";

/// A libpq connection string or URI without its passwords. Where it cannot be told what is a
/// password, more is hidden than necessary, never less.
std::string mask_connection_string(const std::string& dsn);

/// Whether a librdkafka property holds a secret ("sasl.password", "ssl.key.pem" ...).
bool is_secret_property(const std::string& name);

}  // namespace semel::config
