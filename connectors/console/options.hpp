// How a pipeline prints records. Filled by settings in connector.cpp; values only.
#pragma once

#include <cstdint>

namespace semel::console {

enum class Form : std::uint8_t {
  json,   ///< a JSON object a record: where it stood, its key, its value
  value,  ///< the record's value as it is, and a line break
};

struct Options {
  Form form = Form::json;
};

}  // namespace semel::console
