// What Kafka allows as the name of a topic. No rdkafka.h.
#pragma once

#include <string_view>

namespace semel::kafka {

/// Letters, digits, . _ -, at most 249; neither "." nor "..".
constexpr bool is_topic_name(std::string_view name) {
  constexpr std::size_t bytes_max = 249;
  return !name.empty() && name.size() <= bytes_max && name != "." && name != ".." &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
             "0123456789._-") == std::string_view::npos;
}

}  // namespace semel::kafka
