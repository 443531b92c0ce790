// What a pipeline does with records that are no plain rows, and how it reads all of their values,
// whatever the sink. Values only; filled
// by settings in src/connector.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/member_names.hpp"
#include "record/rule.hpp"

namespace semel::record {

enum class UnknownFields : std::uint8_t { ignore, dead_letter };
/// `remove`: the row of the record's key is to go. Only for a sink that can: see Fate::removal.
enum class Tombstones : std::uint8_t { ignore, dead_letter, remove };
enum class OnBadRecord : std::uint8_t { dead_letter, stop };

struct Policy {
  UnknownFields unknown_fields = UnknownFields::ignore;
  Tombstones tombstones = Tombstones::ignore;
  /// Records with a value say by this one that the row of their key is to go; empty: none does.
  std::string removes_from;             ///< a mapping: "$.op", "@headers.deleted"
  std::vector<std::string> removes_if;  ///< what stands there then, as it is spelled
  bool removes() const { return tombstones == Tombstones::remove || !removes_from.empty(); }
  OnBadRecord on_bad_record = OnBadRecord::dead_letter;
  double bad_share_max = 1.0;  ///< a range with this share of bad records stops the pipeline,
  std::uint64_t bad_share_min_records = 100;  ///< once this many in a row, over ranges, were bad
  Names names = Names::exact;                 ///< of columns and members
  Nul nul = Nul::bad;                         ///< in texts of columns whose rule does not say it
  bool accepts_nan = false;  ///< NaN and Infinity in JSON, which has no such numbers
};

}  // namespace semel::record
