#include "bench/semel/tally.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

namespace semel::bench {

Result<std::unique_ptr<Tally>> Tally::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* memory = MAP_FAILED;
  if (file >= 0 && ::ftruncate(file, sizeof(Shared)) == 0) {
    memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  const auto reason = std::generic_category().message(errno);
  if (file >= 0) ::close(file);
  if (memory == MAP_FAILED) {
    return fail(ErrorKind::fatal, Cause::configuration,
                fmt::format("cannot map the tally {}: {}", path, reason));
  }
  // A new file's zeros are the counters' beginning.
  return std::unique_ptr<Tally>(new Tally(static_cast<Shared*>(memory)));
}

Tally::~Tally() {
  ::munmap(shared_, sizeof(Shared));
}

void Tally::add(std::uint64_t records) {
  if (records == 0) return;
  std::int64_t none = 0;
  if (shared_->first_ns.load(std::memory_order_relaxed) == 0) {
    shared_->first_ns.compare_exchange_strong(none, monotonic_ns());
  }
  shared_->records.fetch_add(records, std::memory_order_relaxed);
}

std::uint64_t Tally::records() const {
  return shared_->records.load();
}

std::int64_t Tally::first_ns() const {
  return shared_->first_ns.load();
}

void Tally::committed() {
  shared_->committed_ns.store(monotonic_ns());
}

std::int64_t Tally::committed_ns() const {
  return shared_->committed_ns.load();
}

void Tally::set_driver(const DriverFigures& figures) {
  shared_->driver = figures;
}

const DriverFigures& Tally::driver() const {
  return shared_->driver;
}

void Tally::forget_first() {
  shared_->first_ns.store(0);
}

std::int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace semel::bench
