// How loud the log is about what the driver has to say.
#pragma once

#include <semel/log.hpp>

#include "core/driver.hpp"

namespace semel::engine {

inline LogLevel level_of(core::NoticeLevel level) {
  switch (level) {
    case core::NoticeLevel::detail:
      return LogLevel::debug;
    case core::NoticeLevel::info:
      return LogLevel::info;
    case core::NoticeLevel::warning:
      return LogLevel::warn;
  }
  return LogLevel::info;
}

}  // namespace semel::engine
