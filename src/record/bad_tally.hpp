// Counts good and bad records, to tell bad data from a topic that does not fit at all. No I/O.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include <semel/types.hpp>

#include "record/bad_record.hpp"
#include "record/policy.hpp"

namespace semel::record {

/// Of each topic: how many records in a row were bad, up to the last range that was committed. Many
/// ranges of one bad record each are no better than one range of many, whoever writes them; and a
/// topic that fits says nothing of another. Thread safe.
class BadStreaks {
 public:
  std::uint64_t of(const std::string& topic) const;
  void set(const std::string& topic, std::uint64_t in_a_row);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> in_a_row_;
};

/// Of one range. Not thread safe. A sink's way: start() where a range begins; good() and bad() in
/// the order of offsets; before the commit, stops() says whether the range may be committed at all
/// (does_not_fit() is what to fail with); after it BadStreaks takes over in_a_row().
class BadTally {
 public:
  /// `code_name` as in for_log(); static text.
  explicit BadTally(std::string_view code_name = {}) : code_name_(code_name) {}

  struct First {
    Offset offset = 0;
    std::string said;  ///< as for_log() has it
  };

  /// A range begins; `in_a_row` of its topic were bad before it.
  void start(std::uint64_t in_a_row) {
    records_ = bad_ = 0;
    in_a_row_ = in_a_row;
    reasons_.clear();
    first_.reset();
  }
  void good() {
    ++records_;
    in_a_row_ = 0;
  }
  void bad(Offset offset, const BadRecord& record);

  std::uint64_t records() const { return records_; }
  std::uint64_t count() const { return bad_; }
  std::uint64_t in_a_row() const { return in_a_row_; }
  const std::optional<First>& first() const { return first_; }
  /// The topic is bad from end to end, as configured.
  bool stops(const Policy& policy) const;
  /// "column "id": …, 98 of 100 times"
  std::string commonest() const;
  /// How many by their code. Where reasons are more than are kept, it is not all of them.
  std::map<std::string, std::uint64_t> codes() const;
  /// The most frequent reason is a row that is there already.
  bool mostly_duplicates() const;

 private:
  struct Reason {
    std::uint64_t times = 0;
    std::string said;
  };
  using Key = std::tuple<Fault, std::string, std::string>;  ///< and the code, the column
  using Reasons = std::map<Key, Reason>;
  Reasons::const_iterator most() const;

  std::uint64_t records_ = 0;
  std::uint64_t bad_ = 0;
  std::uint64_t in_a_row_ = 0;
  std::optional<First> first_;
  std::string_view code_name_;
  Reasons reasons_;
};

/// The range is bad from end to end: what its task fails with. `place` is where the records should
/// have gone, as people know it.
Error does_not_fit(const OffsetRange& range, const BadTally& tally, std::string_view place);

}  // namespace semel::record
