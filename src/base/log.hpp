// The log that is passed down: where lines go, and which are wanted. No room has a global one.
#pragma once

#include <fmt/format.h>
#include <memory>
#include <string_view>
#include <utility>

#include <semel/log.hpp>

namespace semel {

/// Copies say the same to the same. Thread safe. What is below the wanted level is not even
/// formatted.
class Log {
 public:
  /// Warnings and errors to standard error.
  Log();
  /// `least` and above to `callback`; an empty one is as if there were none.
  Log(LogCallback callback, LogLevel least);

  bool wants(LogLevel level) const { return level >= least_; }
  /// As one line, whatever breaks it.
  void say(LogLevel level, std::string_view text) const noexcept;
  /// Waits for the call that is under way in another thread; afterwards no copy says anything.
  void close() const noexcept;

  template <class... Args>
  void debug(fmt::format_string<Args...> format, Args&&... args) const {
    put(LogLevel::debug, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) const {
    put(LogLevel::info, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) const {
    put(LogLevel::warn, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) const {
    put(LogLevel::error, format, std::forward<Args>(args)...);
  }
  template <class... Args>
  void put(LogLevel level, fmt::format_string<Args...> format, Args&&... args) const {
    if (wants(level)) say(level, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  struct Gate;
  std::shared_ptr<Gate> gate_;
  LogLevel least_ = LogLevel::warn;
};

}  // namespace semel
