// What the engine's threads share, beside the channel of events they answer on.
#pragma once

#include <atomic>
#include <chrono>

#include <semel/sink.hpp>

#include "core/driver.hpp"
#include "engine/channel.hpp"

namespace semel::engine {

/// How long a thread may wait for Kafka, the ledger or a disk before it is taken for one that
/// hangs: any such call ends sooner. Where the sink is asked, Sink::patience_ms() is added.
inline constexpr std::chrono::minutes server_patience{5};
/// The same for who asks `sink`.
inline std::chrono::milliseconds patience_with(const Sink& sink) {
  return server_patience + std::chrono::milliseconds(sink.patience_ms());
}
/// The same for the driver, which waits for its own disk only.
inline constexpr std::chrono::minutes driver_patience{1};

using EventChannel = Channel<core::EventBody>;

/// Set by the driver, read by the other threads.
struct StopFlags {
  std::atomic<bool> stopping{
      false};  ///< finish what runs, but do not wait for servers that are away
  std::atomic<bool> abandoned{false};  ///< drop everything: the result does not matter any more
};

}  // namespace semel::engine
