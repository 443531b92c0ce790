// What may be shown of values that hold secrets.
#pragma once

#include <string>

#include "postgres/client/secrets.hpp"

namespace semel::config {

/// What stands for a secret.
using postgres::mask;

/// Whether a librdkafka property holds a secret ("sasl.password", "ssl.key.pem" ...).
bool is_secret_property(const std::string& name);

}  // namespace semel::config
