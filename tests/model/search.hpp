// One exhaustive search of a model by Spin, and what is expected of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace semel::test::model {

using Strings = std::vector<std::string>;

Strings operator+(Strings left, const Strings& right);

/// SEMEL_MODEL=long: larger constants.
bool long_mode();

/// False: the check cannot be made here, and that was said.
bool spin_is_there();

/// Complete, without an error, and of some size: an empty search proves nothing.
void holds(const std::string& model, const Strings& flags, std::uint64_t states_min);

/// A counterexample of the expected kind: part of the assertion's text, or an acceptance cycle.
void is_caught(const std::string& model, const Strings& flags, const std::string& kind);

}  // namespace semel::test::model
