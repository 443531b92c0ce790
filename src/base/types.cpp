#include <semel/types.hpp>

#include <fmt/format.h>

namespace semel {

std::string to_string(const TopicPartition& tp) {
  return fmt::format("{}[{}]", tp.topic, tp.partition);
}

std::string to_string(const OffsetRange& range) {
  return fmt::format("{} [{}, {})", to_string(range.tp), range.from, range.until);
}

}  // namespace semel
