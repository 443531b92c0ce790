// What starting PostgreSQL and Kafka have in common.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "support/process.hpp"

namespace semel::test {

/// Starts a recipe of scripts/lib and waits until `answers`; throws with the log's end if it does
/// not.
Process start_server(const std::string& recipe, std::vector<std::string> arguments,
                     const std::string& log, const std::string& end_signal,
                     const std::function<bool()>& answers,
                     const std::map<std::string, std::string>& environment = {});

}  // namespace semel::test
