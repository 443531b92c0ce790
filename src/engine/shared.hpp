// What the engine's threads share, beside the channel of events they answer on.
#pragma once

#include <atomic>

#include "core/driver.hpp"
#include "engine/channel.hpp"

namespace semel::engine {

using EventChannel = Channel<core::EventBody>;

/// Set by the driver, read by the workers.
struct StopFlags {
  std::atomic<bool> stopping{
      false};  ///< finish what runs, but do not wait for servers that are away
  std::atomic<bool> abandoned{false};  ///< drop everything: the result does not matter any more
};

}  // namespace semel::engine
