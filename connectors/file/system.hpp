// Calls of the system, and what their errors mean for a pipeline.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <semel/error.hpp>

namespace semel::file {

/// A descriptor that is closed when it goes.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// errno after a call that failed; `what` is the beginning of a sentence: "out/x cannot be made".
/// Unavailable where room is missing, fatal where somebody has to do something (rights, a disk that
/// fails, a directory that is gone), retriable else. Cause::sink.
tl::unexpected<Error> system_error(const std::string& what, int code);

/// All of it, at `at`. errno says why not.
bool write_all(int fd, std::string_view bytes, std::uint64_t at);
/// A whole file. errno says why not.
bool read_all(int fd, std::string& into);
/// Names in a directory but "." and "..". errno says why not.
bool names_in(int directory, std::vector<std::string>& into);

/// A directory below another, made where it is missing; never through a link.
Result<Fd> directory_in(int parent, const std::string& name, const std::string& shown, bool make);

}  // namespace semel::file
