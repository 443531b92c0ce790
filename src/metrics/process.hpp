// What the kernel knows of this process.
#pragma once

#include <string>

#include "metrics/page.hpp"

namespace semel::metrics {

/// process_* and semel_build_info. What the kernel does not tell is left out.
void put_process(Page& page, const std::string& version, const std::string& librdkafka);

}  // namespace semel::metrics
