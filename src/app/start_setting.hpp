// Where reading begins, as a setting.
#pragma once

#include "config/setting.hpp"
#include "kafka/options.hpp"

namespace semel::app {

/// "earliest", "latest", a moment, or a table of offsets.
config::Binding start_setting(const config::Field<kafka::Start>& field);

}  // namespace semel::app
