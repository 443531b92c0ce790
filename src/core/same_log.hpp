// Whether a log is still the one that was read before, as far as that can be told.
#pragma once

#include <cstdint>
#include <optional>

#include <semel/types.hpp>

namespace semel::core {

/// What to make of a fetch that began at an offset which the log does not have.
enum class OutOfRange : std::uint8_t {
  lost,         ///< the next offset is not in the log
  look_again,   ///< the log has grown since: whatever is at the marked record's offset now is
                ///< compared
  no_evidence,  ///< the marked record has aged out: the log may be the same one
};

/// `mark` is the offset of the last record known before `next`, where the fetch began at it; the
/// ends are those of the log after that fetch. Only what lies below the log's beginning has aged
/// out: a log that was shorter than the mark a moment ago is another one, or was cut off, however
/// far it reaches by now.
OutOfRange judge_out_of_range(std::optional<Offset> mark, Offset next, Offset earliest,
                              Offset latest);

}  // namespace semel::core
