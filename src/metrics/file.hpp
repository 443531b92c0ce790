// A page of metrics as a file, for who collects files.
#pragma once

#include <string>

#include <semel/error.hpp>

namespace semel::metrics {

/// `file` with this content, whole at any moment. Errors: fatal with Cause::configuration.
Result<void> write_file(const std::string& file, const std::string& page);

}  // namespace semel::metrics
