// A socket that listens.
#pragma once

#include <unistd.h>

#include <utility>

#include <semel/error.hpp>

#include "http/address.hpp"

namespace semel::http {

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int number() const { return number_; }

 private:
  int number_;
};

/// Does not block. `address` gets the port that was free, where any was wanted. Fatal,
/// Cause::configuration, where it cannot be.
Result<Descriptor> listen_on(Address& address);

}  // namespace semel::http
