#include "core/same_log.hpp"

namespace semel::core {

OutOfRange judge_out_of_range(std::optional<Offset> mark, Offset next, Offset earliest,
                              Offset latest) {
  if (next < earliest || next > latest) return OutOfRange::lost;
  if (mark && *mark < earliest) return OutOfRange::no_evidence;
  return OutOfRange::look_again;
}

}  // namespace semel::core
