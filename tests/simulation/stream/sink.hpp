// A sink over a simulated database: a connection that others are faster than, that loses replies,
// and that is gone with its server.
#pragma once

#include <memory>
#include <string>

#include <semel/sink.hpp>

#include "simulation/stream/world.hpp"

namespace semel::stream_simulation {

std::unique_ptr<Sink> make_sink(World& world, Database& database, const std::string& owner);

}  // namespace semel::stream_simulation
