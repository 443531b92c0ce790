// Who has a lock on a file, as the system tells.
#pragma once

#include <cstdint>
#include <string>

namespace semel {

/// Who keeps others from writing the byte at `at` of the file: "process 4711 (sqlite3)", or
/// "another process" where that is not known. Does not open the file: closing it would drop this
/// process's own locks on it.
std::string lock_holder(const std::string& file, std::uint64_t at);

}  // namespace semel
