#include "cli/console.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <memory>

#include "base/one_line.hpp"

namespace semel::cli {

namespace {

constexpr auto erase_line = "\r\x1b[K";

class LogSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    // What servers say is in there: a line of theirs must not look like one of ours.
    const auto said = one_line({message.payload.data(), message.payload.size()});
    spdlog::details::log_msg one(message);
    one.payload = said;
    spdlog::memory_buf_t buffer;
    formatter_->format(one, buffer);
    std::string text(buffer.data(), buffer.size());
    if (text.ends_with('\n')) text.pop_back();
    if (Console::shared().is_terminal() && one.level >= spdlog::level::warn) {
      const auto* colour = one.level == spdlog::level::warn ? "\x1b[33m" : "\x1b[31m";
      text.insert(one.color_range_end, "\x1b[0m");
      text.insert(one.color_range_start, colour);
    }
    Console::shared().line(text);
  }
  void flush_() override {}
};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

Console& Console::shared() {
  static Console console;
  return console;
}

Console::Console() : terminal_(isatty(STDERR_FILENO) == 1) {}

int Console::width() const {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void Console::line(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (redrawn_.empty()) {
    write(text + "\n");
  } else {
    write(erase_line + text + "\n" + redrawn_);
  }
}

void Console::redraw(const std::string& text) {
  if (!terminal_) return;
  const std::lock_guard lock(mutex_);
  if (redrawn_.empty() && text.empty()) return;
  redrawn_ = text;
  write(erase_line + text);
}

void Console::write(const std::string& text) const {
  const char* rest = text.data();
  std::size_t size = text.size();
  // Nobody may be listening; that is no reason to stop.
  while (size > 0) {
    const auto written = ::write(STDERR_FILENO, rest, size);
    if (written <= 0) return;
    rest += written;
    size -= static_cast<std::size_t>(written);
  }
}

Log set_up_log(LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>("semel", std::make_shared<LogSink>());
  logger->set_level(to_spdlog(level));
  if (Console::shared().is_terminal()) {
    logger->set_pattern("%H:%M:%S %^%l%$ %v");
  } else {
    logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
  }
  spdlog::set_default_logger(logger);
  return {[logger](LogLevel at, std::string_view line) { logger->log(to_spdlog(at), line); },
          level};
}

}  // namespace semel::cli
