#include <semel/types.hpp>

#include <fmt/format.h>

namespace semel {

std::string to_string(const TopicPartition& source) {
  return fmt::format("{}[{}]", source.topic, source.partition);
}

std::string to_string(const OffsetRange& range) {
  return fmt::format("{} [{}, {})", to_string(range.source), range.from, range.until);
}

}  // namespace semel
