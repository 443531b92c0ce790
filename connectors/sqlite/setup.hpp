// The connector's options as a store's setup.
#pragma once

#include <string_view>

#include "sqlite/options.hpp"

namespace semel::sqlite {

inline constexpr std::string_view kind = "SQLite";

store::Setup setup_of(const Options& options);

}  // namespace semel::sqlite
