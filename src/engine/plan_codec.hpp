// A batch as the plan log stores it: JSON that people can read, with a format version.
#pragma once

#include <string>
#include <string_view>

#include <semel/error.hpp>

#include "core/protocol.hpp"

namespace semel::engine {

/// {"format":1,"batch_time":1700000000000,"ranges":[{"topic":"t","partition":0,"from":5,"until":9}]}
/// A lost range also has "lost" with its reason.
std::string encode_plan(const core::Batch& batch);

/// Fails (fatal, Cause::state) on anything but a plan of a known format; a newer format is named.
Result<core::Batch> decode_plan(std::string_view text);

}  // namespace semel::engine
