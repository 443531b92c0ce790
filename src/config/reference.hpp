// The reference page of the configuration, made from the declared settings.
#pragma once

#include <string>
#include <string_view>

#include "config/schema.hpp"

namespace semel::config {

/// `introduction`, then every section with its settings.
std::string reference_page(const Schema& schema, std::string_view introduction);

}  // namespace semel::config
