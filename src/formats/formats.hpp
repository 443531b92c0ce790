// The formats that are used by their names here; all that there are: src/app/formats.list.
#pragma once

#include <memory>

#include "record/decoder.hpp"

namespace semel::formats {

using FormatPtr = std::shared_ptr<const record::Format>;

/// One JSON object. Its members are what columns come from.
const FormatPtr& json();
/// Any bytes, as one value: `$`.
const FormatPtr& raw();

}  // namespace semel::formats
