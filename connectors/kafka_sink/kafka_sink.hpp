// The door of the connector that writes to a topic: all but options.hpp is private to it.
#pragma once

#include "connector/connector.hpp"

namespace semel::kafka_sink {

Connector connector();

}  // namespace semel::kafka_sink
