// What a test's own log was told.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/log.hpp"

namespace semel::test {

/// Thread safe.
class Told {
 public:
  Log log(LogLevel least = LogLevel::trace) const {
    return {[lines = lines_](LogLevel, std::string_view line) { lines->add(line); }, least};
  }
  /// Each line ends with a line break.
  std::string all() const {
    const std::lock_guard lock(lines_->mutex);
    return lines_->text;
  }

 private:
  struct Lines {
    std::mutex mutex;
    std::string text;
    void add(std::string_view line) {
      const std::lock_guard lock(mutex);
      text.append(line) += '\n';
    }
  };
  std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
};

}  // namespace semel::test
