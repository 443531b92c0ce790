// Which librdkafka properties a configuration may set: without
// rdkafka.h.
#pragma once

#include <map>
#include <string>

#include <semel/error.hpp>

#include "kafka/options.hpp"

namespace semel::kafka {

/// Fatal, Cause::configuration: names the property, why it is refused, and the setting to use
/// instead; or repeats what librdkafka says about an unknown property or a bad value. Never holds
/// the value of a property that may be a secret.
Result<void> validate_passthrough(const Options& options);
/// As a file has them.
Result<void> validate_passthrough(const std::map<std::string, std::string>& properties,
                                  Use use = Use::source);

}  // namespace semel::kafka
