// The sink in an SQLite file.
#pragma once

#include "connector/connector.hpp"
#include "sqlite/options.hpp"

namespace semel::sqlite {

/// As Connector::make_sink.
Result<std::unique_ptr<Sink>> make_sink(const Options& options, const SinkContext& context);

}  // namespace semel::sqlite
