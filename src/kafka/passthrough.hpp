// Which librdkafka properties a configuration may set: the part of client_config.hpp that others
// need, without rdkafka.h.
#pragma once

#include <map>
#include <string>

#include <semel/error.hpp>

namespace semel::kafka {

/// See client_config.hpp.
Result<void> validate_passthrough(const std::map<std::string, std::string>& properties);

}  // namespace semel::kafka
