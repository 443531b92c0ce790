// A page of metrics as a file, for who collects files.
#pragma once

#include <string>

#include <semel/error.hpp>

namespace semel::metrics {

/// `file` with this content, whole at any moment. What is there and is no regular file (a pipe, a
/// device) is written to, not replaced; of a link, what it names. Errors: fatal with
/// Cause::configuration.
Result<void> write_file(const std::string& file, const std::string& page);

}  // namespace semel::metrics
