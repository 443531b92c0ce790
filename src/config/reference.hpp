// The reference page of the configuration, made from the declared settings.
#pragma once

#include <string>

namespace semel::config {

/// docs/reference/configuration.md. `semel reference configuration` prints it; a test compares.
std::string reference_page();

}  // namespace semel::config
