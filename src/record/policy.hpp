// What a pipeline does with records that are no plain rows, whatever the sink. Values only; filled
// by settings in src/connector.
#pragma once

#include <cstdint>

namespace semel::record {

enum class UnknownFields : std::uint8_t { ignore, dead_letter };
enum class Tombstones : std::uint8_t { ignore, dead_letter };
enum class OnBadRecord : std::uint8_t { dead_letter, stop };

struct Policy {
  UnknownFields unknown_fields = UnknownFields::ignore;
  Tombstones tombstones = Tombstones::ignore;
  OnBadRecord on_bad_record = OnBadRecord::dead_letter;
  double bad_share_max = 1.0;  ///< a range with this share of bad records stops the pipeline,
  std::uint64_t bad_share_min_records = 100;  ///< once this many in a row, over ranges, were bad
};

}  // namespace semel::record
