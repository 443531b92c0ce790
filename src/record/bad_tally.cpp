#include "record/bad_tally.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

#include "record/bad_record.hpp"

namespace semel::record {

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
  if (!first_) first_ = First{offset, for_log(record, code_name_)};
  constexpr std::size_t kinds_max = 100;
  Key key(record.fault, record.code, record.column);
  if (const auto found = reasons_.find(key); found != reasons_.end()) {
    ++found->second.times;
  } else if (reasons_.size() < kinds_max) {
    reasons_.emplace(std::move(key), Reason{1, for_log(record, code_name_)});
  }
}

bool BadTally::stops(const Policy& policy) const {
  return bad_ > 0 && in_a_row_ >= policy.bad_share_min_records &&
         static_cast<double>(bad_) >= policy.bad_share_max * static_cast<double>(records_);
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

std::map<std::string, std::uint64_t> BadTally::codes() const {
  std::map<std::string, std::uint64_t> codes;
  for (const auto& [key, reason] : reasons_) codes[std::get<1>(key)] += reason.times;
  return codes;
}

bool BadTally::mostly_duplicates() const {
  const auto found = most();
  return found != reasons_.end() && std::get<Fault>(found->first) == Fault::duplicate;
}

Error does_not_fit(const OffsetRange& range, const BadTally& tally, std::string_view place) {
  const std::string_view remedy =
      tally.mostly_duplicates()
          ? "These rows are there already: probably another pipeline or an earlier copy has stored "
            "them. `semel offsets` moves past what is stored"
          : "Correct it, or raise bad_share_min_records";
  return {ErrorKind::fatal, Cause::bad_record,
          fmt::format("{} of {} records of {} cannot be stored in {}, most often because of {}. "
                      "That is no bad record, it is a table or a topic that does not fit: nothing "
                      "of the range was written. {}",
                      tally.count(), tally.records(), to_string(range), place, tally.commonest(),
                      remedy)};
}

}  // namespace semel::record
