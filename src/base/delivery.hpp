// Whether a sink can give what a pipeline asks for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <semel/sink.hpp>
#include <semel/types.hpp>

namespace semel {

/// Why a sink with this guarantee must not be written with `delivery`, and what to do; absent: it
/// may. `who` is what people call the sink. Asked where a configuration is read, of what the sink
/// can do at its best, and at the start, of what it says of itself.
std::optional<std::string> too_weak(std::string_view who, Guarantee guarantee, Delivery delivery);

}  // namespace semel
