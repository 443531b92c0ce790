#include "source/partitions.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <string>

namespace semel::source {

Result<kafka::Discovery> only_partitions(kafka::Discovery found,
                                         const std::set<TopicPartition>& wanted) {
  std::set<std::string> topics;
  for (const auto& tp : found.partitions) topics.insert(tp.topic);
  for (const auto& tp : wanted) {
    if (topics.count(tp.topic) != 0 && !std::ranges::binary_search(found.partitions, tp)) {
      return fail(ErrorKind::fatal, Cause::source,
                  fmt::format("{}: a stream reads this partition, and there is none of that number",
                              to_string(tp)));
    }
  }
  std::erase_if(found.partitions, [&wanted](const TopicPartition& tp) {
    const auto of_topic = wanted.lower_bound({tp.topic, 0});
    return of_topic != wanted.end() && of_topic->topic == tp.topic && wanted.count(tp) == 0;
  });
  return found;
}

}  // namespace semel::source
