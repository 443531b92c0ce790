// Who a process is, to ledgers and to people who read them.
#pragma once

#include <string>
#include <string_view>

namespace semel {

/// A new random UUID in lower case with hyphens. Thread safe.
std::string random_uuid();

/// "semel on shop-3, pid 4711"; `program` is the first word or words.
std::string process_name(std::string_view program);

}  // namespace semel
