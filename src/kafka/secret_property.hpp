// What may be shown of librdkafka's properties.
#pragma once

#include <string>

namespace semel::kafka {

/// Whether a librdkafka property holds a secret ("sasl.password", "ssl.key.pem" ...).
bool is_secret_property(const std::string& name);

}  // namespace semel::kafka
