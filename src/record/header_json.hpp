// A record's headers as they are kept with a dead letter.
#pragma once

#include <string>
#include <vector>

#include <semel/record.hpp>

namespace semel::record {

/// Stored: do not change. Headers as JSON: [{"name": "a", "value": "text"}, {"name": "b", "base64":
/// "AAE="}, …]; null where a header has no value. Empty where there are none.
std::string headers_as_json(const std::vector<Header>& headers);

}  // namespace semel::record
