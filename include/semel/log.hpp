// What semel says while it works: one line at a time, to a function of the program's own.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace semel {

/// How much a line matters. In ascending order.
enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };

/// Is given one line, without a line break at its end. The view is valid during the call. No line
/// holds a secret or the content of a record.
///
/// Any thread of a pipeline or of librdkafka calls it, but never two at once of one pipeline. It
/// must be quick, since that thread waits for it; it must not destroy the pipeline that calls it,
/// nor wait for it. What it throws is dropped. It is not called any more once the pipeline is
/// destroyed.
///
/// An empty one: warnings and errors go to standard error, so that none vanishes. A program that
/// wants silence gives a function that does nothing.
using LogCallback = std::function<void(LogLevel level, std::string_view line)>;

}  // namespace semel
