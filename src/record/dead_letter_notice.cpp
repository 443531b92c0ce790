#include "record/dead_letter_notice.hpp"

#include <fmt/format.h>

namespace semel::record {

std::optional<std::string> DeadLetterNotice::of(const OffsetRange& range, std::uint64_t count,
                                                const BadTally::First& first,
                                                const std::string& find, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  untold_ += count;
  if (told_ && now - *told_ < std::chrono::seconds(30)) return std::nullopt;
  told_ = now;
  const auto others = untold_ - 1;
  untold_ = 0;
  return fmt::format("{} offset {} was set aside as a dead letter: {}{}. To see them: {}",
                     to_string(range.tp), first.offset, first.said,
                     others == 0   ? ""
                     : others == 1 ? "; so was 1 other"
                                   : fmt::format("; so were {} others", others),
                     find);
}

}  // namespace semel::record
