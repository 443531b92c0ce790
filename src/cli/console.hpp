// Standard error, shared by messages, the log and a line that is redrawn (the progress bar).
#pragma once

#include <mutex>
#include <string>

#include "base/log.hpp"

namespace semel::cli {

/// Thread safe.
class Console {
 public:
  static Console& shared();

  bool is_terminal() const { return terminal_; }
  /// Columns of the terminal; 80 where there is none or it does not say.
  int width() const;

  /// A whole line; the redrawn line stays below it.
  void line(const std::string& text);
  /// The line that is redrawn; empty removes it. Only on a terminal.
  void redraw(const std::string& text);

 private:
  Console();
  void write(const std::string& text) const;

  const bool terminal_;
  std::mutex mutex_;
  std::string redrawn_;
};

/// spdlog's default logger writes to the console: short on a terminal, with date and UTC elsewhere.
/// What is made with the result says `level` and above there, too.
Log set_up_log(LogLevel level);

}  // namespace semel::cli
