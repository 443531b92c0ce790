#include "base/log.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <mutex>
#include <string>

#include "base/one_line.hpp"

namespace semel {

namespace {

/// Before a line that no callback is there for.
std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return "trace";
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

void write_line(LogLevel level, std::string_view line) {
  const auto text = fmt::format("semel: {}: {}\n", name_of(level), line);
  // One write, so that the lines of two pipelines do not mix. Nobody may be listening.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text.data(), text.size());
}

/// Where it is closed, its number is going to be a file of the program's own.
LogCallback to_standard_error() {
  if (fcntl(STDERR_FILENO, F_GETFD) < 0) return [](LogLevel, std::string_view) {};
  return write_line;
}

}  // namespace

struct Log::Gate {
  std::recursive_mutex mutex;  // what the callback calls may have something to say, too
  LogCallback callback;        // guarded by mutex
  bool open = true;            // guarded by mutex
};

Log::Log() : Log({}, LogLevel::warn) {}

Log::Log(LogCallback callback, LogLevel least) : gate_(std::make_shared<Gate>()), least_(least) {
  if (callback) {
    gate_->callback = std::move(callback);
  } else {
    gate_->callback = to_standard_error();
    least_ = std::max(least, LogLevel::warn);
  }
}

void Log::say(LogLevel level, std::string_view text) const noexcept try {
  if (!wants(level)) return;
  const auto line = one_line(text);
  const std::lock_guard lock(gate_->mutex);
  if (gate_->open) gate_->callback(level, line);
} catch (...) {
  // Somebody's logger, or memory: no reason to stop moving records.
}

void Log::close() const noexcept {
  const std::lock_guard lock(gate_->mutex);
  gate_->open = false;
}

}  // namespace semel
