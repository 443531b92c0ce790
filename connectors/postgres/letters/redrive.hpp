// Letters into rows: one piece of a redrive.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "connector/dead_letters.hpp"
#include "postgres/client/connection.hpp"
#include "postgres/session/shared.hpp"

namespace semel::postgres {

/// A letter, and the place of its row, by which exactly that one is taken away.
struct KeptLetter {
  DeadLetter letter;
  std::string place;  ///< ctid
};

/// A time of theirs as text, in UTC: 2026-01-31T12:34:56Z. SQL.
std::string iso_time(std::string_view time);

/// In the order of topic, partition and offset. `where`: SQL.
Result<std::vector<KeptLetter>> read_letters(Connection& connection, const std::string& table,
                                             const std::string& where, std::size_t limit);

/// Encodes them for the table as it is now, and in one transaction stores the rows that it takes
/// and removes their letters: each of them, or the transaction is undone. in_doubt where the answer
/// to its commit is lost: what came in has no letter any more. Where nothing is to be overwritten,
/// a row stays unless the letter's version is higher, and letters that remove a row stay.
Result<Redriven> redrive_piece(Connection& connection, const Shared& shared,
                               const std::vector<KeptLetter>& letters, DeadLetterBox::How how);

}  // namespace semel::postgres
