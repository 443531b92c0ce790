// [sink.kafka] of a configuration file.
#pragma once

#include "config/schema.hpp"

namespace semel::kafka_sink {

config::Section settings();

}  // namespace semel::kafka_sink
