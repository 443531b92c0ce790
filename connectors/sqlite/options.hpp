// How a pipeline writes to SQLite. Filled by settings in connector.cpp; values only.
#pragma once

#include <cstdint>
#include <string>

#include "base/setting_names.hpp"
#include "store/setup.hpp"

namespace semel::sqlite {

struct Options {
  std::string file;                      ///< the database; has to exist
  store::Options rows;                   ///< of a table in it
  std::int64_t busy_timeout_ms = 5'000;  ///< that another process may keep us waiting at once
  SettingNames names{};
};

}  // namespace semel::sqlite
