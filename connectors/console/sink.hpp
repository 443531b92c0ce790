// A sink that prints, and remembers where it stands for as long as it lives.
#pragma once

#include <memory>

#include <semel/sink.hpp>

#include "connector/connector.hpp"
#include "console/options.hpp"

namespace semel::console {

/// Fatal (Cause::sink) where standard output is closed.
Result<std::unique_ptr<Sink>> make_sink(const Options& options, const SinkContext& context);

}  // namespace semel::console
