// A record's headers as they are kept with a dead letter.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/record.hpp>

#include "record/byte_text.hpp"

namespace semel::record {

/// Stored: do not change. Headers as JSON: [{"name": "a", "value": "text"}, {"name": "b", "base64":
/// "AAE="}, …]; null where a header has no value. Empty where there are none.
std::string headers_as_json(const std::vector<Header>& headers);

/// Headers that somebody keeps: a name, and a value where there is one.
using KeptHeaders = std::vector<std::pair<std::string, std::optional<std::string>>>;
/// What headers_as_json() wrote. Names and values of anything else: none.
KeptHeaders headers_from_json(std::string_view json);
/// For a record; `headers` must outlive it.
HeaderSource source_of(const KeptHeaders& headers);

}  // namespace semel::record
