// A record's headers as they are kept with a dead letter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <semel/record.hpp>

namespace semel::record {

/// With its padding, in one line.
std::string base64(std::string_view bytes);

/// Stored: do not change. Headers as JSON: [{"name": "a", "value": "text"}, {"name": "b", "base64":
/// "AAE="}, …]; null where a header has no value. Empty where there are none.
std::string headers_as_json(const std::vector<Header>& headers);

}  // namespace semel::record
