#include "record/record_order.hpp"

#include <fmt/format.h>

namespace semel::record {

Result<void> RecordOrder::set_aside(std::size_t task, const OffsetRange& range, Offset offset) {
  const bool in_turn = task > task_ || (task == task_ && offset >= next_);
  if (!in_turn || offset < range.from || offset >= range.until) {
    return fail(ErrorKind::fatal, Cause::internal,
                fmt::format("the record at offset {} was to be set aside from {}, and {}", offset,
                            to_string(range),
                            in_turn ? "is none of it" : "others behind it, or it, came before"));
  }
  pass(task, offset);
  return {};
}

}  // namespace semel::record
