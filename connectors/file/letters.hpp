// Dead letters, as lines of JSON in files of their own.
#pragma once

#include <string>

#include <semel/error.hpp>

#include "file/place.hpp"
#include "store/tables.hpp"

namespace semel::file {

/// Stored: do not change. An object with a member for each cell that is not null; key and value as
/// text, or as key_base64 and value_base64 where they are no UTF-8.
std::string letter_line(const store::Row& row);
/// Of pipeline and output.
Result<std::uint64_t> count_letters(Place& place, const store::Row& prefix);

}  // namespace semel::file
