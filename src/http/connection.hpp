// A client's socket as cpp-httplib reads and writes it, under one deadline for all of the request
// and its answer: the library's own time-outs begin anew with each byte.
#pragma once

#include <httplib.h>
#include <array>
#include <chrono>
#include <cstddef>
#include <string>

namespace semel::http {

class Connection final : public httplib::Stream {
 public:
  using Clock = std::chrono::steady_clock;

  /// Does not own the socket. Reads at most `bytes_max` of what the client sends.
  Connection(int socket, Clock::time_point deadline, std::size_t bytes_max)
      : socket_(socket), deadline_(deadline), left_(bytes_max) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* into, std::size_t size) override;
  ssize_t write(const char* from, std::size_t size) override;
  // Nobody is told apart by its address.
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  /// None: nothing goes around the deadline, nor is select()'s limit of 1,024 ours.
  socket_t socket() const override { return INVALID_SOCKET; }
  using httplib::Stream::write;

  /// Ends the answer in order: where the client still sends, closing at once would take back what
  /// it has not read yet. Waits for the client for a moment.
  void finish();

 private:
  bool ready(short events, Clock::time_point until) const;

  int socket_;
  Clock::time_point deadline_;
  std::size_t left_;
  std::array<char, 4096> buffer_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace semel::http
