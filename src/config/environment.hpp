// ${NAME} in a configured text.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace semel::config {

/// `text` with every ${NAME} replaced by the environment's value; "$${" stands for "${" itself.
/// Fails with what is wrong: a variable that is not set, a brace that is not closed.
tl::expected<std::string, std::string> expand(const std::string& text);

}  // namespace semel::config
