// One line of a journal: what a transaction changed. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/tables.hpp"

namespace semel::file {

/// A row of one of the ledger's tables, or the beginning of a key whose rows are gone.
struct Change {
  const store::Table* table = nullptr;
  store::Row row;
  bool erases = false;
};

/// A file that this makes visible.
struct Publication {
  std::string draft;  ///< where it is, below the journals' directory
  std::string name;   ///< what it is going to be called, below the data's directory
};

/// The journal before this one, and how much of it counts; number 0: there is none.
struct Base {
  std::uint64_t number = 0;
  std::uint64_t length = 0;
};

struct Entry {
  std::optional<Base> base;  ///< the first of a journal: `changes` are all rows there are
  std::vector<Change> changes;
  std::vector<Publication> files;
};

/// Stored: do not change. Its checksum (CRC-32, hexadecimal), a space, a JSON array and the line's
/// end.
std::string line_of(const Entry& entry);
/// Without the line's end; absent where it is not what line_of() wrote.
std::optional<Entry> entry_of(std::string_view line);

}  // namespace semel::file
