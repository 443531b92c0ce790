// What files are called. Stored: do not change; people's programs read these names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <semel/types.hpp>

namespace semel::file {

/// Beside the data; tools that read whole directories leave out what begins so.
inline constexpr std::string_view ledgers_directory = "_semel";
inline constexpr std::string_view dead_letters_directory = "_dead_letters";
/// Of an owner's unfinished files, before its UUID.
inline constexpr std::string_view drafts_prefix = "new-";

/// A text as a part of a file's name: letters, digits, "-", "_" and "." stay, but for what would
/// hide it in front; all else is %XX. What is too long is cut, and ends with its checksum.
std::string name_part(std::string_view text);

/// "clicks-3-00000000000000000100-00000000000000000250": until is not in it. Names of a partition
/// sort as its ranges do.
std::string file_stem(const OffsetRange& range);

/// A file of the ledger, by its number.
std::string journal_name(std::uint64_t number);
std::optional<std::uint64_t> journal_number(std::string_view name);

}  // namespace semel::file
