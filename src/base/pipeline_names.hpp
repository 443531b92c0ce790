// Which names a pipeline, its outputs and its sources may have, whoever gives them.
#pragma once

#include <optional>
#include <string>

namespace semel {

/// What is wrong with it: "must not be empty". Absent: nothing is.
std::optional<std::string> pipeline_name_mistake(const std::string& name);
std::optional<std::string> output_name_mistake(const std::string& name);
std::optional<std::string> source_name_mistake(const std::string& name);

}  // namespace semel
