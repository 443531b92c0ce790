// [sink.postgres] of a configuration file.
#pragma once

#include "config/schema.hpp"

namespace semel::postgres {

/// Fills an Options.
config::Section settings();

}  // namespace semel::postgres
