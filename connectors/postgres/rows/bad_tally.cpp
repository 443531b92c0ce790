#include "postgres/rows/bad_tally.hpp"

#include <fmt/format.h>
#include <algorithm>

#include "postgres/rows/bad_record.hpp"

namespace semel::postgres {

std::uint64_t BadStreaks::of(const std::string& topic) const {
  const std::lock_guard lock(mutex_);
  const auto found = in_a_row_.find(topic);
  return found == in_a_row_.end() ? 0 : found->second;
}

void BadStreaks::set(const std::string& topic, std::uint64_t in_a_row) {
  const std::lock_guard lock(mutex_);
  in_a_row_[topic] = in_a_row;
}

void BadTally::bad(Offset offset, const BadRecord& record) {
  ++records_;
  ++bad_;
  ++in_a_row_;
  if (!first_) first_ = First{offset, for_log(record)};
  constexpr std::size_t kinds_max = 100;
  const std::pair key(record.sqlstate, record.column);
  if (const auto found = reasons_.find(key); found != reasons_.end()) {
    ++found->second.times;
  } else if (reasons_.size() < kinds_max) {
    reasons_.emplace(key, Reason{1, for_log(record)});
  }
}

BadTally::Reasons::const_iterator BadTally::most() const {
  return std::ranges::max_element(reasons_, {},
                                  [](const auto& reason) { return reason.second.times; });
}

std::string BadTally::commonest() const {
  const auto found = most();
  if (found == reasons_.end()) return "";
  return fmt::format("{}, {} of {} times", found->second.said, found->second.times, bad_);
}

bool BadTally::mostly_duplicates() const {
  const auto found = most();
  return found != reasons_.end() && found->first.first == "23505";
}

}  // namespace semel::postgres
