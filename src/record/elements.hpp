// Several rows of one record: the elements of an array in its value, each read as a value of its
// own. What a Reader (reader.hpp) does for a record, this does for each of its rows.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <semel/error.hpp>
#include <semel/record.hpp>
#include <semel/types.hpp>

#include "record/json_text.hpp"
#include "record/reader.hpp"

namespace semel::record {

/// In the mappings of its columns `$` is the element, and `@value` the whole value of the record.
/// An object where an array is looked for is one row; null, and nothing at all, is none. Not thread
/// safe. Movable.
class Elements {
 public:
  /// As Reader::make(). `path`: where the array is, as a mapping of the value ("$.items"; "$": the
  /// value itself is it). `also_inside`: as `also_known`, of an element. Fails as that does, and
  /// where the format is not JSON.
  static Result<Elements> make(std::vector<MappedColumn> columns, const Policy& policy,
                               const Format& format, std::string setting, const Format* keys,
                               const std::string& path, std::span<const std::string> also_known,
                               std::span<const std::string> also_inside = {});

  /// Row or removal: next() has its rows, if there are any.
  ReadRecord read(const TopicPartition& tp, const Record& record);
  /// The next row, with its values in values(): of the same fate as the record, or bad, and so is
  /// the record then; absent: there is no other.
  std::optional<ReadRecord> next();

  /// By column; as of a Reader.
  std::span<const Value> values() const { return values_; }
  const BadRecord& bad() const { return bad_; }
  std::string_view unknown_field() const { return unknown_field_; }
  Error unavailable() const;
  /// For people: the last row, "element 2 of $.items".
  std::string place() const;
  /// Members at the top of a record's value that are known here.
  std::vector<std::string> known_members() const;
  /// And of an element.
  std::vector<std::string> known_inside() const;

 private:
  Elements(Reader outside, Reader inside)
      : outside_(std::move(outside)), inside_(std::move(inside)) {}

  ReadRecord bad_row(BadRecord bad);
  ReadRecord row_of(const Value& element);

  Reader outside_;  ///< what is the same for all rows of a record, and last the array
  Reader inside_;   ///< what is in an element, or beside the value
  std::vector<MappedColumn> columns_;
  // Which column each of their values is.
  std::vector<std::size_t> of_outside_;
  std::vector<std::size_t> of_inside_;
  std::vector<std::size_t> of_index_;
  std::string path_;    ///< as it is written
  bool whole_ = false;  ///< the value is the array: read in an object around it
  bool wraps_ = false;  ///< so is each element, since columns want just it

  std::vector<Value> values_;
  std::string wrapped_;
  std::string element_;
  std::string scratch_;
  std::string digits_;
  TopicPartition tp_;
  Record record_;
  Fate fate_ = Fate::row;
  std::optional<ArrayElements> rest_;
  std::optional<Value> only_;  ///< what is no array
  std::int64_t at_ = 0;
  bool unavailable_inside_ = false;
  BadRecord bad_;
  std::string unknown_field_;
};

}  // namespace semel::record
