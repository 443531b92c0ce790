// A pipeline's stages, for people. Pure.
#pragma once

#include <string>

#include <semel/stream.hpp>
#include <semel/stream/graph.hpp>

namespace semel::stream {

std::string describe(const detail::Graph& graph, Drawing drawing);

}  // namespace semel::stream
