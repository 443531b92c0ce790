#include "postgres/interrupter.hpp"

#include <sys/eventfd.h>
#include <unistd.h>
#include <cstdint>

namespace semel::postgres {

Interrupter::Interrupter() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Interrupter::~Interrupter() {
  if (fd_ >= 0) close(fd_);
}

void Interrupter::interrupt() noexcept {
  interrupted_ = true;
  const std::uint64_t one = 1;
  // Without a descriptor the flag alone is noticed, at the next look at the clock.
  if (fd_ >= 0) [[maybe_unused]]
    const auto written = write(fd_, &one, sizeof one);
  const std::lock_guard lock(mutex_);
  for (auto* connection : connections_) {
    char why[256];
    // Best effort: the successor ends our sessions if the server does not hear this.
    PQcancel(connection, why, sizeof why);
  }
}

void Interrupter::add(PGcancel* connection) {
  const std::lock_guard lock(mutex_);
  connections_.insert(connection);
}

void Interrupter::remove(PGcancel* connection) noexcept {
  const std::lock_guard lock(mutex_);
  connections_.erase(connection);
}

}  // namespace semel::postgres
