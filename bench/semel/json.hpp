// What all reports have in JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "bench/semel/oracle.hpp"
#include "bench/semel/origin.hpp"

namespace semel::bench {

using Json = nlohmann::ordered_json;

/// An object to be added to: benchmark, date, command, machine.
Json json_of(const Origin& origin, const std::string& benchmark);

/// lost, duplicated, damaged, sums_agree, exactly_once.
Json json_of(const Comparison& comparison);

Json or_null(const std::optional<double>& value);

}  // namespace semel::bench
