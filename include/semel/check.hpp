// What a sink tells `semel check`.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

namespace semel {

/// One line of `semel check`.
struct Finding {
  bool ok = false;            ///< nothing is wrong
  std::string what;           ///< "login as app to shop", "column clicks.amount (numeric)"
  std::string remedy;         ///< what to do; empty when ok
  Cause cause = Cause::sink;  ///< gives the exit code when not ok, as `semel run` would end with
};

/// What one record would become, or a row of it where it is several: they stand one behind another.
/// The texts hold the record's content.
struct SampledRecord {
  /// What becomes of a record.
  /// `unmade`: a row of a table that is made first.
  enum class Fate : std::uint8_t { row, removal, ignored, refused, suppressed, unmade };
  TopicPartition tp;      ///< where it is
  Offset offset = 0;      ///< where it is
  Fate fate = Fate::row;  ///< what would become of it
  std::string table;      ///< of several, the one that gets the row; empty: there is one
  /// A row's columns with their values as text, as they are stored: absent where it is NULL. Of a
  /// removal, which takes a row away, those of the key.
  std::vector<std::pair<std::string, std::optional<std::string>>> values;
  std::vector<std::string> defaults;  ///< columns that are left to the sink's own default
  std::string reason;                 ///< why it is refused
  std::string unknown_field;          ///< of a record with such: the first member without a column
};

/// Takes records of one partition; they need not outlive the call.
using TakeRecords = std::function<void(const TopicPartition&, std::span<const Record>)>;
/// Hands all records that there are to the function it is given.
using RecordFeed = std::function<Result<void>(const TakeRecords&)>;

}  // namespace semel
