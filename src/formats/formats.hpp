// The formats that a record's value may have, by name.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "record/decoder.hpp"

namespace semel::formats {

using FormatPtr = std::shared_ptr<const record::Format>;

/// One JSON object. Its members are what columns come from.
const FormatPtr& json();
/// Any bytes, as one value: `$`.
const FormatPtr& raw();

/// All of them; the first is the default.
std::span<const FormatPtr> all();
/// Null where there is none of this name.
FormatPtr find(std::string_view name);

}  // namespace semel::formats
