#include "postgres/client/interrupter.hpp"

#include <sys/eventfd.h>
#include <unistd.h>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <thread>
#include <vector>

namespace semel::postgres {

Interrupter::Interrupter() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Interrupter::~Interrupter() {
  if (fd_ >= 0) close(fd_);
}

namespace {

constexpr std::chrono::seconds cancel_patience{1};

/// Asks the server to cancel what these run. PQcancel() has no time-out: it waits for ever where
/// the server stands still. So it runs in threads that nobody has to wait for.
void cancel_all(const std::vector<Interrupter::CancelKey>& connections) {
  struct Asking {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t open = 0;
  };
  const auto asking = std::make_shared<Asking>();
  std::unique_lock lock(asking->mutex);
  for (const auto& connection : connections) {
    std::thread([asking, connection] {
      char why[256];
      // Best effort: the successor ends our sessions if the server does not hear this.
      PQcancel(connection.get(), why, sizeof why);
      const std::lock_guard done(asking->mutex);
      --asking->open;
      asking->changed.notify_one();
    }).detach();
    ++asking->open;
  }
  asking->changed.wait_for(lock, cancel_patience, [&] { return asking->open == 0; });
}

}  // namespace

void Interrupter::interrupt() noexcept try {
  std::vector<CancelKey> connections;
  {
    // Before anybody wakes: who wakes gives its connection up, and with it the only way to end what
    // the server still does for it.
    const std::lock_guard lock(mutex_);
    connections.assign(connections_.begin(), connections_.end());
  }
  if (interrupted_.exchange(true)) return;
  const std::uint64_t one = 1;
  // Without a descriptor the flag alone is noticed, at the next look at the clock.
  if (fd_ >= 0) [[maybe_unused]]
    const auto written = write(fd_, &one, sizeof one);
  cancel_all(connections);
} catch (...) {
  // No thread, no memory: as where the server does not hear.
}

void Interrupter::add(CancelKey connection) {
  const std::lock_guard lock(mutex_);
  connections_.insert(std::move(connection));
}

void Interrupter::remove(const CancelKey& connection) noexcept {
  const std::lock_guard lock(mutex_);
  connections_.erase(connection);
}

}  // namespace semel::postgres
